// Processors: shares under contention, a ceiling by quota.

#include "base/file.hpp"
#include "kernel/containerizer/cgroups/controllers.hpp"
#include "kernel/containerizer/cgroups/tree.hpp"

namespace containerizer::cgroups {
namespace {

constexpr double kTicksPerSecond = 100;

std::optional<double> scaled(std::optional<uint64_t> value, double divisor) {
  if (!value) return std::nullopt;
  return static_cast<double>(*value) / divisor;
}

Status limit_v1(const std::string& group, const Limits& limits) {
  RETURN_IF_ERROR(write_value(group + "/cpu.shares", std::to_string(shares(limits.cpus))));
  const auto quota = quota_micros(limits.cpu_limit);
  // A kernel without bandwidth control has no such file; then there is no ceiling to lift either.
  if (!quota && !base::exists(group + "/cpu.cfs_quota_us")) return {};
  RETURN_IF_ERROR(write_value(group + "/cpu.cfs_period_us", std::to_string(kPeriodMicros)));
  return write_value(group + "/cpu.cfs_quota_us", quota ? std::to_string(*quota) : "-1");
}

Status limit_v2(const std::string& group, const Limits& limits) {
  RETURN_IF_ERROR(write_value(group + "/cpu.weight", std::to_string(weight(limits.cpus))));
  const auto quota = quota_micros(limits.cpu_limit);
  return write_value(group + "/cpu.max",
                     (quota ? std::to_string(*quota) : "max") + " " + std::to_string(kPeriodMicros));
}

void read_throttling(const std::string& group, Usage& usage) {
  usage.periods = read_keyed(group + "/cpu.stat", "nr_periods");
  usage.throttled = read_keyed(group + "/cpu.stat", "nr_throttled");
  usage.throttled_seconds = scaled(read_keyed(group + "/cpu.stat", "throttled_time"), 1e9);
}

void read_time(const std::string& group, Usage& usage) {
  usage.cpu_user_seconds = scaled(read_keyed(group + "/cpuacct.stat", "user"), kTicksPerSecond);
  usage.cpu_system_seconds = scaled(read_keyed(group + "/cpuacct.stat", "system"), kTicksPerSecond);
}

/// The kernel keeps time without the controller too.
void read_all_v2(const std::string& group, Usage& usage) {
  usage.cpu_user_seconds = scaled(read_keyed(group + "/cpu.stat", "user_usec"), 1e6);
  usage.cpu_system_seconds = scaled(read_keyed(group + "/cpu.stat", "system_usec"), 1e6);
  usage.periods = read_keyed(group + "/cpu.stat", "nr_periods");
  usage.throttled = read_keyed(group + "/cpu.stat", "nr_throttled");
  usage.throttled_seconds = scaled(read_keyed(group + "/cpu.stat", "throttled_usec"), 1e6);
}

}  // namespace

const Controller kCpu{.isolator = "cgroups/cpu",
                      .v1 = "cpu",
                      .v2 = "cpu",
                      .basic = true,
                      .limit_v1 = limit_v1,
                      .limit_v2 = limit_v2,
                      .read_v1 = read_throttling};
const Controller kCpuacct{
    .isolator = "cgroups/cpu", .v1 = "cpuacct", .basic = true, .read_v1 = read_time, .read_v2 = read_all_v2};

}  // namespace containerizer::cgroups
