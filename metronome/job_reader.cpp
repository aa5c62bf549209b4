// A definition from JSON: the schema, field by field.

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "base/json/value.hpp"
#include "metronome/job.hpp"

namespace metronome {
namespace {

namespace json = boost::json;

constexpr size_t kMostText = 64 << 10;
constexpr size_t kMostElements = 1000;
constexpr int64_t kMostSeconds = int64_t{1} << 33;  // 270 years
constexpr double kMostAmount = 1e9;

std::string at(std::string_view path, std::string_view name) {
  return std::string(path) + "/" + base::json::escape_pointer(name);
}

/// One object of the definition: typed fields, and problems under its path.
class Fields {
 public:
  Fields(const json::value& value, std::string path, Problems& problems) : path_(std::move(path)), problems_(problems) {
    object_ = value.if_object();
    if (!object_) problems_.add(path_, fmt::format("Wrong type. Expected object, was {}.", kind(value)));
  }

  const json::value* find(std::string_view name) const { return object_ ? object_->if_contains(name) : nullptr; }
  const std::string& path() const { return path_; }
  std::string path(std::string_view name) const { return at(path_, name); }
  void fail(std::string_view name, std::string error) const { problems_.add(path(name), std::move(error)); }
  Problems& problems() const { return problems_; }

  void require(std::initializer_list<std::string_view> names) const {
    if (!object_) return;
    for (std::string_view name : names) {
      if (!object_->if_contains(name)) problems_.add(path_, fmt::format("Property {} missing.", name));
    }
  }

  /// Others are an error.
  void allow(std::initializer_list<std::string_view> names) const {
    if (!object_) return;
    for (const auto& member : *object_) {
      const std::string_view name = member.key();
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      problems_.add(path_, fmt::format("Additional properties are not allowed but found '{}'.", name));
    }
  }

  bool text(std::string_view name, std::string& out, size_t least = 0) const {
    const json::value* value = find(name);
    if (!value) return false;
    if (!value->is_string()) return wrong(name, *value, "string"), false;
    out = std::string(std::string_view(value->get_string()));
    if (out.size() > kMostText) return fail(name, "is longer than 65536 bytes."), false;
    // It may become a part of a path, a variable or an argument.
    if (out.find('\0') != std::string::npos) return fail(name, "must not hold a character NUL."), false;
    if (out.size() < least) return fail(name, fmt::format("'{}' does not match minimum length of {}.", out, least)), false;
    return true;
  }

  void text(std::string_view name, std::optional<std::string>& out, size_t least = 0) const {
    std::string read;
    if (text(name, read, least)) out = std::move(read);
  }

  void flag(std::string_view name, bool& out) const {
    const json::value* value = find(name);
    if (!value) return;
    if (!value->is_bool()) return wrong(name, *value, "boolean");
    out = value->get_bool();
  }

  bool integer(std::string_view name, int64_t least, int64_t& out) const {
    const json::value* value = find(name);
    if (!value) return false;
    int64_t read = 0;
    if (!value->is_number() || !base::json::to_int(*value, read)) return wrong(name, *value, "integer"), false;
    if (read < least) return fail(name, fmt::format("{} is smaller than required minimum value of {}.", read, least)), false;
    if (read > kMostSeconds) return fail(name, fmt::format("{} is larger than {}.", read, kMostSeconds)), false;
    out = read;
    return true;
  }

  void amount(std::string_view name, double least, double& out) const {
    const json::value* value = find(name);
    if (!value) return;
    double read = 0;
    if (!value->is_number() || !base::json::to_double(*value, read)) return wrong(name, *value, "number");
    if (!(read >= least)) return fail(name, fmt::format("{} is smaller than required minimum value of {}.", read, least));
    if (read > kMostAmount) return fail(name, fmt::format("{} is larger than {}.", read, kMostAmount));
    out = read;
  }

  template <class Visit>
  void each(std::string_view name, const Visit& visit) const {
    const json::value* value = find(name);
    if (!value) return;
    if (!value->is_array()) return wrong(name, *value, "array");
    if (value->get_array().size() > kMostElements) return fail(name, fmt::format("has more than {} elements.", kMostElements));
    size_t index = 0;
    for (const json::value& element : value->get_array()) visit(element, fmt::format("{}/{}", path(name), index++));
  }

