#include <fmt/format.h>
#include <re2/re2.h>

#include <boost/json.hpp>

#include <cmath>

#include "base/json/value.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "chronos/iso8601_schedule.hpp"
#include "chronos/job.hpp"

namespace chronos {
namespace {

namespace json = boost::json;

constexpr size_t kMostText = 64 << 10;
constexpr size_t kMostElements = 1000;

/// Reads fields of one object and keeps the first problem: "environmentVariables[2].value must be a string, not ...".
class Fields {
 public:
  Fields(const json::object& object, std::string path, base::Status& problem)
      : object_(object), path_(std::move(path)), problem_(problem) {}

  const json::value* find(std::string_view name) const {
    const auto* value = object_.if_contains(name);
    return value && !value->is_null() ? value : nullptr;
  }
  bool has(std::string_view name) const { return find(name) != nullptr; }

  void fail(std::string_view name, const std::string& what) const {
    if (problem_) problem_ = base::invalid(fmt::format("{}{} {}", path_, name, what));
  }

  void text(std::string_view name, std::string& out) const {
    if (const json::value* value = find(name)) string_of(*value, name, out);
  }

  void boolean(std::string_view name, bool& out) const {
    const json::value* value = find(name);
    if (!value) return;
    if (value->is_bool()) {
      out = value->get_bool();
    } else if (value->is_string() && base::iequals(std::string_view(value->get_string()), "true")) {
      out = true;
    } else if (value->is_string() && base::iequals(std::string_view(value->get_string()), "false")) {
      out = false;
    } else {
      wrong(name, *value, "true or false");
    }
  }

  void integer(std::string_view name, int64_t least, int64_t most, int64_t& out) const {
    const json::value* value = find(name);
    if (!value) return;
    int64_t number = 0;
    if (value->is_string()) {
      const auto parsed = base::parse_int(std::string_view(value->get_string()));
      if (!parsed) return wrong(name, *value, "a whole number");
      number = *parsed;
    } else if (!base::json::to_int(*value, number)) {
      return wrong(name, *value, "a whole number");
    }
    if (number < least || number > most) return fail(name, fmt::format("must be from {} to {}, not {}", least, most, number));
    out = number;
  }

  /// A positive amount; 0 leaves the default.
  void amount(std::string_view name, double& out) const {
    const json::value* value = find(name);
    if (!value) return;
    double number = 0;
    if (value->is_string()) {
      const auto parsed = base::parse_double(std::string_view(value->get_string()));
      if (!parsed) return wrong(name, *value, "a number");
      number = *parsed;
    } else if (!base::json::to_double(*value, number)) {
      return wrong(name, *value, "a number");
    }
    if (!std::isfinite(number) || number < 0 || number > 1e9) return fail(name, "must be a number from 0 to 1000000000");
    if (number > 0) out = number;
  }

  void texts(std::string_view name, std::vector<std::string>& out) const {
    each(name, [&](const json::value& element, const std::string& where) {
      std::string item;
      string_of(element, where, item);
      out.push_back(std::move(item));
    });
  }

  template <class Visit>
  void each(std::string_view name, const Visit& visit) const {
    const json::value* value = find(name);
    if (!value) return;
    if (!value->is_array()) return wrong(name, *value, "an array");
    if (value->get_array().size() > kMostElements) return fail(name, fmt::format("has more than {} elements", kMostElements));
    size_t index = 0;
    for (const json::value& element : value->get_array()) visit(element, fmt::format("{}[{}]", name, index++));
  }

  template <class Visit>
  void each_object(std::string_view name, const Visit& visit) const {
    each(name, [&](const json::value& element, const std::string& where) {
      if (!element.is_object()) return wrong(where, element, "an object");
      visit(Fields(element.get_object(), path_ + where + ".", problem_));
    });
  }

  void key_values(std::string_view name, const char* key, const char* value, std::vector<KeyValue>& out) const {
    each_object(name, [&](const Fields& item) {
      KeyValue pair;
      item.required(key, pair.first);
      item.text(value, pair.second);
      out.push_back(std::move(pair));
    });
  }

