#pragma once

// What is stored, one record per object. Values are JSON, so that a person can read them.
//
//   job:<name>       definition, counters, place in the schedule, runs that are wanted, edges of its parents
//   run:<task id>    the launch log: written before the launch, erased when the run has ended
//   history:<name>   newest runs and durations
//   framework-id     given by the master      epoch    number of starts       schema   version of this layout

#include <string>

#include "base/result.hpp"
#include "chronos/state.hpp"

namespace chronos {

inline constexpr std::string_view kSchemaVersion = "1";
inline constexpr const char* kSchemaKey = "schema";
inline constexpr const char* kFrameworkIdKey = "framework-id";
inline constexpr const char* kEpochKey = "epoch";

std::string job_key(const JobName& name);
std::string run_key(const TaskId& id);
std::string history_key(const JobName& name);

std::string encode_job(const JobState& job);
base::Result<JobState> decode_job(const std::string& text, const base::TimeZones& zones, base::Time now);

std::string encode_run(const Run& run);
base::Result<Run> decode_run(const std::string& text);

/// Fills the state from stored records; bad ones are reported and left alone in the store.
void recover(Turn& turn, const std::vector<std::pair<std::string, std::string>>& records);

}  // namespace chronos
