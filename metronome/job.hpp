#pragma once

// A job's definition, as clients write and read it. What a job does over time is in state.hpp.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/time.hpp"
#include "base/time_zones.hpp"
#include "jobs/offer.hpp"
#include "metronome/cron.hpp"
#include "metronome/problems.hpp"

namespace metronome {

using JobId = std::string;

struct Artifact {
  std::string uri;
  bool extract = true, executable = false, cache = false;
};

/// Without a value it has no effect, and is shown all the same.
struct PlacementConstraint {
  std::string attribute;
  jobs::ConstraintOperator op = jobs::ConstraintOperator::Equals;
  std::optional<std::string> value;
};

struct Docker {
  std::string image;
  bool privileged = false, force_pull = false;
  std::vector<std::pair<std::string, std::string>> parameters;
};

struct Ucr {
  std::string image, kind = "docker";
  bool privileged = false, force_pull = false;
};

/// Of the host, or a file with a secret.
struct Volume {
  std::string container_path, host_path;
  bool read_write = false;
  std::string secret;  // not empty: the name of one
};

enum class NetworkMode { Host, Bridge, Container };

struct Network {
  std::optional<std::string> name;
  NetworkMode mode = NetworkMode::Host;
  std::map<std::string, std::string> labels;
};

struct Restart {
  bool on_failure = false;
  std::optional<int64_t> active_deadline_s;
};

struct RunSpec {
  double cpus = 1, mem = 128, disk = 0;
  int64_t gpus = 0;
  std::optional<std::string> cmd;
  std::optional<std::vector<std::string>> args;
  std::optional<std::string> user;
  std::map<std::string, std::string> env, env_secrets;  // the latter: variable -> name of the secret
  std::vector<PlacementConstraint> constraints;
  std::vector<Artifact> artifacts;
  int64_t max_launch_delay_s = 3600;
  std::optional<Docker> docker;
  std::optional<Ucr> ucr;
  std::vector<Volume> volumes;
  Restart restart;
  std::optional<int64_t> kill_grace_s;
  std::map<std::string, std::string> secrets;  // name -> source
  std::vector<Network> networks;
};

struct Schedule {
  std::string id;
  Cron cron;
  std::string zone_id = "UTC";
  std::shared_ptr<const base::Zone> zone;
  int64_t starting_deadline_s = 900;
  bool forbid = false;  // no run while another is under way
  bool enabled = true;
};

struct Job {
  JobId id;
  std::optional<std::string> description;
  std::vector<JobId> dependencies;
  std::map<std::string, std::string> labels;
  std::optional<Schedule> schedule;
  RunSpec run;
};

/// True for "a", "a-b.c1".
bool is_job_id(std::string_view text);

/// Reads a definition, and checks what can be checked without knowing the others. Problems: the result means nothing.
Job read_job(const base::json::Value& value, const base::TimeZones& zones, Problems& problems);

/// Reads one schedule.
Schedule read_schedule(const base::json::Value& value, const base::TimeZones& zones, Problems& problems);

/// Rules between fields of one definition.
void check_job(const Job& job, Problems& problems);

void write_job(base::json::Writer& w, const Job& job, base::Time now);
void write_run_spec(base::json::Writer& w, const RunSpec& run);
void write_dependencies(base::json::Writer& w, const Job& job);
void write_labels(base::json::Writer& w, const std::map<std::string, std::string>& labels);

/// With "nextRunAt", also when it is disabled.
void write_schedule(base::json::Writer& w, const Schedule& schedule, base::Time now);

/// The first slot after `now`.
std::optional<base::Time> next_slot(const Schedule& schedule, base::Time now);

/// "2016-07-15T13:02:59.735+0000".
std::string render_moment(base::Time time);

}  // namespace metronome
