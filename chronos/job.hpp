#pragma once

// A job's definition, and its JSON: the fields of the original's API. What a job does over time is in state.hpp.

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "jobs/offer.hpp"

namespace chronos {

using JobName = std::string;

struct Fetch {
  std::string uri, output_file;
  bool executable = false, cache = false, extract = true;
  bool operator==(const Fetch&) const = default;
};

using jobs::Constraint;
using jobs::ConstraintOperator;
std::string_view operator_name(ConstraintOperator op);

using KeyValue = std::pair<std::string, std::string>;

struct Volume {
  std::string container_path, host_path;
  bool read_write = false;
  bool operator==(const Volume&) const = default;
};

struct PortMapping {
  uint32_t host_port = 0, container_port = 0;
  std::string protocol;
  bool operator==(const PortMapping&) const = default;
};

struct NetworkInfo {
  std::string name, protocol;
  std::vector<KeyValue> labels;
  std::vector<PortMapping> port_mappings;
  bool operator==(const NetworkInfo&) const = default;
};

struct Container {
  bool docker = true;  // false: MESOS
  std::string image;
  std::string network = "HOST";  // HOST, BRIDGE or USER
  std::string network_name;
  std::vector<NetworkInfo> network_infos;
  std::vector<Volume> volumes;
  bool force_pull_image = false;
  std::vector<KeyValue> parameters;
  bool operator==(const Container&) const = default;
};

struct Counters {
  int64_t successes = 0, errors = 0, errors_since_success = 0;
  std::optional<base::Time> last_success, last_error;
  bool operator==(const Counters&) const = default;
};

/// What makes a job run: the clock, or other jobs. One of the two.
struct Job {
  JobName name;
  std::string command;
  bool shell = true;
  std::vector<std::string> arguments;
  std::string schedule, schedule_time_zone;  // as posted; the running schedule is JobState's
  std::set<JobName> parents;                 // not empty: a dependent job
  std::string epsilon;                       // as posted; empty: none
  base::Duration epsilon_length{0};
  std::string executor, executor_flags, task_info_data;
  int64_t retries = 2;
  std::string owner, owner_name, description;
  bool async = false;
  double cpus = 0.1, mem = 128, disk = 256;
  bool disabled = false, soft_error = false, data_processing = false, concurrent = false, high_priority = false;
  int64_t max_completion_seconds = 0;  // 0: no limit
  std::string run_as_user;
  std::vector<Fetch> fetch;
  bool fetch_was_uris = false;  // the definition came with `uris`, and is shown so
  std::vector<KeyValue> environment;
  std::vector<Constraint> constraints;
  std::optional<Container> container;

  bool is_dependent() const { return !parents.empty(); }
};

struct JobDefaults {
  double cpus = 0.1, mem = 128, disk = 256;
  std::string user = "root";
  std::string epsilon;  // ISO 8601; empty: none
};

/// A body of POST: the job, and what it says about counters.
struct JobBody {
  Job job;
  bool has_schedule = false, has_parents = false;
  std::optional<Counters> counters;  // present: replace what is counted so far
};

/// Reads a body tolerantly: unknown keys and nulls are passed over, numbers and booleans may be strings, `name` may be a
/// number. The error names the field.
base::Result<JobBody> parse_job(std::string_view text, const JobDefaults& defaults);
base::Result<JobBody> read_job(const base::json::Value& value, const JobDefaults& defaults);

/// Rules that hold for every job, whatever it is triggered by.
base::Status validate_job(const JobBody& body);

struct RenderOptions {
  std::string_view schedule;     // the running schedule's text
  bool mirror_uris = false;      // `uris` and `fetch` in both forms
};

/// Every key that the original always writes, in its order.
void write_job(base::json::Writer& w, const Job& job, const Counters& counters, const RenderOptions& options);

/// "PT1M" of a definition as a length of time: years and months by their average length.
base::Result<base::Duration> parse_epsilon(std::string_view text);

}  // namespace chronos