  template <class Visit>
  void members(std::string_view name, const Visit& visit) const {
    const json::value* value = find(name);
    if (!value) return;
    if (!value->is_object()) return wrong(name, *value, "object");
    if (value->get_object().size() > kMostElements) return fail(name, fmt::format("has more than {} members.", kMostElements));
    for (const auto& member : value->get_object()) visit(std::string(member.key()), member.value(), at(path(name), member.key()));
  }

  void texts(std::string_view name, std::map<std::string, std::string>& out) const {
    members(name, [&](std::string key, const json::value& value, const std::string& where) {
      if (value.is_string()) {
        out.emplace(std::move(key), std::string(std::string_view(value.get_string())));
      } else {
        problems_.add(where, fmt::format("Wrong type. Expected string, was {}.", kind(value)));
      }
    });
  }

  template <class E>
  void choice(std::string_view name, std::initializer_list<std::pair<std::string_view, E>> choices, E& out) const {
    std::string read;
    if (!text(name, read)) return;
    std::string known;
    for (const auto& [word, value] : choices) {
      if (read == word) return void(out = value);
      known += (known.empty() ? "\"" : ",\"") + std::string(word) + "\"";
    }
    fail(name, fmt::format("Instance value \"{}\" is invalid; it must be one of [{}].", read, known));
  }

  static std::string_view kind(const json::value& value) {
    if (value.is_null()) return "null";
    if (value.is_bool()) return "boolean";
    if (value.is_string()) return "string";
    if (value.is_array()) return "array";
    return value.is_object() ? "object" : "number";
  }

 private:
  void wrong(std::string_view name, const json::value& value, std::string_view wanted) const {
    fail(name, fmt::format("Wrong type. Expected {}, was {}.", wanted, kind(value)));
  }

