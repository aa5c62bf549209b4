#include "cli/job.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "cli/cron.hpp"
#include "cli/json_text.hpp"

namespace cli {
namespace {

namespace json = boost::json;

constexpr const char* kNever = "R0/2000-01-01T00:00:00Z/PT24H";  // runs by hand only
constexpr int64_t kRetriesWithoutEnd = 1'000'000;
constexpr int64_t kDefaultStartingDeadline = 900;
constexpr int64_t kDefaultLaunchDelay = 3600;

base::Error cannot(const std::string& field, const std::string& why) {
  return base::invalid(fmt::format("{}: {}", field, why));
}

bool is_empty(const json::value& value) {
  return value.is_null() || (value.is_array() && value.get_array().empty()) ||
         (value.is_object() && value.get_object().empty()) || (value.is_string() && value.get_string().empty());
}

/// Only these members may be there, or be empty.
base::Status only(const json::object& object, const std::string& path, std::initializer_list<std::string_view> names) {
  for (const auto& member : object) {
    if (std::find(names.begin(), names.end(), std::string_view(member.key())) != names.end()) continue;
    if (is_empty(member.value())) continue;
    return cannot(path + std::string(member.key()), "not supported by this scheduler; leave it out");
  }
  return {};
}

base::Result<int64_t> whole(const json::value& root, std::string_view pointer, int64_t fallback) {
  const json::value* value = base::json::find(root, pointer);
  if (!value || value->is_null()) return fallback;
  return base::json::get_int(root, pointer);
}

base::Status map_environment(const json::value& run, json::object& job) {
  const json::value* env = base::json::find(run, "/env");
  if (!env || is_empty(*env)) return {};
  if (!env->is_object()) return cannot("run.env", "must be an object");
  json::array variables;
  for (const auto& member : env->get_object()) {
    if (!member.value().is_string()) {
      return cannot("run.env." + std::string(member.key()), "must be a string; secrets are not supported by this scheduler");
    }
    variables.push_back(json::object{{"name", member.key()}, {"value", member.value()}});
  }
  job["environmentVariables"] = std::move(variables);
  return {};
}

base::Status map_constraints(const json::value& run, json::object& job) {
  json::array constraints;
  base::Status status;
  size_t index = 0;
  each_at(run, "/placement/constraints", [&](const json::value& constraint) {
    const std::string path = fmt::format("run.placement.constraints[{}]", index++);
    std::string attribute = text_at(constraint, "/attribute"), op = base::to_upper(text_at(constraint, "/operator"));
    if (attribute == "@hostname") attribute = "hostname";
    if (op == "IS" || op == "EQ") op = "EQUALS";
    if (attribute.empty()) status = cannot(path + ".attribute", "is required");
    if (op != "EQUALS" && op != "LIKE" && op != "UNLIKE") status = cannot(path + ".operator", "use IS, LIKE or UNLIKE");
    constraints.push_back(json::array{json::value(attribute), json::value(op), json::value(text_at(constraint, "/value"))});
  });
  if (!constraints.empty()) job["constraints"] = std::move(constraints);
  return status;
}

base::Status map_container(const json::value& run, json::object& job) {
  const json::value* docker = base::json::find(run, "/docker");
  const json::value* ucr = base::json::find(run, "/ucr");
  const bool has_docker = docker && !is_empty(*docker), has_ucr = ucr && !is_empty(*ucr);
  const json::value* volumes = base::json::find(run, "/volumes");
  if (!has_docker && !has_ucr) {
    if (volumes && !is_empty(*volumes)) return cannot("run.volumes", "needs run.docker or run.ucr");
    return {};
  }
  if (has_docker && has_ucr) return cannot("run", "docker and ucr cannot both be given");
  json::object container;
  if (has_docker) {
    if (!docker->is_object()) return cannot("run.docker", "must be an object");
    if (flag_at(*docker, "/privileged")) return cannot("run.docker.privileged", "not supported by this scheduler");
    container = {{"type", "DOCKER"}, {"image", text_at(*docker, "/image")}};
    container["forcePullImage"] = flag_at(*docker, "/forcePullImage");
    if (const auto* parameters = base::json::find(*docker, "/parameters")) container["parameters"] = *parameters;
  } else {
    if (!ucr->is_object()) return cannot("run.ucr", "must be an object");
    if (flag_at(*ucr, "/privileged")) return cannot("run.ucr.privileged", "not supported by this scheduler");
    if (text_at(*ucr, "/image/kind", "docker") != "docker") return cannot("run.ucr.image.kind", "only docker is supported");
    container = {{"type", "MESOS"}, {"image", text_at(*ucr, "/image/id")}};
    container["forcePullImage"] = flag_at(*ucr, "/image/forcePull");
  }
  if (volumes && volumes->is_array()) {
    for (const json::value& volume : volumes->get_array()) {
      if (volume.is_object() && volume.get_object().contains("secret")) return cannot("run.volumes", "secrets are not supported");
    }
    container["volumes"] = *volumes;
  }
  job["container"] = std::move(container);
  return {};
}

base::Status map_command(const json::value& run, json::object& job) {
  const std::string cmd = text_at(run, "/cmd");
  const json::value* args = base::json::find(run, "/args");
  const bool has_args = args && args->is_array() && !args->get_array().empty();
  if (!cmd.empty() && has_args) return cannot("run.args", "cannot be given together with run.cmd");
  if (cmd.empty() && !has_args && !job.contains("container")) {
    return cannot("run", "cmd, docker or ucr must be given");
  }
  job["command"] = cmd;
  if (has_args) {
    job["shell"] = false;
    job["arguments"] = *args;
    if (!job.contains("container")) job["command"] = args->get_array()[0];
  } else if (cmd.empty()) {
    job["shell"] = false;
  }
  return {};
}

base::Status map_limits(const json::value& run, json::object& job) {
  ASSIGN_OR_RETURN(const int64_t gpus, whole(run, "/gpus", 0));
  if (gpus != 0) return cannot("run.gpus", "not supported by this scheduler; leave it out");
  ASSIGN_OR_RETURN(const int64_t grace, whole(run, "/taskKillGracePeriodSeconds", 0));
  if (grace != 0) return cannot("run.taskKillGracePeriodSeconds", "not supported by this scheduler; leave it out");
  ASSIGN_OR_RETURN(const int64_t delay, whole(run, "/maxLaunchDelay", kDefaultLaunchDelay));
  if (delay != kDefaultLaunchDelay) {
    return cannot("run.maxLaunchDelay", "not supported by this scheduler; startingDeadlineSeconds of the schedule is");
  }
  const std::string policy = text_at(run, "/restart/policy", "NEVER");
  if (policy != "NEVER" && policy != "ON_FAILURE") return cannot("run.restart.policy", "use NEVER or ON_FAILURE");
  ASSIGN_OR_RETURN(const int64_t deadline, whole(run, "/restart/activeDeadlineSeconds", 0));
  if (deadline != 0) return cannot("run.restart.activeDeadlineSeconds", "not supported by this scheduler; leave it out");
  job["retries"] = policy == "NEVER" ? int64_t{0} : kRetriesWithoutEnd;
  size_t networks = 0;
  each_at(run, "/networks", [&](const json::value& network) { networks += text_at(network, "/mode") != "host"; });
  if (networks > 0) return cannot("run.networks", "only mode host is supported by this scheduler");
  return {};
}

base::Status map_run(const json::value& run, json::object& job) {
  if (!run.is_object()) return cannot("run", "must be an object");
  RETURN_IF_ERROR(only(run.get_object(), "run.",
                       {"cpus", "mem", "disk", "gpus", "cmd", "args", "user", "env", "docker", "ucr", "artifacts", "placement",
                        "maxLaunchDelay", "restart", "taskKillGracePeriodSeconds", "volumes", "networks"}));
  for (const char* name : {"cpus", "mem", "disk"}) {
    if (const auto* amount = base::json::find(run, std::string("/") + name)) job[name] = *amount;
  }
  if (const std::string user = text_at(run, "/user"); !user.empty()) job["runAsUser"] = user;
  json::array fetch;
  each_at(run, "/artifacts", [&](const json::value& artifact) {
    fetch.push_back(json::object{{"uri", text_at(artifact, "/uri")},
                                 {"executable", flag_at(artifact, "/executable")},
                                 {"cache", flag_at(artifact, "/cache")},
                                 {"extract", flag_at(artifact, "/extract", true)}});
  });
  if (!fetch.empty()) job["fetch"] = std::move(fetch);
  RETURN_IF_ERROR(map_environment(run, job));
  RETURN_IF_ERROR(map_constraints(run, job));
  RETURN_IF_ERROR(map_container(run, job));
  RETURN_IF_ERROR(map_command(run, job));
  return map_limits(run, job);
}

}  // namespace

base::Status apply_schedule(const json::value& schedule, const std::string& path, base::Time now, json::object& job) {
  if (!schedule.is_object()) return cannot(path, "must be an object");
  RETURN_IF_ERROR(only(schedule.get_object(), path + ".", {"id", "cron", "timezone", "timeZone", "startingDeadlineSeconds",
                                                           "concurrencyPolicy", "enabled", "nextRunAt"}));
  const std::string cron = text_at(schedule, "/cron");
  if (cron.empty()) return cannot(path + ".cron", "is required");
  const std::string zone = text_at(schedule, "/timezone", text_at(schedule, "/timeZone", "UTC"));
  auto interval = interval_of_cron(cron, zone, now);
  if (!interval) return cannot(path + ".cron", interval.error().message);
  ASSIGN_OR_RETURN(const int64_t deadline, whole(schedule, "/startingDeadlineSeconds", kDefaultStartingDeadline));
  if (deadline < 1) return cannot(path + ".startingDeadlineSeconds", "must be at least 1");
  const std::string policy = text_at(schedule, "/concurrencyPolicy", "ALLOW");
  if (policy != "ALLOW" && policy != "FORBID" && !policy.empty()) {
    return cannot(path + ".concurrencyPolicy", "use ALLOW or FORBID");
  }
  job["schedule"] = *interval;
  job["scheduleTimeZone"] = zone;
  job["epsilon"] = fmt::format("PT{}S", deadline);
  job["concurrent"] = policy != "FORBID";
  job["disabled"] = !flag_at(schedule, "/enabled", true);
  return {};
}

base::Result<json::object> chronos_job(const json::value& definition, base::Time now) {
  if (!definition.is_object()) return base::invalid("a job is a JSON object");
  const json::object& object = definition.get_object();
  if (object.contains("name") && !object.contains("run")) return object;
  if (!object.contains("id")) return base::invalid("id: is required (or name, in the scheduler's own form)");
  RETURN_IF_ERROR(only(object, "", {"id", "description", "dependencies", "schedules", "run"}));
  json::object job{{"name", text_at(definition, "/id")}};
  if (const std::string description = text_at(definition, "/description"); !description.empty()) {
    job["description"] = description;
  }
  if (!object.contains("run")) return base::invalid("run: is required");
  RETURN_IF_ERROR(map_run(object.at("run"), job));
  json::array parents;
  each_at(definition, "/dependencies", [&](const json::value& parent) { parents.emplace_back(text_at(parent, "/id")); });
  const json::value* schedules = base::json::find(definition, "/schedules");
  const size_t count = schedules && schedules->is_array() ? schedules->get_array().size() : 0;
  if (count > 1) return cannot("schedules", "only one schedule is supported");
  if (count > 0 && !parents.empty()) return cannot("schedules", "a job has dependencies or schedules, not both");
  if (!parents.empty()) {
    job["parents"] = std::move(parents);
  } else if (count == 1) {
    RETURN_IF_ERROR(apply_schedule(schedules->get_array()[0], "schedules[0]", now, job));
  } else {
    job["schedule"] = kNever;
  }
  return job;
}

bool is_scheduled(const json::value& job) {
  const std::string schedule = text_at(job, "/schedule");
  return !schedule.empty() && !schedule.starts_with("R0/");
}

std::string next_run(const json::value& job) {
  const std::string schedule = text_at(job, "/schedule");
  const auto pieces = base::split(schedule, '/');
  return pieces.size() == 3 ? std::string(pieces[1]) : "";
}

json::object job_with_run(const json::value& job) {
  const auto whole_number = [](double value) {
    return value == static_cast<double>(static_cast<int64_t>(value)) ? json::value(static_cast<int64_t>(value)) : json::value(value);
  };
  json::object run{{"cpus", number_at(job, "/cpus")}, {"mem", whole_number(number_at(job, "/mem"))},
                   {"disk", whole_number(number_at(job, "/disk"))}, {"gpus", 0}, {"cmd", text_at(job, "/command")}};
  json::object env;
  each_at(job, "/environmentVariables", [&](const json::value& v) { env[text_at(v, "/name")] = text_at(v, "/value"); });
  run["env"] = std::move(env);
  run["user"] = text_at(job, "/runAsUser");
  if (const auto* fetch = base::json::find(job, "/fetch")) run["artifacts"] = *fetch;
  if (const auto* container = base::json::find(job, "/container")) run["container"] = *container;
  run["maxLaunchDelay"] = kDefaultLaunchDelay;
  run["restart"] = json::object{{"policy", number_at(job, "/retries") > 0 ? "ON_FAILURE" : "NEVER"}};
  json::object out{{"id", text_at(job, "/name")}, {"description", text_at(job, "/description")}, {"labels", json::object()},
                   {"run", std::move(run)}};
  json::array dependencies, schedules;
  each_at(job, "/parents", [&](const json::value& parent) { dependencies.push_back(json::object{{"id", parent}}); });
  if (is_scheduled(job)) {
    schedules.push_back(json::object{{"id", "default"},
                                     {"interval", text_at(job, "/schedule")},
                                     {"timezone", text_at(job, "/scheduleTimeZone")},
                                     {"concurrencyPolicy", flag_at(job, "/concurrent") ? "ALLOW" : "FORBID"},
                                     {"enabled", !flag_at(job, "/disabled")},
                                     {"nextRunAt", next_run(job)}});
  }
  const auto moment = [&](const char* pointer) {
    const std::string text = text_at(job, pointer);
    return text.empty() ? json::value(nullptr) : json::value(text);
  };
  out["dependencies"] = std::move(dependencies);
  out["schedules"] = std::move(schedules);
  out["historySummary"] = json::object{{"successCount", static_cast<int64_t>(number_at(job, "/successCount"))},
                                       {"failureCount", static_cast<int64_t>(number_at(job, "/errorCount"))},
                                       {"lastSuccessAt", moment("/lastSuccess")},
                                       {"lastFailureAt", moment("/lastError")}};
  return out;
}

std::string job_path(const std::string& id) { return "/job/" + base::percent_encode(id); }

base::Result<json::value> call_chronos(Client& client, const std::string& method, const std::string& path,
                                       const std::string& body) {
  base::http::Headers headers{{"Accept", "application/json"}};
  if (!body.empty()) headers.set("Content-Type", "application/json");
  const std::string url = "/service/chronos/v1/scheduler" + path;
  ASSIGN_OR_RETURN(auto response, client.send(method, url, body, std::move(headers)));
  if (response.status < 200 || response.status > 299) {
    const auto answer = base::json::parse(response.body);
    const std::string message = answer ? text_at(*answer, "/message") : "";
    return message.empty() ? http_error(response) : base::invalid(message);
  }
  if (base::trim(response.body).empty()) return json::value(nullptr);
  auto value = base::json::parse(response.body);
  if (!value) return json::value(json::string_view(response.body));
  return value;
}

base::Result<json::value> get_job(Client& client, const std::string& id) {
  return call_chronos(client, "GET", job_path(id));
}

base::Status post_job(Client& client, const json::object& job) {
  const json::value* parents = job.if_contains("parents");
  const bool dependent = parents && parents->is_array() && !parents->get_array().empty();
  auto answer = call_chronos(client, "POST", dependent ? "/dependency" : "/iso8601", base::json::render(job));
  if (!answer) return answer.error();
  return {};
}

}  // namespace cli
