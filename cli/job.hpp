#pragma once

// Jobs in the two forms that users write, and the calls to the scheduler. The form with "id" and "run" is translated;
// what the scheduler cannot do is an error that names the field.

#include <boost/json/fwd.hpp>

#include <string>

#include "base/result.hpp"
#include "base/time.hpp"
#include "cli/client.hpp"

namespace cli {

/// The definition that the scheduler takes, from either form. "parents" decides where it is posted.
base::Result<boost::json::object> chronos_job(const boost::json::value& definition, base::Time now);

/// Puts a schedule {"id","cron","timezone",...} into a scheduler's definition.
base::Status apply_schedule(const boost::json::value& schedule, const std::string& path, base::Time now,
                            boost::json::object& job);

/// The scheduler's definition in the form with "id" and "run", for JSON output.
boost::json::object job_with_run(const boost::json::value& job);

/// True when the clock starts it.
bool is_scheduled(const boost::json::value& job);

/// "2024-03-08T20:00:00.000Z" of "R5/2024-03-08T20:00:00.000Z/P1D".
std::string next_run(const boost::json::value& job);

// Calls. Errors carry the scheduler's sentence.
base::Result<boost::json::value> call_chronos(Client& client, const std::string& method, const std::string& path,
                                              const std::string& body = "");
base::Result<boost::json::value> get_job(Client& client, const std::string& id);
base::Status post_job(Client& client, const boost::json::object& job);
std::string job_path(const std::string& id);

}  // namespace cli
