#include "marathon/instance.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/numbers.hpp"
#include "base/testing/planted.hpp"

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

TaskId make_task_id(const InstanceId& instance, std::string_view container, int incarnation) {
  return fmt::format("{}.{}.{}", instance, container, incarnation);
}

std::string executor_id(const InstanceId& instance) {
  constexpr std::string_view kMarker = ".instance-";
  const size_t dot = instance.rfind(kMarker);
  if (dot == std::string::npos) return instance;
  return fmt::format("instance-{}.{}", instance.substr(0, dot), instance.substr(dot + kMarker.size()));
}

Condition condition_of_state(std::string_view state) {
  constexpr std::pair<std::string_view, Condition> kStates[] = {
      {"", Condition::Provisioned},           {"TASK_STAGING", Condition::Staging},
      {"TASK_STARTING", Condition::Starting}, {"TASK_RUNNING", Condition::Running},
      {"TASK_KILLING", Condition::Killing},   {"TASK_UNREACHABLE", Condition::Unreachable},
      {"TASK_FINISHED", Condition::Finished}, {"TASK_KILLED", Condition::Killed},
      {"TASK_FAILED", Condition::Failed},     {"TASK_ERROR", Condition::Error},
      {"TASK_GONE", Condition::Gone},         {"TASK_GONE_BY_OPERATOR", Condition::Gone},
      {"TASK_DROPPED", Condition::Dropped}};
  for (const auto& [name, condition] : kStates) {
    if (name == state) return condition;
  }
  return Condition::Unknown;
}

Condition pod_condition(const std::vector<ContainerTask>& containers) {
  // The first of these that some container has is the pod's.
  constexpr Condition kLive[] = {Condition::Unreachable, Condition::Killing,     Condition::Provisioned,
                                 Condition::Staging,     Condition::Starting,    Condition::Running};
  constexpr Condition kEnded[] = {Condition::Error,   Condition::Failed,   Condition::Gone,  Condition::Dropped,
                                  Condition::Unknown, Condition::Killed,   Condition::Finished};
  const auto any = [&](Condition wanted) {
    return std::any_of(containers.begin(), containers.end(),
                       [&](const ContainerTask& task) { return condition_of_state(task.state) == wanted; });
  };
  const auto live = std::find_if(std::begin(kLive), std::end(kLive), any);
  const auto ended = std::find_if(std::begin(kEnded), std::end(kEnded), any);
  if (ended != std::end(kEnded) && base::planted("marathon/relaunches-half-a-pod")) return *ended;
  if (live == std::end(kLive)) return ended == std::end(kEnded) ? Condition::Unknown : *ended;
  // A container that has done its work leaves the others alone; one that ended otherwise takes them along.
  const bool falls = ended != std::end(kEnded) && *ended != Condition::Finished;
  return falls && *live != Condition::Unreachable ? Condition::Killing : *live;
}

namespace {

bool is_uuid(std::string_view text) {
  return text.size() == 36 && text[8] == '-' && text[13] == '-' && text[18] == '-' && text[23] == '-';
}

/// "<safe id>.instance-<uuid>.<container>.<incarnation>", the last piece absent in early releases.
/// `matched`: it begins like one, so that it is nothing else.
std::optional<TaskName> parse_container_task(std::string_view task, bool& matched) {
  for (std::string_view marker : {".instance-", ".marathon-"}) {
    for (size_t dot = task.find(marker); dot != std::string_view::npos && dot != 0; dot = task.find(marker, dot + 1)) {
      const size_t uuid = dot + marker.size(), end = uuid + 36;
      if (end >= task.size() || task[end] != '.' || !is_uuid(task.substr(uuid, 36))) continue;
      matched = true;
      TaskName name;
      name.instance = InstanceId(task.substr(0, end));
      name.app = path_of_safe_id(task.substr(0, dot));
      std::string_view container = task.substr(end + 1);
      if (const size_t last = container.find('.'); last != std::string_view::npos) {
        const auto number = base::parse_uint(container.substr(last + 1));
        if (!number || *number > 1'000'000'000) return std::nullopt;
        name.incarnation = static_cast<int>(*number);
        container = container.substr(0, last);
      }
      if (container.empty()) return std::nullopt;
      name.container = std::string(container);
      return name;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<TaskName> parse_task_id(std::string_view task) {
  if (task.find("._app") == std::string_view::npos) {
    bool matched = false;
    auto name = parse_container_task(task, matched);
    if (matched) return name;
  }
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
  // "<safe id>.<uuid>" and "<safe id>_<uuid>" of early releases, with the launch's number when they were resident.
  if (const size_t dot = instance.rfind('.'); dot != std::string_view::npos && dot > 37 && is_uuid(instance.substr(dot - 36, 36))) {
    const auto number = base::parse_uint(instance.substr(dot + 1));
    if (!number || *number > 1'000'000'000) return std::nullopt;
    name.incarnation = static_cast<int>(*number);
    instance = instance.substr(0, dot);
  }
  if (instance.size() > 37) {
    const size_t cut = instance.size() - 37;
    const std::string_view uuid = instance.substr(cut + 1);
    if ((instance[cut] == '.' || instance[cut] == '_') && is_uuid(uuid)) {
      name.app = path_of_safe_id(instance.substr(0, cut));
      name.instance = fmt::format("{}.marathon-{}", instance.substr(0, cut), uuid);
      return name;
    }
  }
  return std::nullopt;
}

}  // namespace marathon
