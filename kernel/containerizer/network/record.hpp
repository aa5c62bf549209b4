#pragma once

// What is known on disk of a container's networks, written before the first plugin is called: who finds it can undo
// all.

#include <string>
#include <vector>

#include "kernel/containerizer/network/chain.hpp"

namespace containerizer::network {

struct Record {
  std::string container, host_name;
  std::vector<Link> links{};  // network_file is not kept
};

std::string render_record(const Record& record);
Result<Record> parse_record(std::string_view text);

/// Name, labels and port mappings as they were asked for; addresses as they were given.
mesos::v1::NetworkInfo network_info(const Link& link);

}  // namespace containerizer::network
