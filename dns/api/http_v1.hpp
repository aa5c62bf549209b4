#pragma once

// The HTTP API's answers (pure): functions of the zone and the configuration.

#include <string>
#include <string_view>

#include "base/http/message.hpp"
#include "dns/config.hpp"
#include "dns/records.hpp"
#include "dns/zone.hpp"

namespace dns::api {

/// As a name is looked up: lower case, literal ".*" pieces and the final dot gone.
std::string normal_name(std::string_view asked);

base::http::Response version();
base::http::Response hosts(const Zone& zone, std::string_view host);
base::http::Response services(const Zone& zone, std::string_view service);

/// All records below the domain.
std::string render_axfr(const Zone& zone, const Config& config);

std::string render_enumeration(const std::vector<Records::Listing>& frameworks, const RecordRules& rules);

}  // namespace dns::api
