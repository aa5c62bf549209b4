#pragma once

// What is stored, one record per object. Values are JSON, so that a person can read them.
//
//   job:<id>                        definition, next slot, what dependencies need, counts of the history
//   run:<job>:<run>                 a run under way: written before its task is launched, erased when it is over
//   ended:<job>:ok|failed:<run>     a run that is over; as many as the history keeps
//   framework-id     given by the master      epoch    number of starts       schema   version of this layout

#include <string>

#include "base/result.hpp"
#include "metronome/state.hpp"

namespace metronome {

inline constexpr std::string_view kSchemaVersion = "1";
inline constexpr const char* kSchemaKey = "schema";
inline constexpr const char* kFrameworkIdKey = "framework-id";
inline constexpr const char* kEpochKey = "epoch";

std::string job_key(const JobId& id);
std::string run_key(const RunKey& key);
std::string history_key(const JobId& id, bool success, const RunId& run);

std::string encode_job(const JobState& job);
base::Result<JobState> decode_job(const std::string& text, const base::TimeZones& zones);

std::string encode_run(const Run& run);
base::Result<Run> decode_run(const std::string& text, const base::TimeZones& zones);

std::string encode_finished(const FinishedRun& run);
base::Result<FinishedRun> decode_finished(const std::string& text);

/// Fills the state from stored records; bad ones are reported and left alone in the store.
void recover(Turn& turn, const std::vector<std::pair<std::string, std::string>>& records);

}  // namespace metronome
