#include "marathon/records.hpp"

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/testing/planted.hpp"
#include "marathon/app_json.hpp"
#include "marathon/json_fields.hpp"

namespace marathon {
namespace {

using base::json::Writer;

std::string iso(base::Time time) { return base::render_iso8601(time); }

void write_time(Writer& w, std::string_view key, const std::optional<base::Time>& time) {
  if (time) w.field(key, iso(*time));
}

bool read_time(const Fields& fields, std::string_view key, base::Time& out) {
  std::string text;
  if (!fields.get(key, text)) return false;
  const auto time = base::parse_iso8601(text);
  if (time) out = *time;
  return time.has_value();
}

void read_time(const Fields& fields, std::string_view key, std::optional<base::Time>& out) {
  base::Time time;
  if (read_time(fields, key, time)) out = time;
}

void write_strings(Writer& w, std::string_view key, const std::vector<std::string>& values) {
  w.key(key);
  w.begin_array();
  for (const std::string& value : values) w.value(value);
  w.end_array();
}

void write_labels(Writer& w, std::string_view key, const std::map<std::string, std::string>& labels) {
  w.key(key);
  w.begin_object();
  for (const auto& [name, value] : labels) w.field(name, value);
  w.end_object();
}

/// Parses an object and lets `read` fill the result; any type error makes the record corrupt.
template <class T>
base::Result<T> decode(const std::string& text, std::string_view what,
                       const std::function<void(const Fields&, T&)>& read) {
  auto value = base::json::parse(text);
  if (!value || !value->is_object()) {
    return base::Error{base::Code::Corrupt, std::string(what) + " is not a JSON object"};
  }
  Violations errors;
  T out;
  read(Fields(value->get_object(), "", errors), out);
  if (!errors.empty()) {
    return base::Error{base::Code::Corrupt,
                       std::string(what) + " has a wrong value at " + errors.by_path().begin()->first};
  }
  return out;
}

void write_group(Writer& w, const Group& group) {
  w.begin_object();
  w.field("id", group.id);
  write_strings(w, "dependencies", group.dependencies);
  w.field("version", iso(group.version));
  if (group.enforce_role) w.field("enforceRole", true);
  w.end_object();
}

Group read_group(const Fields& fields) {
  Group group;
  if (!fields.get("id", group.id)) fields.fail("id", "missing");
  fields.get("dependencies", group.dependencies);
  read_time(fields, "version", group.version);
  fields.get("enforceRole", group.enforce_role);
  return group;
}

void write_check(Writer& w, const std::optional<CheckResult>& check) {
  if (!check) return;
  w.key("check");
  w.begin_object();
  w.field("kind", static_cast<int64_t>(check->kind));
  w.field("value", check->value);
  w.end_object();
}

void read_check(const Fields& fields, std::optional<CheckResult>& out) {
  fields.get_object("check", [&](const Fields& item) {
    CheckResult check;
    int64_t kind = 0;
    item.get_int("kind", kind, 0, 2);
    check.kind = static_cast<CheckKind>(kind);
    item.get_int("value", check.value, std::numeric_limits<int32_t>::min());
    out = check;
  });
}

void write_containers(Writer& w, const std::vector<ContainerTask>& containers) {
  w.key("containers");
  w.begin_array();
  for (const ContainerTask& task : containers) {
    if (&task != &containers.front() && base::planted("marathon/stores-one-container")) break;
    w.begin_object();
    w.field("name", task.name);
    w.field("task", task.task_id);
    w.field("state", task.state);
    w.field("since", iso(task.since));
    write_time(w, "startedAt", task.started_at);
    write_check(w, task.check);
    w.key("networks");
    w.begin_array();
    for (const auto& [name, addresses] : task.networks) {
      w.begin_object();
      w.field("name", name);
      write_strings(w, "addresses", addresses);
      w.end_object();
    }
    w.end_array();
    w.end_object();
  }
  w.end_array();
}

ContainerTask read_container(const Fields& fields) {
  ContainerTask task;
  if (!fields.get("name", task.name)) fields.fail("name", "missing");
  if (!fields.get("task", task.task_id)) fields.fail("task", "missing");
  fields.get("state", task.state);
  read_time(fields, "since", task.since);
  read_time(fields, "startedAt", task.started_at);
  read_check(fields, task.check);
  fields.get_objects("networks", [&](const Fields& item) {
    std::pair<std::string, std::vector<std::string>> network;
    item.get("name", network.first);
    item.get("addresses", network.second);
    task.networks.push_back(std::move(network));
  });
  return task;
}

void write_reservation(Writer& w, const Reservation& reservation) {
  w.key("reservation");
  w.begin_object();
  w.field("id", reservation.id);
  w.field("agent", reservation.agent_id);
  if (!reservation.role.empty()) w.field("role", reservation.role);
  w.field("confirmed", reservation.confirmed);
  w.key("volumes");
  w.begin_array();
  for (const LocalVolume& volume : reservation.volumes) {
    w.begin_object();
    w.field("path", volume.container_path);
    w.field("uuid", volume.uuid);
    w.end_object();
  }
  w.end_array();
  w.end_object();
}

Reservation read_reservation(const Fields& fields) {
  Reservation out;
  if (!fields.get("id", out.id)) fields.fail("id", "missing");
  if (!fields.get("agent", out.agent_id)) fields.fail("agent", "missing");
  fields.get("role", out.role);
  fields.get("confirmed", out.confirmed);
  fields.get_objects("volumes", [&](const Fields& item) {
    LocalVolume volume;
    if (!item.get("path", volume.container_path) || !item.get("uuid", volume.uuid)) item.fail("path", "missing");
    out.volumes.push_back(std::move(volume));
  });
  return out;
}

}  // namespace

std::string app_key(const PathId& id, Version version) { return "app:" + id + "@" + iso(version); }
std::string current_key(const PathId& id) { return "current:" + id; }
std::string group_key(const PathId& id) { return "group:" + id; }
std::string instance_key(const InstanceId& id) { return std::string(kInstancePrefix) + id; }
std::string deployment_key(const std::string& id) { return "deployment:" + id; }
std::string failure_key(const PathId& app) { return "failure:" + app; }
std::string release_key(const std::string& reservation) { return std::string(kReleasePrefix) + reservation; }

std::string tree_key(Version version) { return "tree:" + iso(version); }

std::string encode_instance(const Instance& instance) {
  std::string text;
  Writer w(text);
  w.begin_object();
  w.field("id", instance.id);
  w.field("app", instance.app);
  w.field("version", iso(instance.version));
  w.field("condition", condition_name(instance.condition));
  w.field("decommissioned", instance.goal == Goal::Decommissioned);
  if (instance.goal == Goal::Stopped) w.field("stopped", true);
  w.field("incarnation", instance.incarnation);
  w.field("since", iso(instance.since));
  if (!instance.task_id.empty()) {
    w.field("task", instance.task_id);
    w.field("agent", instance.agent_id);
    w.field("hostname", instance.hostname);
    if (!instance.region.empty()) w.field("region", instance.region);
    if (!instance.zone.empty()) w.field("zone", instance.zone);
    w.field("role", instance.role);
    if (!instance.attributes.empty()) write_labels(w, "attributes", instance.attributes);
    w.key("ports");
    w.begin_array();
    for (int port : instance.host_ports) w.value(port);
    w.end_array();
    write_strings(w, "addresses", instance.ip_addresses);
    w.field("state", instance.state);
    if (!instance.containers.empty()) write_containers(w, instance.containers);
    write_time(w, "stagedAt", instance.staged_at);
    write_time(w, "startedAt", instance.started_at);
    write_time(w, "unreachableAt", instance.unreachable_at);
    write_check(w, instance.check);
  }
  if (instance.reservation) write_reservation(w, *instance.reservation);
  w.end_object();
  return text;
}

base::Result<Instance> decode_instance(const std::string& text) {
  return decode<Instance>(text, "the instance", [](const Fields& fields, Instance& out) {
    if (!fields.get("id", out.id)) fields.fail("id", "missing");
    if (!fields.get("app", out.app)) fields.fail("app", "missing");
    read_time(fields, "version", out.version);
    std::string condition;
    fields.get("condition", condition);
    if (const auto parsed = parse_condition(condition)) {
      out.condition = *parsed;
    } else {
      fields.fail("condition", "unknown");
    }
    bool decommissioned = false;
    fields.get("decommissioned", decommissioned);
    bool stopped = false;
    fields.get("stopped", stopped);
    if (stopped) out.goal = Goal::Stopped;
    if (decommissioned) out.goal = Goal::Decommissioned;
    fields.get_object("reservation", [&](const Fields& item) { out.reservation = read_reservation(item); });
    fields.get_int("incarnation", out.incarnation);
    read_time(fields, "since", out.since);
    fields.get("task", out.task_id);
    fields.get("agent", out.agent_id);
    fields.get("hostname", out.hostname);
    fields.get("region", out.region);
    fields.get("zone", out.zone);
    fields.get("role", out.role);
    fields.get("attributes", out.attributes);
    if (const boost::json::value* ports = fields.find("ports"); ports && ports->is_array()) {
      for (const boost::json::value& port : ports->get_array()) {
        int64_t number = 0;
        if (!base::json::to_int(port, number)) fields.fail("ports", "not a number");
        out.host_ports.push_back(static_cast<int>(number));
      }
    }
    fields.get("addresses", out.ip_addresses);
    fields.get("state", out.state);
    fields.get_objects("containers", [&](const Fields& item) { out.containers.push_back(read_container(item)); });
    read_time(fields, "stagedAt", out.staged_at);
    read_time(fields, "startedAt", out.started_at);
    read_time(fields, "unreachableAt", out.unreachable_at);
    read_check(fields, out.check);
  });
}

std::string encode_group(const Group& group) {
  std::string text;
  Writer w(text);
  write_group(w, group);
  return text;
}

base::Result<Group> decode_group(const std::string& text) {
  return decode<Group>(text, "the group",
                       [](const Fields& fields, Group& out) { out = read_group(fields); });
}

std::string encode_deployment(const Deployment& deployment) {
  std::string text;
  Writer w(text);
  w.begin_object();
  w.field("id", deployment.id);
  w.field("version", iso(deployment.version));
  if (deployment.paused) w.field("paused", true);
  if (deployment.rollback) w.field("rollback", true);
  if (deployment.promoted) w.field("promoted", true);
  w.key("changes");
  w.begin_array();
  for (const AppChange& change : deployment.changes) {
    w.begin_object();
    w.field("id", change.id);
    if (change.from) w.field("from", iso(change.from->version));
    if (change.to) w.field("to", iso(change.to->version));
    if (!change.kill_list.empty()) write_strings(w, "kill", change.kill_list);
    w.end_object();
  }
  w.end_array();
  w.key("groups");
  w.begin_array();
  for (const GroupChange& change : deployment.groups) {
    w.begin_object();
    w.field("id", change.id);
    if (change.from) w.key("from"), write_group(w, *change.from);
    if (change.to) w.key("to"), write_group(w, *change.to);
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return text;
}

base::Result<StoredDeployment> decode_deployment(const std::string& text) {
  return decode<StoredDeployment>(
      text, "the deployment", [](const Fields& fields, StoredDeployment& out) {
        if (!fields.get("id", out.deployment.id)) fields.fail("id", "missing");
        read_time(fields, "version", out.deployment.version);
        fields.get("paused", out.deployment.paused);
        fields.get("rollback", out.deployment.rollback);
        fields.get("promoted", out.deployment.promoted);
        fields.get_objects("changes", [&](const Fields& item) {
          StoredChange change;
          item.get("id", change.id);
          read_time(item, "from", change.from);
          read_time(item, "to", change.to);
          item.get("kill", change.kill_list);
          out.changes.push_back(std::move(change));
        });
        fields.get_objects("groups", [&](const Fields& item) {
          GroupChange change;
          item.get("id", change.id);
          item.get_object("from", [&](const Fields& g) { change.from = read_group(g); });
          item.get_object("to", [&](const Fields& g) { change.to = read_group(g); });
          out.deployment.groups.push_back(std::move(change));
        });
      });
}

std::string encode_past_change(const PastChange& change) {
  std::string text;
  Writer w(text);
  w.begin_object();
  w.key("apps");
  w.begin_array();
  for (const auto& [id, from] : change.apps) {
    w.begin_object();
    w.field("id", id);
    if (from) w.key("from"), w.raw(render_app(*from));
    w.end_object();
  }
  w.end_array();
  w.key("groups");
  w.begin_array();
  for (const auto& [id, from] : change.groups) {
    w.begin_object();
    w.field("id", id);
    if (from) w.key("from"), write_group(w, *from);
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return text;
}

base::Result<PastChange> decode_past_change(const std::string& text) {
  return decode<PastChange>(text, "the change of the tree", [](const Fields& fields, PastChange& out) {
    fields.get_objects("apps", [&](const Fields& item) {
      PathId id;
      if (!item.get("id", id)) return item.fail("id", "missing");
      AppPtr from;
      if (const boost::json::value* value = item.find("from")) {
        auto app = parse_stored_app(boost::json::serialize(*value));
        if (!app) return item.fail("from", "no app");
        from = std::make_shared<const App>(std::move(*app));
      }
      out.apps.emplace_back(std::move(id), std::move(from));
    });
    fields.get_objects("groups", [&](const Fields& item) {
      PathId id;
      if (!item.get("id", id)) return item.fail("id", "missing");
      std::optional<Group> from;
      item.get_object("from", [&](const Fields& g) { from = read_group(g); });
      out.groups.emplace_back(std::move(id), std::move(from));
    });
  });
}

std::string encode_failure(const TaskFailure& failure) {
  std::string text;
  Writer w(text);
  w.begin_object();
  w.field("appId", failure.app);
  w.field("host", failure.host);
  w.field("message", failure.message);
  w.field("state", failure.state);
  w.field("taskId", failure.task_id);
  w.field("timestamp", iso(failure.timestamp));
  if (failure.started_at != base::Time()) w.field("startedAt", iso(failure.started_at));
  w.field("version", iso(failure.version));
  if (!failure.agent_id.empty()) w.field("slaveId", failure.agent_id);
  w.end_object();
  return text;
}

base::Result<TaskFailure> decode_failure(const std::string& text) {
  return decode<TaskFailure>(text, "the task failure", [](const Fields& fields, TaskFailure& out) {
    fields.get("appId", out.app);
    fields.get("host", out.host);
    fields.get("message", out.message);
    fields.get("state", out.state);
    fields.get("taskId", out.task_id);
    fields.get("slaveId", out.agent_id);
    read_time(fields, "timestamp", out.timestamp);
    read_time(fields, "startedAt", out.started_at);
    read_time(fields, "version", out.version);
  });
}

}  // namespace marathon
