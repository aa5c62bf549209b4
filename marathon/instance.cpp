#include "marathon/instance.hpp"

#include <fmt/format.h>

#include "base/numbers.hpp"

namespace marathon {
namespace {

constexpr std::array<std::string_view, 15> kNames = {
    "Scheduled",           "Provisioned", "Staging", "Starting", "Running", "Unreachable",
    "UnreachableInactive", "Killing",     "Finished", "Killed",  "Failed",  "Error",
    "Gone",                "Dropped",     "Unknown"};

// Offset between the epochs of UUIDs (1582-10-15) and Unix, in units of 100 ns.
constexpr uint64_t kUuidEpoch = 0x01B21DD213814000ULL;

}  // namespace

std::string_view condition_name(Condition condition) {
  return kNames[static_cast<size_t>(condition)];
}

std::optional<Condition> parse_condition(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Condition>(i);
  }
  return std::nullopt;
}

InstanceId make_instance_id(const PathId& app, base::Time now, base::Random& random) {
  const uint64_t time = static_cast<uint64_t>(now.nanos() / 100) + kUuidEpoch;
  const uint64_t entropy = random.next();
  return fmt::format("{}.instance-{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", safe_id(app),
                     time & 0xffffffffU, (time >> 32) & 0xffffU, 0x1000U | ((time >> 48) & 0x0fffU),
                     0x8000U | ((entropy >> 48) & 0x3fffU),
                     // The multicast bit marks a node that is no network card.
                     (entropy & 0xffffffffffffULL) | 0x010000000000ULL);
}

TaskId make_task_id(const InstanceId& instance, int incarnation) {
  return fmt::format("{}._app.{}", instance, incarnation);
}

std::optional<TaskName> parse_task_id(std::string_view task) {
  TaskName name;
  std::string_view instance = task;
  if (const size_t app = task.find("._app"); app != std::string_view::npos) {
    instance = task.substr(0, app);
    const std::string_view rest = task.substr(app + 5);
    if (!rest.empty()) {
      if (rest.front() != '.') return std::nullopt;
      const auto number = base::parse_uint(rest.substr(1));
      if (!number || *number > 1'000'000'000) return std::nullopt;
      name.incarnation = static_cast<int>(*number);
    }
  }
  for (std::string_view marker : {".instance-", ".marathon-"}) {
    const size_t dot = instance.rfind(marker);
    if (dot == std::string_view::npos || dot == 0) continue;
    if (instance.size() == dot + marker.size()) return std::nullopt;
    name.instance = InstanceId(instance);
    name.app = path_of_safe_id(instance.substr(0, dot));
    return name;
  }
  // "<safe id>.<uuid>" and "<safe id>_<uuid>" of early releases.
  if (instance.size() > 37) {
    const size_t cut = instance.size() - 37;
    const std::string_view uuid = instance.substr(cut + 1);
    if ((instance[cut] == '.' || instance[cut] == '_') && uuid[8] == '-' && uuid[13] == '-' &&
        uuid[18] == '-' && uuid[23] == '-') {
      name.app = path_of_safe_id(instance.substr(0, cut));
      name.instance = fmt::format("{}.marathon-{}", instance.substr(0, cut), uuid);
      return name;
    }
  }
  return std::nullopt;
}

}  // namespace marathon
