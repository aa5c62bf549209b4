#pragma once

// What the core knows as the JSON of the node API (pure).

#include <string>

#include "l4lb/core.hpp"

namespace l4lb {

std::string render_vips(const Core& core);
/// Base64 SHA-1 over what is known of each machine: changes exactly when the answer may.
std::string vips_etag(const Core& core);
std::string render_nodes(const Core& core, base::Now now);
std::string render_records(const std::vector<Record>& records);
/// {"added":[...],"removed":[...]}
std::string render_delta(const RecordsChanged& changed);
std::string render_host(const Core& core, std::string_view host);
std::string render_explain(const Core& core, std::string_view what, base::Instant now);

/// zbase32, as the original's keys are written.
std::string zbase32(std::string_view bytes);

}  // namespace l4lb
