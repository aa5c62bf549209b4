#pragma once

// The agent's --resources flag: "cpus:8;mem:1024;ports:[31000-32000];disk(role):100" or a JSON array of mesos.v1.Resource.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "kernel/resources/resources.hpp"

namespace resources {

struct ParsedResources {
  Resources resources;

  /// Every name that was given, also those with nothing ("cpus:0"), sorted: they are not detected.
  std::vector<std::string> names;
};

/// Entries without a role belong to `default_role`. What a command line may not contain (volumes, revocable and dynamic
/// reservations, one name with two types) is an error.
base::Result<ParsedResources> parse_resources(std::string_view text, std::string_view default_role = "*");

/// The JSON form alone: every entry, also empty ones.
base::Result<std::vector<Resource>> parse_resources_json(std::string_view text, std::string_view default_role);

/// For tests and tables: the text form, which must be right.
Resources must_parse(std::string_view text);

/// What a machine offers when the flag does not say.
struct Machine {
  std::optional<uint32_t> cpus;
  std::optional<uint64_t> memory_bytes;
  std::optional<uint64_t> disk_bytes;  // of the file system of the work directory
};

/// `given` plus cpus, mem, disk and ports as far as they are not named in it.
Resources with_detected(const ParsedResources& given, const Machine& machine, std::string_view default_role = "*");

}  // namespace resources
