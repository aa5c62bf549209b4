// Fields that definitions of apps and of pods share: what a launch asks of its agent beside resources.

#include "marathon/definition_fields.hpp"

#include <boost/json.hpp>

#include "base/json/writer.hpp"
#include "marathon/app_json.hpp"
#include "marathon/pod_json.hpp"

namespace marathon {

namespace json = boost::json;
using base::json::Writer;

namespace {

constexpr std::array<std::string_view, 3> kDiskTypes = {"root", "path", "mount"};
constexpr int64_t kMaxMegabytes = int64_t{1} << 40;

/// One constraint of a volume: [field, operator, value].
void read_volume_constraint(const json::value& row, const std::string& path, PersistentDisk& out, Violations& rules) {
  std::vector<std::string> pieces;
  if (row.is_array()) {
    for (const json::value& piece : row.get_array()) pieces.push_back(piece.is_string() ? std::string(piece.get_string()) : "");
  }
  if (pieces.empty()) return rules.add(path, "Missing field and operator");
  if (pieces.size() != 3 || pieces[0] != "path") {
    return rules.add(path, "Unsupported constraint: give 'path', LIKE or UNLIKE, and a pattern");
  }
  const auto op = parse_operator(pieces[1]);
  if (!op) return rules.add(path, "unknown constraint operator " + pieces[1]);
  out.constraints.push_back({pieces[0], *op, pieces[2]});
}

}  // namespace

PersistentDisk read_persistent(const Fields& fields, Violations& rules) {
  PersistentDisk disk;
  if (!fields.has("size")) fields.fail("size", "error.path.missing");
  fields.get_int("size", disk.size_mb, 0, kMaxMegabytes);
  if (fields.has("maxSize")) fields.get_int("maxSize", disk.max_size_mb.emplace(), 0, kMaxMegabytes);
  fields.get("profileName", disk.profile_name);
  size_t type = disk.profile_name ? 2 : 0;
  fields.get_choice("type", {kDiskTypes[0], kDiskTypes[1], kDiskTypes[2]}, type);
  disk.type = static_cast<DiskType>(type);
  const json::value* constraints = fields.find("constraints");
  if (!constraints) return disk;
  if (!constraints->is_array()) {
    fields.fail("constraints", "error.expected.jsarray");
    return disk;
  }
  size_t index = 0;
  for (const json::value& row : constraints->get_array()) {
    read_volume_constraint(row, fields.path_of("constraints") + "(" + std::to_string(index++) + ")", disk, rules);
  }
  return disk;
}

void write_constraints(Writer& w, const std::vector<Constraint>& constraints) {
  w.key("constraints");
  w.begin_array();
  for (const Constraint& constraint : constraints) {
    w.begin_array();
    w.value(constraint.field);
    w.value(operator_name(constraint.op));
    if (constraint.value) w.value(*constraint.value);
    w.end_array();
  }
  w.end_array();
}

void write_persistent(Writer& w, const PersistentDisk& disk) {
  w.key("persistent");
  w.begin_object();
  w.field("size", disk.size_mb);
  if (disk.max_size_mb) w.field("maxSize", *disk.max_size_mb);
  w.field("type", kDiskTypes[static_cast<size_t>(disk.type)]);
  if (disk.profile_name) w.field("profileName", *disk.profile_name);
  write_constraints(w, disk.constraints);
  w.end_object();
}

void read_linux_info(const Fields& fields, std::optional<LinuxInfo>& out) {
  fields.get_object("linuxInfo", [&](const Fields& item) {
    LinuxInfo info;
    item.get_object("seccomp", [&](const Fields& of) {
      Seccomp& seccomp = info.seccomp.emplace();
      of.get("profileName", seccomp.profile_name);
      of.get("unconfined", seccomp.unconfined);
    });
    item.get_object("ipcInfo", [&](const Fields& of) {
      IpcInfo& ipc = info.ipc.emplace();
      size_t mode = 0;
      if (!of.has("mode")) of.fail("mode", "error.path.missing");
      of.get_choice("mode", {"PRIVATE", "SHARE_PARENT"}, mode);
      ipc.share_parent = mode == 1;
      of.get_int("shmSize", ipc.shm_size_mb, 0, std::numeric_limits<int32_t>::max());
    });
    if (info != LinuxInfo()) out = std::move(info);
  });
}

void write_linux_info(Writer& w, const LinuxInfo& info) {
  w.key("linuxInfo");
  w.begin_object();
  if (info.seccomp) {
    w.key("seccomp");
    w.begin_object();
    if (info.seccomp->profile_name) w.field("profileName", *info.seccomp->profile_name);
    w.field("unconfined", info.seccomp->unconfined);
    w.end_object();
  }
  if (info.ipc) {
    w.key("ipcInfo");
    w.begin_object();
    w.field("mode", info.ipc->share_parent ? "SHARE_PARENT" : "PRIVATE");
    if (info.ipc->shm_size_mb) w.field("shmSize", *info.ipc->shm_size_mb);
    w.end_object();
  }
  w.end_object();
}

void read_command(const Fields& fields, CommandLine& out) {
  if (!fields.has("command")) return fields.fail("command", "error.path.missing");
  fields.get_object("command", [&](const Fields& item) {
    item.get("shell", out.shell);
    if (out.shell && out.shell->empty()) item.fail("shell", "error.minLength");
    const bool argv = item.get("argv", out.argv);
    if (argv && out.argv.empty()) item.fail("argv", "error.minLength");
    if (item.has("shell") == item.has("argv")) fields.fail("command", "must have either 'shell' or 'argv'");
  });
}

void write_command(Writer& w, const CommandLine& command) {
  w.key("command");
  w.begin_object();
  if (command.shell) {
    w.field("shell", *command.shell);
  } else {
    write_strings(w, "argv", command.argv);
  }
  w.end_object();
}

void read_check(const Fields& fields, bool pod, std::optional<Check>& out, Violations& rules) {
  fields.get_object("check", [&](const Fields& item) {
    if (item.object().empty()) return;
    Check check;
    int kinds = 0;
    for (const auto& [name, kind] : {std::pair{"http", CheckKind::Http}, std::pair{"tcp", CheckKind::Tcp}}) {
      item.get_object(name, [&](const Fields& of) {
        check.kind = kind;
        ++kinds;
        if (pod) {
          if (!of.get("endpoint", check.endpoint) && !of.has("endpoint")) of.fail("endpoint", "error.path.missing");
        } else {
          of.get_int("port", check.port, 0, kMaxPort);
          of.get_int("portIndex", check.port_index, 0, kMaxPort);
        }
        if (kind == CheckKind::Tcp) return;
        of.get("path", check.path);
        if (check.path && check.path->empty()) of.fail("path", "error.minLength");
        size_t scheme = 0;
        of.get_choice("scheme", {"HTTP", "HTTPS"}, scheme);
        if (scheme == 1) rules.add(of.path_of("scheme"), "checks speak HTTP only: the scheme HTTPS is for health checks");
      });
    }
    item.get_object("exec", [&](const Fields& of) {
      check.kind = CheckKind::Command;
      ++kinds;
      read_command(of, check.command);
    });
    if (kinds != 1) rules.add(item.path(), "Only one of http, tcp, or command may be specified");
    item.get_int("intervalSeconds", check.interval_seconds);
    item.get_int("timeoutSeconds", check.timeout_seconds);
    item.get_int("delaySeconds", check.delay_seconds);
    out = std::move(check);
  });
}

void write_check(Writer& w, const Check& check) {
  w.key("check");
  w.begin_object();
  w.key(check.kind == CheckKind::Http ? "http" : check.kind == CheckKind::Tcp ? "tcp" : "exec");
  w.begin_object();
  if (check.kind == CheckKind::Command) {
    write_command(w, check.command);
  } else if (!check.endpoint.empty()) {
    w.field("endpoint", check.endpoint);
  }
  if (check.port) w.field("port", *check.port);
  if (check.port_index) w.field("portIndex", *check.port_index);
  if (check.path) w.field("path", *check.path);
  if (check.kind == CheckKind::Http) w.field("scheme", "HTTP");
  w.end_object();
  w.field("intervalSeconds", check.interval_seconds);
  w.field("timeoutSeconds", check.timeout_seconds);
  w.field("delaySeconds", check.delay_seconds);
  w.end_object();
}

void read_pull_config(const Fields& fields, std::string& secret) {
  fields.get_object("pullConfig", [&](const Fields& item) {
    if (!item.has("secret")) return item.fail("secret", "error.path.missing");
    if (item.get("secret", secret) && secret.empty()) item.fail("secret", "error.minLength");
  });
}

void write_pull_config(Writer& w, const std::string& secret) {
  w.key("pullConfig");
  w.begin_object();
  w.field("secret", secret);
  w.end_object();
}

void read_executor_resources(const Fields& fields, ExecutorResources& out) {
  fields.get("cpus", out.cpus, 0.1, kMaxAmount);
  fields.get("mem", out.mem, 32, kMaxAmount);
  fields.get("disk", out.disk, 10, kMaxAmount);
}

void write_executor_resources(Writer& w, const ExecutorResources& resources) {
  w.key("executorResources");
  w.begin_object();
  write_number_field(w, "cpus", resources.cpus);
  write_number_field(w, "mem", resources.mem);
  write_number_field(w, "disk", resources.disk);
  w.end_object();
}

}  // namespace marathon
