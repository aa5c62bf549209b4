// Memory: what a container is promised (soft), and what kills it (hard), with swap on request.

#include "base/file.hpp"
#include "kernel/containerizer/cgroups/controllers.hpp"
#include "kernel/containerizer/cgroups/tree.hpp"

namespace containerizer::cgroups {
namespace {

/// What a container asks of swap itself, at its start.
Status own_swap_v1(const std::string& group, const Limits& limits) {
  const std::string swap_file = group + "/memory.memsw.limit_in_bytes";
  if (limits.swappiness) RETURN_IF_ERROR(write_value(group + "/memory.swappiness", std::to_string(*limits.swappiness)));
  if (!limits.memory_and_swap) return {};
  if (!base::exists(swap_file)) return base::unsupported("this machine's kernel does not count swap by control group (swapaccount=1)");
  const auto memory = static_cast<int64_t>(memory_floor(limits.memory_limit.value_or(limits.memory)));
  return write_value(swap_file, *limits.memory_and_swap < 0 ? "-1" : std::to_string(std::max(*limits.memory_and_swap, memory)));
}

Status limit_memory_v1(const std::string& group, const Limits& limits) {
  RETURN_IF_ERROR(write_value(group + "/memory.soft_limit_in_bytes", std::to_string(memory_floor(limits.memory))));
  const std::string file = group + "/memory.limit_in_bytes";
  const std::string swap_file = group + "/memory.memsw.limit_in_bytes";
  const bool with_swap = limits.limit_swap && !limits.memory_and_swap && base::exists(swap_file);
  if (!limits.memory_limit) {
    if (with_swap) RETURN_IF_ERROR(write_value(swap_file, "-1"));
    return write_value(file, "-1");
  }
  const uint64_t wanted = memory_floor(*limits.memory_limit);
  const auto current = read_value(file);
  constexpr uint64_t kUnlimited = uint64_t{1} << 60;
  const bool first_time = !current || *current > kUnlimited;
  // Lowering the ceiling of a running container could kill it for memory it was given.
  if (!first_time && wanted <= *current) return {};
  // Memory and swap together may never be below memory alone, also not for a moment.
  if (with_swap && !first_time) RETURN_IF_ERROR(write_value(swap_file, std::to_string(wanted)));
  RETURN_IF_ERROR(write_value(file, std::to_string(wanted)));
  if (with_swap && first_time) RETURN_IF_ERROR(write_value(swap_file, std::to_string(wanted)));
  return {};
}

Status limit_v1(const std::string& group, const Limits& limits) {
  RETURN_IF_ERROR(limit_memory_v1(group, limits));
  return own_swap_v1(group, limits);
}

Status limit_v2(const std::string& group, const Limits& limits) {
  RETURN_IF_ERROR(write_value(group + "/memory.low", std::to_string(memory_floor(limits.memory))));
  const std::string file = group + "/memory.max";
  const std::string swap_file = group + "/memory.swap.max";
  if (limits.memory_and_swap) {
    const auto memory = static_cast<int64_t>(memory_floor(limits.memory_limit.value_or(limits.memory)));
    const int64_t swap = std::max<int64_t>(*limits.memory_and_swap - memory, 0);
    RETURN_IF_ERROR(write_value(swap_file, *limits.memory_and_swap < 0 ? "max" : std::to_string(swap)));
  } else if (limits.limit_swap && base::exists(swap_file)) {
    RETURN_IF_ERROR(write_value(swap_file, "0"));
  }
  if (!limits.memory_limit) return write_value(file, "max");
  const uint64_t wanted = memory_floor(*limits.memory_limit);
  const auto current = read_value(file);  // absent for "max"
  // Lowering the ceiling of a running container could kill it for memory it was given.
  if (current && wanted <= *current) return {};
  return write_value(file, std::to_string(wanted));
}

void read_v1(const std::string& group, Usage& usage) {
  const std::string stat = group + "/memory.stat";
  usage.memory_total = read_value(group + "/memory.usage_in_bytes");
  usage.memory_max = read_value(group + "/memory.max_usage_in_bytes");
  usage.memory_rss = read_keyed(stat, "total_rss");
  usage.memory_cache = read_keyed(stat, "total_cache");
  usage.memory_mapped = read_keyed(stat, "total_mapped_file");
  usage.memory_swap = read_keyed(stat, "total_swap");
  usage.memory_unevictable = read_keyed(stat, "total_unevictable");
  usage.memory_kernel = read_value(group + "/memory.kmem.usage_in_bytes");
  usage.memory_with_swap = read_value(group + "/memory.memsw.usage_in_bytes");
  usage.memory_sockets = read_value(group + "/memory.kmem.tcp.usage_in_bytes");
}

void read_v2(const std::string& group, Usage& usage) {
  const std::string stat = group + "/memory.stat";
  usage.memory_total = read_value(group + "/memory.current");
  usage.memory_max = read_value(group + "/memory.peak");
  usage.memory_swap = read_value(group + "/memory.swap.current");
  usage.memory_rss = read_keyed(stat, "anon");
  usage.memory_cache = read_keyed(stat, "file");
  usage.memory_mapped = read_keyed(stat, "file_mapped");
  usage.memory_unevictable = read_keyed(stat, "unevictable");
  usage.memory_kernel = read_keyed(stat, "kernel");
  usage.memory_sockets = read_keyed(stat, "sock");
  if (usage.memory_total && usage.memory_swap) usage.memory_with_swap = *usage.memory_total + *usage.memory_swap;
}

}  // namespace

const Controller kMemory{.isolator = "cgroups/mem",
                         .v1 = "memory",
                         .v2 = "memory",
                         .basic = true,
                         .limit_v1 = limit_v1,
                         .limit_v2 = limit_v2,
                         .read_v1 = read_v1,
                         .read_v2 = read_v2};

}  // namespace containerizer::cgroups