  void required(std::string_view name, std::string& out) const {
    if (!has(name)) return fail(name, "is required");
    text(name, out);
    if (out.empty()) fail(name, "must not be empty");
  }

  std::optional<Fields> object(std::string_view name) const {
    const json::value* value = find(name);
    if (!value) return std::nullopt;
    if (!value->is_object()) {
      wrong(name, *value, "an object");
      return std::nullopt;
    }
    return Fields(value->get_object(), path_ + std::string(name) + ".", problem_);
  }

  void wrong(std::string_view name, const json::value& value, std::string_view wanted) const {
    fail(name, fmt::format("must be {}, not {}", wanted, base::json::kind_name(value)));
  }

  void string_of(const json::value& value, std::string_view name, std::string& out) const {
    int64_t number = 0;
    if (value.is_string()) {
      out = std::string(value.get_string());
    } else if (base::json::to_int(value, number)) {
      out = std::to_string(number);
    } else if (value.is_double()) {
      out = base::render_double(value.get_double());
    } else {
      return wrong(name, value, "a string");
    }
    if (out.size() > kMostText) fail(name, fmt::format("is longer than {} bytes", kMostText));
    if (out.find('\0') != std::string::npos) fail(name, "must not contain a NUL character");
  }

 private:
  const json::object& object_;
  std::string path_;
  base::Status& problem_;
};

void read_fetch(const Fields& fields, Job& job) {
  std::vector<std::string> uris;
  fields.texts("uris", uris);
  fields.each_object("fetch", [&](const Fields& item) {
    Fetch fetch;
    item.required("uri", fetch.uri);
    item.text("output_file", fetch.output_file);
    item.boolean("executable", fetch.executable);
    item.boolean("cache", fetch.cache);
    item.boolean("extract", fetch.extract);
    job.fetch.push_back(std::move(fetch));
  });
  // What GET shows in both forms may come back so.
  std::vector<std::string> same;
  for (const Fetch& fetch : job.fetch) same.push_back(fetch.uri);
  if (!uris.empty() && !job.fetch.empty() && uris != same) return fields.fail("uris", "and fetch cannot both be given; use fetch");
  if (!uris.empty() && job.fetch.empty()) {
    job.fetch_was_uris = true;
    for (std::string& uri : uris) job.fetch.push_back({std::move(uri), "", false, false, true});
  }
}

void read_constraints(const Fields& fields, Job& job) {
  fields.each("constraints", [&](const json::value& element, const std::string& where) {
    const bool shape = element.is_array() && element.get_array().size() == 3 && element.get_array()[0].is_string() &&
                       element.get_array()[1].is_string() && element.get_array()[2].is_string();
    if (!shape) return fields.fail(where, R"(must be an array of three strings, such as ["rack","EQUALS","r1"])");
    const auto& parts = element.get_array();
    Constraint constraint{std::string(parts[0].get_string()), ConstraintOperator::Equals, std::string(parts[2].get_string())};
    const std::string op = base::to_upper(std::string_view(parts[1].get_string()));
    if (op == "LIKE" || op == "UNLIKE") {
      constraint.op = op == "LIKE" ? ConstraintOperator::Like : ConstraintOperator::Unlike;
      if (!re2::RE2(constraint.value, re2::RE2::Quiet).ok()) {
        return fields.fail(where, fmt::format("has '{}' as value, which is not a regular expression", constraint.value));
      }
    } else if (op != "EQUALS") {
      return fields.fail(where, fmt::format("has operator '{}'; use EQUALS, LIKE or UNLIKE", op));
    }
    job.constraints.push_back(std::move(constraint));
  });
}

void read_networks(const Fields& fields, Container& container) {
  fields.each_object("networkInfos", [&](const Fields& item) {
    NetworkInfo info;
    item.text("name", info.name);
    item.text("protocol", info.protocol);
    item.key_values("labels", "key", "value", info.labels);
    item.each_object("portMappings", [&](const Fields& mapping) {
      PortMapping port;
      int64_t host = 0, inside = 0;
      mapping.integer("hostPort", 0, 65535, host);
      mapping.integer("containerPort", 0, 65535, inside);
      mapping.text("protocol", port.protocol);
      port.host_port = static_cast<uint32_t>(host);
      port.container_port = static_cast<uint32_t>(inside);
      info.port_mappings.push_back(std::move(port));
    });
    container.network_infos.push_back(std::move(info));
  });
}

void read_container(const Fields& job_fields, Job& job) {
  const auto fields = job_fields.object("container");
  if (!fields || !fields->has("image")) return;
  Container container;
  std::string type = "DOCKER";
  fields->text("type", type);
  type = base::to_upper(type);
  if (type != "DOCKER" && type != "MESOS") fields->fail("type", fmt::format("is '{}'; use DOCKER or MESOS", type));
  container.docker = type == "DOCKER";
  fields->required("image", container.image);
  fields->text("network", container.network);
  container.network = base::to_upper(container.network);
  if (container.network != "HOST" && container.network != "BRIDGE" && container.network != "USER") {
    fields->fail("network", fmt::format("is '{}'; use HOST, BRIDGE or USER", container.network));
  }
  fields->text("networkName", container.network_name);
  read_networks(*fields, container);
  fields->boolean("forcePullImage", container.force_pull_image);
  fields->key_values("parameters", "key", "value", container.parameters);
  fields->each_object("volumes", [&](const Fields& item) {
    Volume volume;
    item.required("containerPath", volume.container_path);
    item.text("hostPath", volume.host_path);
    std::string mode = "RO";
    item.text("mode", mode);
    mode = base::to_upper(mode);
    if (mode != "RO" && mode != "RW") item.fail("mode", fmt::format("is '{}'; use RO or RW", mode));
    volume.read_write = mode == "RW";
    if (item.has("external")) item.fail("external", "is not supported: external volumes need a volume driver");
    container.volumes.push_back(std::move(volume));
  });
  job.container = std::move(container);
}

void read_time(const Fields& fields, std::string_view name, std::optional<base::Time>& out) {
  std::string text;
  fields.text(name, text);
  if (text.empty()) return;
  const auto time = base::parse_iso8601(text);
  if (!time) return fields.fail(name, fmt::format("is '{}', not a time such as 2014-03-08T20:00:00.000Z", text));
  out = *time;
}

void read_counters(const Fields& fields, JobBody& body) {
  constexpr int64_t kMost = int64_t{1} << 53;
  Counters counters;
  fields.integer("successCount", 0, kMost, counters.successes);
  fields.integer("errorCount", 0, kMost, counters.errors);
  fields.integer("errorsSinceLastSuccess", 0, kMost, counters.errors_since_success);
  read_time(fields, "lastSuccess", counters.last_success);
  read_time(fields, "lastError", counters.last_error);
  for (const char* name : {"successCount", "errorCount", "errorsSinceLastSuccess", "lastSuccess", "lastError"}) {
    if (fields.has(name)) body.counters = counters;
  }
}

void read_fields(const Fields& fields, const JobDefaults& defaults, JobBody& body) {
  Job& job = body.job;
  fields.required("name", job.name);
  fields.text("command", job.command);
  fields.boolean("shell", job.shell);
  fields.texts("arguments", job.arguments);
  body.has_schedule = fields.has("schedule");
  body.has_parents = fields.has("parents");
  fields.text("schedule", job.schedule);
  fields.text("scheduleTimeZone", job.schedule_time_zone);
  std::vector<std::string> parents;
  fields.texts("parents", parents);
  job.parents.insert(parents.begin(), parents.end());
  job.epsilon = defaults.epsilon;
  fields.text("epsilon", job.epsilon);
  if (!job.epsilon.empty()) {
    const auto length = parse_epsilon(job.epsilon);
    if (!length) {
      fields.fail("epsilon", fmt::format("is not a period such as PT15M: {}", length.error().message));
    } else {
      job.epsilon_length = *length;
    }
  }
  fields.text("executor", job.executor);
  fields.text("executorFlags", job.executor_flags);
  fields.text("taskInfoData", job.task_info_data);
  fields.integer("retries", 0, 1'000'000, job.retries);
  fields.text("owner", job.owner);
  fields.text("ownerName", job.owner_name);
  fields.text("description", job.description);
  fields.boolean("async", job.async);
  job.cpus = defaults.cpus, job.mem = defaults.mem, job.disk = defaults.disk;
  fields.amount("cpus", job.cpus);
  fields.amount("mem", job.mem);
  fields.amount("disk", job.disk);
  fields.boolean("disabled", job.disabled);
  fields.boolean("softError", job.soft_error);
  fields.boolean("dataProcessingJobType", job.data_processing);
  fields.boolean("dataJob", job.data_processing);
  fields.boolean("concurrent", job.concurrent);
  fields.boolean("highPriority", job.high_priority);
  fields.integer("maxCompletionTime", 0, int64_t{1} << 31, job.max_completion_seconds);
  job.run_as_user = defaults.user;
  fields.text("runAsUser", job.run_as_user);
  if (job.run_as_user.empty()) job.run_as_user = defaults.user;
  read_fetch(fields, job);
  fields.key_values("environmentVariables", "name", "value", job.environment);
  read_constraints(fields, job);
  read_container(fields, job);
  read_counters(fields, body);
}

void write_texts(base::json::Writer& w, const char* name, const std::vector<std::string>& texts) {
  w.key(name);
  w.begin_array();
  for (const std::string& text : texts) w.value(text);
  w.end_array();
}

void write_pairs(base::json::Writer& w, const char* name, const char* key, const char* value,
                 const std::vector<KeyValue>& pairs) {
  w.key(name);
  w.begin_array();
  for (const auto& [first, second] : pairs) {
    w.begin_object();
    w.field(key, first);
    w.field(value, second);
    w.end_object();
  }
  w.end_array();
}

void write_fetch(base::json::Writer& w, const Job& job, bool mirror) {
  w.key("uris");
  w.begin_array();
  if (mirror || job.fetch_was_uris) {
    for (const Fetch& fetch : job.fetch) w.value(fetch.uri);
  }
  w.end_array();
  w.key("fetch");
  w.begin_array();
  if (mirror || !job.fetch_was_uris) {
    for (const Fetch& fetch : job.fetch) {
      w.begin_object();
      w.field("uri", fetch.uri);
      w.field("executable", fetch.executable);
      w.field("cache", fetch.cache);
      w.field("extract", fetch.extract);
      if (!fetch.output_file.empty()) w.field("output_file", fetch.output_file);
      w.end_object();
    }
  }
  w.end_array();
}

void write_networks(base::json::Writer& w, const Container& container) {
  w.key("networkInfos");
  w.begin_array();
  for (const NetworkInfo& info : container.network_infos) {
    w.begin_object();
    w.field("name", info.name);
    if (!info.protocol.empty()) w.field("protocol", info.protocol);
    write_pairs(w, "labels", "key", "value", info.labels);
    w.key("portMappings");
    w.begin_array();
    for (const PortMapping& port : info.port_mappings) {
      w.begin_object();
      w.field("hostPort", std::to_string(port.host_port));
      w.field("containerPort", std::to_string(port.container_port));
      if (!port.protocol.empty()) w.field("protocol", port.protocol);
      w.end_object();
    }
    w.end_array();
    w.end_object();
  }
  w.end_array();
}

void write_container(base::json::Writer& w, const Container& container) {
  w.key("container");
  w.begin_object();
  w.field("type", container.docker ? "DOCKER" : "MESOS");
  w.field("image", container.image);
  w.field("network", container.network);
  if (!container.network_name.empty()) w.field("networkName", container.network_name);
  write_networks(w, container);
  w.key("volumes");
  w.begin_array();
  for (const Volume& volume : container.volumes) {
    w.begin_object();
    if (!volume.host_path.empty()) w.field("hostPath", volume.host_path);
    w.field("containerPath", volume.container_path);
    w.field("mode", volume.read_write ? "RW" : "RO");
    w.end_object();
  }
  w.end_array();
  w.field("forcePullImage", container.force_pull_image);
  write_pairs(w, "parameters", "key", "value", container.parameters);
  w.end_object();
}

std::string time_text(const std::optional<base::Time>& time) { return time ? base::render_iso8601(*time) : ""; }

bool is_name(std::string_view name) {
  for (char c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '.' && c != '-') return false;
  }
  return !name.empty();
}

}  // namespace