  const json::object* object_ = nullptr;
  std::string path_;
  Problems& problems_;
};

bool is_segment(std::string_view text) {
  return !text.empty() && text.front() != '-' && text.back() != '-' &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string_view::npos;
}

void read_id(const Fields& fields, std::string_view name, std::string& out) {
  if (!fields.text(name, out)) return;
  if (is_job_id(out)) return;
  fields.fail(name, fmt::format("'{}' is no id: names of lower-case letters, digits and dashes, joined by dots.", out));
}

void read_env(const Fields& run, RunSpec& out) {
  run.members("env", [&](const std::string& key, const json::value& value, const std::string& where) {
    if (key.empty() || key.find('=') != std::string::npos || key.find('\0') != std::string::npos) {
      return run.problems().add(where, "is no name of a variable.");
    }
    if (value.is_string()) {
      out.env.emplace(key, std::string(std::string_view(value.get_string())));
      return;
    }
    const Fields secret(value, where, run.problems());
    std::string name;
    secret.require({"secret"});
    if (secret.text("secret", name)) out.env_secrets.emplace(key, std::move(name));
  });
}

void read_containers(const Fields& run, RunSpec& out) {
  if (const json::value* value = run.find("docker")) {
    const Fields fields(*value, run.path("docker"), run.problems());
    Docker docker;
    fields.allow({"image", "forcePullImage", "privileged", "parameters"});
    fields.require({"image"});
    fields.text("image", docker.image);
    fields.flag("forcePullImage", docker.force_pull);
    fields.flag("privileged", docker.privileged);
    fields.each("parameters", [&](const json::value& element, const std::string& where) {
      const Fields item(element, where, run.problems());
      std::pair<std::string, std::string> pair;
      item.allow({"key", "value"});
      item.require({"key", "value"});
      item.text("key", pair.first);
      item.text("value", pair.second);
      docker.parameters.push_back(std::move(pair));
    });
    out.docker = std::move(docker);
  }
  if (const json::value* value = run.find("ucr")) {
    const Fields fields(*value, run.path("ucr"), run.problems());
    Ucr ucr;
    fields.allow({"image", "privileged"});
    fields.require({"image"});
    fields.flag("privileged", ucr.privileged);
    if (const json::value* image = fields.find("image")) {
      const Fields item(*image, fields.path("image"), run.problems());
      item.allow({"id", "kind", "forcePull"});
      item.require({"id"});
      item.text("id", ucr.image);
      item.choice<std::string>("kind", {{"docker", "docker"}, {"appc", "appc"}}, ucr.kind);
      item.flag("forcePull", ucr.force_pull);
    }
    out.ucr = std::move(ucr);
  }
}

void read_volumes(const Fields& run, RunSpec& out) {
  run.each("volumes", [&](const json::value& element, const std::string& where) {
    const Fields item(element, where, run.problems());
    Volume volume;
    item.allow({"containerPath", "hostPath", "mode", "secret"});
    item.require({"containerPath"});
    item.text("containerPath", volume.container_path, 1);
    const bool host = item.text("hostPath", volume.host_path, 1);
    const bool secret = item.text("secret", volume.secret, 1);
    const bool mode = item.find("mode") != nullptr;
    item.choice("mode", {{"RO", false}, {"RW", true}}, volume.read_write);
    if (host == secret || mode != host) {
      run.problems().add(where, "is neither a volume of the host (containerPath, hostPath, mode) nor one of a secret "
                                "(containerPath, secret).");
    }
    out.volumes.push_back(std::move(volume));
  });
}

void read_placement(const Fields& run, RunSpec& out) {
  const json::value* value = run.find("placement");
  if (!value) return;
  const Fields placement(*value, run.path("placement"), run.problems());
  placement.allow({"constraints"});
  placement.each("constraints", [&](const json::value& element, const std::string& where) {
    using Op = jobs::ConstraintOperator;
    const Fields item(element, where, run.problems());
    PlacementConstraint constraint;
    item.allow({"attribute", "operator", "value"});
    item.require({"attribute", "operator"});
    item.text("attribute", constraint.attribute);
    item.choice("operator", {{"IS", Op::Equals}, {"EQ", Op::Equals}, {"LIKE", Op::Like}, {"UNLIKE", Op::Unlike}}, constraint.op);
    item.text("value", constraint.value);
    out.constraints.push_back(std::move(constraint));
  });
}

void read_networks(const Fields& run, RunSpec& out) {
  run.each("networks", [&](const json::value& element, const std::string& where) {
    const Fields item(element, where, run.problems());
    Network network;
    item.allow({"name", "mode", "labels"});
    item.require({"mode"});
    item.text("name", network.name);
    item.choice("mode", {{"host", NetworkMode::Host}, {"container/bridge", NetworkMode::Bridge}, {"container", NetworkMode::Container}},
                network.mode);
    item.texts("labels", network.labels);
    out.networks.push_back(std::move(network));
  });
}

void read_artifacts(const Fields& run, RunSpec& out) {
  run.each("artifacts", [&](const json::value& element, const std::string& where) {
    const Fields item(element, where, run.problems());
    Artifact artifact;
    item.allow({"uri", "executable", "extract", "cache"});
    item.require({"uri"});
    item.text("uri", artifact.uri);
    item.flag("executable", artifact.executable);
    item.flag("extract", artifact.extract);
    item.flag("cache", artifact.cache);
    out.artifacts.push_back(std::move(artifact));
  });
}

void read_restart(const Fields& run, RunSpec& out) {
  const json::value* value = run.find("restart");
  if (!value) return;
  const Fields fields(*value, run.path("restart"), run.problems());
  fields.allow({"policy", "activeDeadlineSeconds"});
  fields.require({"policy"});
  fields.choice("policy", {{"NEVER", false}, {"ON_FAILURE", true}}, out.restart.on_failure);
  int64_t seconds = 0;
  if (fields.integer("activeDeadlineSeconds", 0, seconds)) out.restart.active_deadline_s = seconds;
}

void read_run(const Fields& run, RunSpec& out) {
  run.allow({"args", "artifacts", "cmd", "cpus", "gpus", "disk", "networks", "ucr", "docker", "env", "maxLaunchDelay", "mem",
             "placement", "user", "taskKillGracePeriodSeconds", "restart", "volumes", "secrets"});
  run.require({"cpus", "mem", "disk"});
  run.amount("cpus", 0.01, out.cpus);
  run.amount("mem", 32, out.mem);
  run.amount("disk", 0, out.disk);
  run.integer("gpus", 0, out.gpus);
  run.text("cmd", out.cmd);
  // The command line sends one for jobs that have none.
  if (out.cmd && out.cmd->empty()) out.cmd.reset();
  run.text("user", out.user);
  if (run.find("args")) {
    out.args.emplace();
    run.each("args", [&](const json::value& element, const std::string& where) {
      if (!element.is_string()) return run.problems().add(where, "Wrong type. Expected string.");
      out.args->emplace_back(std::string_view(element.get_string()));
    });
  }
  read_env(run, out);
  read_placement(run, out);
  read_artifacts(run, out);
  run.integer("maxLaunchDelay", 1, out.max_launch_delay_s);
  read_containers(run, out);
  read_volumes(run, out);
  read_restart(run, out);
  double grace = 0;
  if (run.find("taskKillGracePeriodSeconds")) {
    run.amount("taskKillGracePeriodSeconds", 0, grace);
    out.kill_grace_s = static_cast<int64_t>(grace);
  }
  run.members("secrets", [&](const std::string& key, const json::value& value, const std::string& where) {
    const Fields secret(value, where, run.problems());
    std::string source;
    secret.require({"source"});
    if (secret.text("source", source)) out.secrets.emplace(key, std::move(source));
  });
  read_networks(run, out);
}

Schedule read_schedule_at(const json::value& value, const std::string& path, bool narrow, const base::TimeZones& zones,
                          Problems& problems) {
  const Fields fields(value, path, problems);
  Schedule schedule;
  fields.require({"id", "cron"});
  if (fields.text("id", schedule.id)) {
    const bool good = narrow ? is_segment(schedule.id) && schedule.id.size() >= 2 : is_job_id(schedule.id);
    if (!good) fields.fail("id", fmt::format("'{}' is no id: at least two lower-case letters, digits or dashes.", schedule.id));
  }
  std::string text;
  if (fields.text("cron", text)) {
    auto cron = Cron::parse(text);
    if (cron) {
      schedule.cron = std::move(*cron);
    } else {
      fields.fail("cron", fmt::format("Can not read cron expression \"{}\": {}", text, cron.error().message));
    }
  }
  // The command line writes it with a capital letter.
  if (!fields.text("timezone", schedule.zone_id)) fields.text("timeZone", schedule.zone_id);
  if (schedule.zone_id.empty()) schedule.zone_id = "UTC";
  schedule.zone = base::find_zone(schedule.zone_id, zones);
  if (!schedule.zone) fields.fail("timezone", fmt::format("No time zone found with this id: \"{}\"", schedule.zone_id));
  if (fields.integer("startingDeadlineSeconds", 1, schedule.starting_deadline_s) && schedule.starting_deadline_s < 60) {
    fields.fail("startingDeadlineSeconds", fmt::format("got {} seconds, expected 60 seconds or more", schedule.starting_deadline_s));
  }
  fields.choice("concurrencyPolicy", {{"ALLOW", false}, {"FORBID", true}, {"", false}}, schedule.forbid);
  fields.flag("enabled", schedule.enabled);
  return schedule;
}

}  // namespace

bool is_job_id(std::string_view text) {
  if (text.size() > 180) return false;  // it becomes a part of a directory name
  while (true) {
    const size_t dot = text.find('.');
    if (!is_segment(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

Schedule read_schedule(const json::value& value, const base::TimeZones& zones, Problems& problems) {
  return read_schedule_at(value, "", true, zones, problems);
}

Job read_job(const json::value& value, const base::TimeZones& zones, Problems& problems) {
  const Fields fields(value, "", problems);
  Job job;
  fields.allow({"id", "description", "dependencies", "labels", "schedules", "run"});
  fields.require({"id", "run"});
  read_id(fields, "id", job.id);
  fields.text("description", job.description);
  fields.texts("labels", job.labels);
  fields.each("dependencies", [&](const json::value& element, const std::string& where) {
    const Fields item(element, where, problems);
    item.require({"id"});
    read_id(item, "id", job.dependencies.emplace_back());
  });
  fields.each("schedules", [&](const json::value& element, const std::string& where) {
    if (job.schedule) return problems.add("/schedules", "has size 2, expected 1 or less");
    job.schedule = read_schedule_at(element, where, false, zones, problems);
  });
  if (const json::value* run = fields.find("run")) read_run(Fields(*run, "/run", problems), job.run);
  if (problems.none()) check_job(job, problems);
  return job;
}

}  // namespace metronome
