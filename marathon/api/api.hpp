#pragma once

// What the handlers of the v2 API share: the request in hand, its answer, and how things look as JSON.

#include <boost/json/fwd.hpp>

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/http/message.hpp"
#include "marathon/core.hpp"
#include "marathon/deployments.hpp"
#include "marathon/errors.hpp"
#include "marathon/state.hpp"

namespace base::json {
class Writer;
}

namespace marathon {
class TreeChange;
}

namespace marathon::api {

/// One request being answered.
struct Request {
  Turn& turn;
  const Identity& identity;
  CallId call;
  const base::http::Request& http;
  const Viewer* viewer;                    // null: sees everything
  base::http::Query query;
  std::string path;                        // decoded, without trailing slash
  std::vector<std::string> rest;           // elements behind the resource's name

  State& state() const { return turn.state; }

  /// "true" in any case; absent or anything else is `fallback`.
  bool flag(std::string_view name, bool fallback) const;

  void reply(base::http::Response response) const;
  void reply_json(int status, std::string body) const;
  void refuse(const ApiError& error) const;
  void refuse(int status, std::string message) const;
};

/// Lists show what the caller may see.
inline bool sees(const Request& request, const AppRun& run) { return !request.viewer || request.viewer->sees(*run.target); }
bool sees(const Request& request, const Deployment& deployment);

/// The path elements as one absolute id.
PathId path_of(const std::vector<std::string>& elements, size_t count);

/// Changes by this request restart only what must be: `inPlace=true`, or the flag.
bool in_place(const Request& request);

/// False after a refusal with 412: the request has If-Match and names another version than the present one.
bool matches_version(const Request& request, std::optional<Version> present);

/// The address that the request comes from, without the port.
std::string client_of(const Request& request);

/// Answers with what the change would do; nothing of it is kept. `placement`: and with where it would find room.
void answer_dry_run(const Request& request, ChangeRequest change, bool placement);

/// Checks the change as a whole and submits it, or with `dryRun=true` says what it would do; `answer` renders the success,
/// `announce` comes before the deployment's events.
void submit_change(const Request& request, TreeChange& change, bool force, const PathId& group,
                   std::function<base::http::Response(const Deployment&)> answer,
                   std::function<void(Turn&)> announce = {});

/// The body as an object, or null after having answered 422.
const boost::json::object* object_of(const Request& request, const boost::json::value& body);

/// The body as JSON, or nothing after having answered 400.
std::optional<boost::json::value> parse_body(const Request& request);

/// "http://..." headers of an accepted change.
base::http::Response deployment_result(const Deployment& deployment, int status = 200);

/// What `embed` asks for.
struct Embed {
  bool apps = false, groups = false, pods = false;
  bool tasks = false, counts = false, deployments = false, readiness = false;
  bool last_task_failure = false, task_stats = false;
};
Embed parse_embed(const base::http::Query& query);

void write_app(base::json::Writer& w, const Turn& turn, const AppRun& run, const Embed& embed);
/// Member "localVolumes": what is kept for the instance.
void write_local_volumes(base::json::Writer& w, const Instance& instance);
/// "checkResult" of a task; nothing before its check has run.
void write_check_result(base::json::Writer& w, const std::optional<CheckResult>& check);
void write_task(base::json::Writer& w, const AppRun& run, const Instance& instance, bool service_ports);
/// `explain`: with members of ours that say what its actions wait for.
void write_deployment(base::json::Writer& w, const Turn& turn, const Deployment& deployment, bool explain = false);
void write_pod_status(base::json::Writer& w, const Turn& turn, const AppRun& run);
void write_failure(base::json::Writer& w, const TaskFailure& failure);

/// Instances that the API shows as tasks: those that were launched, of apps that exist, in order.
std::vector<const Instance*> listed_tasks(const AppRun& run);

/// A predicate from a label selector such as "a==b, c in (d, e), !...". An error is a sentence.
struct LabelTerm {
  std::string key;
  enum class Kind { Exists, Equal, NotEqual, In, NotIn } kind = Kind::Exists;
  std::set<std::string> values;
};
base::Result<std::vector<LabelTerm>> parse_label_selector(std::string_view text);
bool matches(const std::vector<LabelTerm>& selector, const Labels& labels);

// Handlers by resource. Each answers, or arranges for the answer.
void handle_apps(const Request& request);
void handle_tasks(const Request& request);
void handle_app_tasks(const Request& request, const PathId& app, const std::string& task);
void handle_group_tasks(const Request& request, const PathId& group);
void handle_deployments(const Request& request);
void handle_queue(const Request& request);
void handle_groups(const Request& request);
void handle_pods(const Request& request);
void handle_info(const Request& request);
void handle_leader(const Request& request);
void handle_config(const Request& request);
void handle_plugins(const Request& request);
void handle_ping(const Request& request);
void handle_metrics(const Request& request);

void method_not_allowed(const Request& request, std::string_view allow);

}  // namespace marathon::api
