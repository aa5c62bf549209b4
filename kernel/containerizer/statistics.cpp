#include "kernel/containerizer/statistics.hpp"

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace containerizer {
namespace {

using mesos::v1::CgroupInfo;

void add_device(const cgroups::Usage::Device& device, CgroupInfo::Blkio::Throttling::Statistics& out) {
  out.mutable_device()->set_major_number(device.major);
  out.mutable_device()->set_minor_number(device.minor);
  const auto add = [](auto* value, CgroupInfo::Blkio::Operation operation, uint64_t amount) {
    value->set_op(operation);
    value->set_value(amount);
  };
  add(out.add_io_service_bytes(), CgroupInfo::Blkio::READ, device.read_bytes);
  add(out.add_io_service_bytes(), CgroupInfo::Blkio::WRITE, device.written_bytes);
  add(out.add_io_service_bytes(), CgroupInfo::Blkio::TOTAL, device.read_bytes + device.written_bytes);
  add(out.add_io_serviced(), CgroupInfo::Blkio::READ, device.reads);
  add(out.add_io_serviced(), CgroupInfo::Blkio::WRITE, device.writes);
  add(out.add_io_serviced(), CgroupInfo::Blkio::TOTAL, device.reads + device.writes);
}

}  // namespace

mesos::v1::ResourceStatistics make_statistics(const cgroups::Limits& limits, const cgroups::Usage& usage,
                                              double timestamp) {
  mesos::v1::ResourceStatistics out;
  out.set_timestamp(timestamp);
  if (usage.processes) out.set_processes(static_cast<uint32_t>(*usage.processes));
  if (usage.threads) out.set_threads(static_cast<uint32_t>(*usage.threads));
  if (usage.cpu_user_seconds) out.set_cpus_user_time_secs(*usage.cpu_user_seconds);
  if (usage.cpu_system_seconds) out.set_cpus_system_time_secs(*usage.cpu_system_seconds);
  out.set_cpus_soft_limit(limits.cpus);
  if (!limits.cpu_limit)
    out.set_cpus_limit(limits.cpus);
  else if (!std::isinf(*limits.cpu_limit))
    out.set_cpus_limit(*limits.cpu_limit);
  if (usage.periods) out.set_cpus_nr_periods(static_cast<uint32_t>(*usage.periods));
  if (usage.throttled) out.set_cpus_nr_throttled(static_cast<uint32_t>(*usage.throttled));
  if (usage.throttled_seconds) out.set_cpus_throttled_time_secs(*usage.throttled_seconds);
  if (limits.memory_limit) out.set_mem_limit_bytes(*limits.memory_limit);
  out.set_mem_soft_limit_bytes(limits.memory);
  if (usage.memory_total) out.set_mem_total_bytes(*usage.memory_total);
  if (usage.memory_rss) {
    out.set_mem_rss_bytes(*usage.memory_rss);
    out.set_mem_anon_bytes(*usage.memory_rss);
  }
  if (usage.memory_cache) {
    out.set_mem_cache_bytes(*usage.memory_cache);
    out.set_mem_file_bytes(*usage.memory_cache);
  }
  if (usage.memory_mapped) out.set_mem_mapped_file_bytes(*usage.memory_mapped);
  if (usage.memory_swap) out.set_mem_swap_bytes(*usage.memory_swap);
  if (usage.memory_unevictable) out.set_mem_unevictable_bytes(*usage.memory_unevictable);
  if (usage.memory_kernel) out.set_mem_kmem_usage_bytes(*usage.memory_kernel);
  if (usage.memory_sockets) out.set_mem_kmem_tcp_usage_bytes(*usage.memory_sockets);
  if (usage.memory_with_swap) out.set_mem_total_memsw_bytes(*usage.memory_with_swap);
  for (const auto& device : usage.devices) add_device(device, *out.mutable_blkio_statistics()->add_throttling());
  return out;
}

std::string out_of_memory_message(const cgroups::Limits& limits, const cgroups::Usage& usage) {
  const auto line = [](std::string_view name, const std::optional<uint64_t>& value) {
    return value ? "\n" + std::string(name) + " " + std::to_string(*value) : std::string();
  };
  const uint64_t ceiling = cgroups::memory_floor(limits.memory_limit.value_or(limits.memory));
  std::string text = "Memory limit exceeded: Requested: " + base::render_bytes(ceiling) +
                     " Maximum Used: " + base::render_bytes(usage.memory_max.value_or(0)) + "\n\nMEMORY STATISTICS:";
  text += line("rss", usage.memory_rss);
  text += line("cache", usage.memory_cache);
  text += line("mapped_file", usage.memory_mapped);
  text += line("swap", usage.memory_swap);
  text += line("unevictable", usage.memory_unevictable);
  return text + "\n";
}

void add_interface_counts(std::string_view text, mesos::v1::ResourceStatistics& out) {
  // Behind two lines of titles: "eth0: bytes packets errs drop fifo frame compressed multicast bytes packets errs drop ...".
  constexpr size_t kColumns = 16;
  bool any = false;
  uint64_t sums[kColumns] = {};
  for (const auto line : base::tokenize(text, '\n')) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || base::trim(line.substr(0, colon)) == "lo") continue;
    const auto columns = base::tokenize(line.substr(colon + 1), ' ');
    if (columns.size() < kColumns) continue;
    any = true;
    for (size_t i = 0; i < kColumns; ++i) sums[i] += base::parse_uint(columns[i]).value_or(0);
  }
  if (!any) return;
  out.set_net_rx_bytes(sums[0]);
  out.set_net_rx_packets(sums[1]);
  out.set_net_rx_errors(sums[2]);
  out.set_net_rx_dropped(sums[3]);
  out.set_net_tx_bytes(sums[8]);
  out.set_net_tx_packets(sums[9]);
  out.set_net_tx_errors(sums[10]);
  out.set_net_tx_dropped(sums[11]);
}

}  // namespace containerizer