std::string_view operator_name(ConstraintOperator op) {
  switch (op) {
    case ConstraintOperator::Equals: return "EQUALS";
    case ConstraintOperator::Like: return "LIKE";
    case ConstraintOperator::Unlike: return "UNLIKE";
  }
  return "EQUALS";
}

base::Result<base::Duration> parse_epsilon(std::string_view text) {
  ASSIGN_OR_RETURN(const Period period, Period::parse(text));
  constexpr int64_t kDayMs = 86'400'000;
  const double ms = static_cast<double>(period.months) * 30.436875 * kDayMs +
                    static_cast<double>(period.days) * kDayMs + static_cast<double>(period.milliseconds);
  if (ms > 36'525.0 * kDayMs) return base::invalid("it is longer than a hundred years");
  return base::Duration(base::milliseconds(static_cast<int64_t>(ms)));
}

base::Result<JobBody> parse_job(std::string_view text, const JobDefaults& defaults) {
  ASSIGN_OR_RETURN(const json::value root, base::json::parse(text, {.max_bytes = 1 << 20, .max_depth = 32}));
  return read_job(root, defaults);
}

base::Result<JobBody> read_job(const json::value& root, const JobDefaults& defaults) {
  if (!root.is_object()) {
    return base::invalid(fmt::format("the body must be a JSON object, not {}", base::json::kind_name(root)));
  }
  base::Status problem;
  JobBody body;
  read_fields(Fields(root.get_object(), "", problem), defaults, body);
  if (!problem) return problem.error();
  return body;
}

base::Status validate_job(const JobBody& body) {
  const Job& job = body.job;
  if (!is_name(job.name)) {
    return base::invalid(fmt::format(
        "the job's name is invalid: '{}' must consist of letters, digits, '_', '.' and '-'", job.name));
  }
  if (job.name.size() > 128) return base::invalid("the job's name is longer than 128 characters");
  if (job.parents.contains(job.name)) return base::invalid(fmt::format("job '{}' cannot be its own parent", job.name));
  return {};
}

void write_job(base::json::Writer& w, const Job& job, const Counters& counters, const RenderOptions& options) {
  w.begin_object();
  w.field("name", job.name);
  w.field("command", job.command);
  w.field("shell", job.shell);
  if (!job.epsilon.empty()) w.field("epsilon", job.epsilon);
  w.field("executor", job.executor);
  w.field("executorFlags", job.executor_flags);
  w.field("taskInfoData", job.task_info_data);
  w.field("retries", job.retries);
  w.field("owner", job.owner);
  w.field("ownerName", job.owner_name);
  w.field("description", job.description);
  w.field("async", job.async);
  w.field("successCount", counters.successes);
  w.field("errorCount", counters.errors);
  w.field("lastSuccess", time_text(counters.last_success));
  w.field("lastError", time_text(counters.last_error));
  w.field("cpus", job.cpus);
  w.field("disk", job.disk);
  w.field("mem", job.mem);
  w.field("disabled", job.disabled);
  w.field("softError", job.soft_error);
  w.field("dataProcessingJobType", job.data_processing);
  w.field("errorsSinceLastSuccess", counters.errors_since_success);
  if (job.max_completion_seconds > 0) w.field("maxCompletionTime", job.max_completion_seconds);
  write_fetch(w, job, options.mirror_uris);
  write_pairs(w, "environmentVariables", "name", "value", job.environment);
  write_texts(w, "arguments", job.arguments);
  w.field("highPriority", job.high_priority);
  w.field("runAsUser", job.run_as_user);
  w.field("concurrent", job.concurrent);
  if (job.container) write_container(w, *job.container);
  w.key("constraints");
  w.begin_array();
  for (const Constraint& constraint : job.constraints) {
    w.begin_array();
    w.value(constraint.attribute);
    w.value(operator_name(constraint.op));
    w.value(constraint.value);
    w.end_array();
  }
  w.end_array();
  if (job.is_dependent()) {
    write_texts(w, "parents", {job.parents.begin(), job.parents.end()});
  } else {
    w.field("schedule", options.schedule);
    w.field("scheduleTimeZone", job.schedule_time_zone);
  }
  w.end_object();
}

}  // namespace chronos
