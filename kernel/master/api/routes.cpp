// The table of routes. Every endpoint of the master exists bare and under /master, with and without ".json"; the
// process's own (metrics, files, version, health) bare, and under /master where old tools look for them.

#include "kernel/master/api/routes.hpp"

#include "base/http/gzip.hpp"
#include "base/http/help.hpp"
#include "base/json/proto.hpp"
#include "base/json/writer.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "base/system_stats.hpp"
#include "kernel/api/master_info.hpp"
#include "kernel/api/names.hpp"
#include "kernel/auth/http.hpp"
#include "kernel/master/render.hpp"
#include "kernel/master/shell.hpp"

namespace master {

using base::http::Handler;
using base::http::Request;
using base::http::Responder;
using base::http::Response;

base::http::Response json_answer(const Request& request, std::string json) {
  const auto callback = request.query().get("jsonp");
  if (!callback) return Response::json(200, std::move(json));
  // A callback is a name; anything else would put words of a stranger into a script.
  for (const char c : *callback) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '_' && c != '.' && c != '$') {
      return Response::text(400, "The 'jsonp' parameter is not a name");
    }
  }
  Response response;
  response.headers.set("Content-Type", "text/javascript");
  response.body = *callback + "(" + json + ")";
  return response;
}

namespace {

Response busy_answer() { return Response::text(503, "Too many requests wait for the state; try again"); }

}  // namespace

bool takes_gzip(const Request& request) {
  return base::http::accepts_gzip(request.headers.get_or("Accept-Encoding", ""));
}

void reply_shared(const Responder& responder, Response head, const RenderedBody& rendered) {
  if (!rendered.text) return responder.reply(busy_answer());
  head.headers.set("Content-Length", std::to_string(rendered.text->size()));
  head.headers.set("Vary", "Accept-Encoding");
  if (rendered.gzip) head.headers.set("Content-Encoding", "gzip");
  const base::http::Stream stream = responder.stream(std::move(head));
  stream.write(rendered.text);
  stream.close();
}

namespace {

/// 307 without a scheme, so that what is between us and the client may choose it; 503 when nobody is known to lead.
Response redirect(const std::optional<mesos::v1::MasterInfo>& leader, const std::string& target) {
  if (!leader) return Response::text(503, "No leader elected");
  Response response;
  response.status = 307;
  response.headers.set("Location", "//" + api::master_name(*leader) + target);
  return response;
}

}  // namespace

bool refuse_before_recovery(const Shell& shell, const Request& request, const Responder& responder) {
  const auto leader = shell.leader();
  if (!leader || leader->id() != shell.core().state().master.id()) {
    responder.reply(redirect(leader, request.target));
    return true;
  }
  if (shell.leading() && shell.recovered()) return false;
  responder.reply(Response::text(503, "Master has not finished recovery"));
  return true;
}

bool refuse_method(const Request& request, const Responder& responder, const std::string& allowed) {
  if (request.method == allowed) return false;
  Response response = Response::text(405, "Expecting one of { '" + allowed + "' }, but received '" + request.method + "'");
  response.headers.set("Allow", allowed);
  responder.reply(std::move(response));
  return true;
}

namespace {

using Text = std::function<std::string(const Snapshot&)>;

/// A GET of the state: `make` gives the rendering's key and function for the request, or an answer.
struct Rendered {
  std::string key;
  Text render;
};

Handler rendered(Shell& shell, std::function<base::Result<Rendered>(const Request&)> make) {
  return [&shell, make](Request request, Responder responder) {
    if (refuse_before_recovery(shell, request, responder)) return;
    auto job = make(request);
    if (!job) return responder.reply(Response::from(job.error()));
    if (request.query().get("jsonp")) {
      return shell.render(request.principal, job->key, std::move(job->render), false, [request, responder](const RenderedBody& rendered) {
        if (!rendered.text) return responder.reply(busy_answer());
        responder.reply(json_answer(request, *rendered.text));
      });
    }
    const bool gzip = takes_gzip(request);
    shell.render(request.principal, job->key, std::move(job->render), gzip, [responder](const RenderedBody& rendered) {
      reply_shared(responder, Response::json(200, ""), rendered);
    });
  };
}

base::Result<uint64_t> query_number(const Request& request, const char* name, uint64_t fallback) {
  const auto text = request.query().get(name);
  if (!text) return fallback;
  auto value = base::parse_uint(*text);
  if (!value) return base::invalid("Failed to parse query parameter '" + std::string(name) + "': " + value.error().message);
  return *value;
}

base::Result<Rendered> tasks_rendering(const Request& request) {
  TaskQuery query;
  if (request.query().get("limit") == "-1") {
    query.limit = UINT64_MAX;  // as the original understands it
  } else {
    ASSIGN_OR_RETURN(query.limit, query_number(request, "limit", 100));
  }
  ASSIGN_OR_RETURN(query.offset, query_number(request, "offset", 0));
  const auto parameters = request.query();
  query.ascending = parameters.get("order").value_or("des") == "asc";
  query.framework_id = parameters.get("framework_id");
  query.task_id = parameters.get("task_id");
  return Rendered{"tasks?" + request.query_text, [query](const Snapshot& s) { return tasks_json(s, query); }};
}

std::string metrics_json(Shell& shell) {
  std::string text;
  base::json::Writer out(text);
  out.begin_object();
  for (const auto& [name, value] : shell.metrics_snapshot()) out.field(name, value);
  out.end_object();
  return text;
}

Response metrics_answer(Shell& shell, const Request& request) {
  if (const auto timeout = request.query().get("timeout")) {
    if (auto parsed = base::parse_duration(*timeout); !parsed) {
      return Response::text(400, "Invalid timeout '" + *timeout + "': " + parsed.error().message);
    }
  }
  return json_answer(request, metrics_json(shell));
}

std::string agent_link_json(Shell& shell, bool secure) {
  std::string text;
  base::json::Writer out(text);
  out.begin_object();
  const uint16_t port = secure ? shell.link_port() : shell.plain_link_port();
  out.field("address", shell.core().state().master.address().ip() + ":" + std::to_string(port));
  out.end_object();
  return text;
}

std::string weights_json(const Snapshot& snapshot) {
  std::string text;
  base::json::Writer out(text);
  out.begin_array();
  for (const auto& [role, weight] : snapshot.weights) {
    out.begin_object();
    out.field("role", role);
    out.field("weight", weight);
    out.end_object();
  }
  out.end_array();
  return text;
}

std::string quota_json(const Snapshot& snapshot) {
  OperatorResponse::GetQuota answer;
  render_quota(snapshot, &answer);
  return base::json::proto_to_json(answer.status(), api::v0_dialect());
}

/// The quota that bounds the role: its own, or that of the nearest one above it.
void write_quota(base::json::Writer& out, const allocator::RoleExplanation& role) {
  const auto quantities = [&](const char* name, const auto& list) {
    out.key(name);
    out.begin_object();
    for (const auto& [resource, amount] : list) out.field(resource, amount.value());
    out.end_object();
  };
  out.key("quota");
  out.begin_object();
  out.field("role", role.quota_role);
  quantities("guarantees", role.quota->guarantees.list());
  quantities("limits", role.quota->limits.list());
  quantities("consumed", role.consumed_quota.list());
  out.end_object();
}

std::string explain_json(Shell& shell, const std::string& framework) {
  std::string text;
  base::json::Writer out(text);
  const auto now = shell.loop().now();
  const auto explanation = shell.core().allocator().explain(framework, now.instant);
  if (!explanation) return {};
  out.begin_object();
  out.field("framework", explanation->framework);
  out.field("active", explanation->active);
  out.key("roles");
  out.begin_array();
  for (const allocator::RoleExplanation& role : explanation->roles) {
    out.begin_object();
    out.field("role", role.role);
    out.field("share", role.share);
    out.field("role_share", role.role_share);
    out.field("weight", role.weight);
    out.field("suppressed", role.suppressed);
    out.field("frameworks_before", role.frameworks_before);
    if (role.quota) write_quota(out, role);
    out.key("filters");
    out.begin_array();
    for (const allocator::FilterExplanation& filter : role.filters) {
      out.begin_object();
      out.field("slave_id", filter.agent);
      out.field("refused", filter.refused.text());
      out.field("expires_in_seconds", std::chrono::duration<double>(filter.expires - now.instant).count());
      out.end_object();
    }
    out.end_array();
    out.key("excluded");
    out.begin_object();
    for (const auto& [reason, agents] : role.excluded) {
      out.key(reason);
      out.begin_array();
      for (const std::string& agent : agents) out.value(agent);
      out.end_array();
    }
    out.end_object();
    out.key("offerable");
    out.begin_array();
    for (const std::string& agent : role.offerable) out.value(agent);
    out.end_array();
    out.end_object();
  }
  out.end_array();
  out.end_object();
  return text;
}

class Table {
 public:
  explicit Table(Shell& shell) : shell_(shell), router_(std::make_shared<base::http::Router>()) {}

  /// An endpoint of the master: bare, under /master, and for `json` with the suffix of old.
  void add(const std::string& path, const char* description, const Handler& handler, bool json = false) {
    for (const char* prefix : {"", "/master"}) {
      router_->add("*", prefix + path, description, handler);
      if (json) router_->add("*", prefix + path + ".json", description, handler);
    }
  }

  void add_state() {
    const ServerFacts* facts = &shell_.facts();
    add("/state", "the whole state", rendered(shell_, [facts](const Request&) -> base::Result<Rendered> {
          return Rendered{"state", [facts](const Snapshot& s) { return state_json(s, *facts); }};
        }), true);
    add("/state-summary", "agents and frameworks with counts of tasks",
        rendered(shell_, [facts](const Request&) -> base::Result<Rendered> {
          return Rendered{"state-summary", [facts](const Snapshot& s) { return state_summary_json(s, *facts); }};
        }), true);
    add("/slaves", "agents; ?slave_id=", rendered(shell_, [](const Request& request) -> base::Result<Rendered> {
          const auto id = request.query().get("slave_id");
          return Rendered{"slaves?" + id.value_or(""), [id](const Snapshot& s) { return slaves_json(s, id); }};
        }), true);
    add("/frameworks", "frameworks; ?framework_id=", rendered(shell_, [](const Request& request) -> base::Result<Rendered> {
          const auto id = request.query().get("framework_id");
          return Rendered{"frameworks?" + id.value_or(""), [id](const Snapshot& s) { return frameworks_json(s, id); }};
        }), true);
    add("/tasks", "tasks; ?limit= &offset= &order=asc|des &framework_id= &task_id=", rendered(shell_, tasks_rendering), true);
    add("/roles", "roles", rendered(shell_, [](const Request&) -> base::Result<Rendered> {
          return Rendered{"roles", [](const Snapshot& s) { return roles_json(s); }};
        }), true);
  }

  void add_local() {
    Shell& shell = shell_;
    add("/health", "200 while the process serves", [](Request, Responder responder) { responder.reply(Response()); });
    add("/version", "version of the API", [&shell](Request request, Responder responder) {
      responder.reply(json_answer(request, version_json(shell.facts())));
    }, true);
    add("/flags", "effective flags", [&shell](Request request, Responder responder) {
      if (!shell.visibility(request.principal).allows(auth::Action::ViewFlags)) return responder.reply(Response::text(403, ""));
      responder.reply(json_answer(request, flags_json(shell.facts())));
    }, true);
    add("/redirect", "307 to the leading master",
        [&shell](Request, Responder responder) { responder.reply(redirect(shell.leader(), "")); });
    add("/agent-link", "where agents connect", [&shell](Request request, Responder responder) {
      if (refuse_before_recovery(shell, request, responder)) return;
      responder.reply(json_answer(request, agent_link_json(shell, responder.secure())));
    });
    const Handler snapshot = [&shell](Request request, Responder responder) {
      responder.reply(metrics_answer(shell, request));
    };
    router_->add("*", "/metrics/snapshot", "metrics as JSON", snapshot);
    router_->add("*", "/metrics", "metrics for Prometheus", [&shell](Request, Responder responder) {
      Response response;
      response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
      response.body = shell.metrics().prometheus();
      responder.reply(std::move(response));
    });
    const Handler stats = [](Request request, Responder responder) {
      responder.reply(json_answer(request, base::render_system_stats(base::system_stats())));
    };
    router_->add("*", "/system/stats.json", "load and memory of the machine", stats);
    router_->add("*", "/system/stats", "load and memory of the machine", stats);
    router_->add("GET", "/registrar(1)/registry", "what the registry holds", [&shell](Request request, Responder responder) {
      if (refuse_before_recovery(shell, request, responder)) return;
      responder.reply(json_answer(request, registry_json(shell.core().state())));
    });
    router_->add("*", "/logging/toggle", "the log's level; ?level=1&duration=5mins to change it for a while",
                 [&shell](Request request, Responder responder) {
                   if (request.method != "GET" && refuse_method(request, responder, "POST")) return;
                   const auto query = request.query();
                   const bool changes = query.has("level") || query.has("duration");
                   if (changes && !shell.visibility(request.principal).allows(auth::Action::SetLogLevel)) {
                     return responder.reply(Response::text(403, ""));
                   }
                   auto answer = shell.log_level().toggle(query.get("level"), query.get("duration"));
                   responder.reply(answer ? Response::text(200, std::move(*answer)) : Response::text(400, answer.error().message));
                 });
    for (const char* what : {"browse", "read", "download", "debug"}) {
      const Handler files = [&shell, name = std::string(what)](Request request, Responder responder) {
        if (!shell.visibility(request.principal).allows(auth::Action::AccessMesosLogs)) {
          return responder.reply(Response::text(403, ""));
        }
        responder.reply(answer_files(shell, name, request));
      };
      router_->add("*", std::string("/files/") + what, "the master's log", files);
      router_->add("*", std::string("/files/") + what + ".json", "the master's log", files);
    }
  }

  void add_calls() {
    Shell& shell = shell_;
    const Handler scheduler = [&shell](Request request, Responder responder) {
      handle_scheduler_call(shell, std::move(request), std::move(responder));
    };
    const Handler operators = [&shell](Request request, Responder responder) {
      handle_operator_call(shell, std::move(request), std::move(responder));
    };
    // Longer paths below an endpoint are served by it.
    add("/api/v1/scheduler", "calls of schedulers", scheduler);
    add("/api/v1/scheduler/{rest...}", "calls of schedulers", scheduler);
    add("/api/v1", "calls of operators", operators);
    add("/api/v1/{rest...}", "calls of operators", operators);
    for (const char* what : {"teardown", "reserve", "unreserve", "create-volumes", "destroy-volumes"}) {
      add(std::string("/") + what, "form post", [&shell, name = std::string(what)](Request request, Responder responder) {
        handle_form(shell, name, std::move(request), std::move(responder));
      });
    }
    const Handler weights = rendered(shell_, [](const Request&) -> base::Result<Rendered> {
      return Rendered{"weights", weights_json};
    });
    add("/weights", "weights of roles", [&shell, weights](Request request, Responder responder) {
      if (request.method == "GET") return weights(std::move(request), std::move(responder));
      handle_form(shell, "weights", std::move(request), std::move(responder));
    });
    const Handler quota = rendered(shell_, [](const Request&) -> base::Result<Rendered> {
      return Rendered{"quota", quota_json};
    });
    const Handler quota_form = [&shell, quota](Request request, Responder responder) {
      if (request.method == "GET") return quota(std::move(request), std::move(responder));
      const char* what = request.method == "DELETE" ? "remove-quota" : "quota";
      handle_form(shell, what, std::move(request), std::move(responder));
    };
    add("/quota", "quota of roles: GET, or POST to set", quota_form);
    add("/quota/{rest...}", "DELETE removes the quota of a role", quota_form);
    const Handler schedule = rendered(shell_, [](const Request&) -> base::Result<Rendered> {
      return Rendered{"schedule", [](const Snapshot& s) { return base::json::proto_to_json(s.schedule, api::v0_dialect()); }};
    });
    add("/maintenance/schedule", "planned maintenance: GET, or POST to replace it",
        [&shell, schedule](Request request, Responder responder) {
          if (request.method == "GET") return schedule(std::move(request), std::move(responder));
          handle_form(shell, "schedule", std::move(request), std::move(responder));
        });
    const Handler status = rendered(shell_, [](const Request&) -> base::Result<Rendered> {
      return Rendered{"maintenance", [](const Snapshot& s) { return base::json::proto_to_json(s.maintenance, api::v0_dialect()); }};
    });
    add("/maintenance/status", "machines in maintenance, and what frameworks answered", [status](Request request, Responder responder) {
      if (refuse_method(request, responder, "GET")) return;
      status(std::move(request), std::move(responder));
    });
    for (const char* what : {"down", "up"}) {
      add(std::string("/machine/") + what, "POST of machines", [&shell, name = std::string(what)](Request request, Responder responder) {
        handle_form(shell, name, std::move(request), std::move(responder));
      });
    }
    add("/allocator/explain", "why a framework has or has no offers; ?framework=",
        [&shell](Request request, Responder responder) {
          if (refuse_before_recovery(shell, request, responder)) return;
          const auto framework = request.query().get("framework");
          if (!framework) return responder.reply(Response::text(400, "Expecting 'framework=value' in query."));
          std::string json = explain_json(shell, *framework);
          if (json.empty()) return responder.reply(Response::text(404, "No framework found with specified ID"));
          responder.reply(json_answer(request, std::move(json)));
        });
  }

  std::shared_ptr<base::http::Router> finish() {
    auto* router = router_.get();
    const Handler help = [router](Request request, Responder responder) {
      responder.reply(base::http::help_page(*router, request, "Endpoints of this master"));
    };
    router_->add("GET", "/help", "this list", help);
    router_->add("GET", "/help/{path...}", "the part of this list at and below a path", help);
    router_->add("GET", "/", "this list", help);
    return router_;
  }

 private:
  Shell& shell_;
  std::shared_ptr<base::http::Router> router_;
};

}  // namespace

Handler make_handler(Shell& shell) {
  Table table(shell);
  table.add_state();
  table.add_local();
  table.add_calls();
  return [router = table.finish(), &shell](Request request, Responder responder) {
    if (auto refusal = shell.flags().firewall.check(request)) return responder.reply(std::move(*refusal));
    if (auto refusal = shell.flags().authentication.check(request)) return responder.reply(std::move(*refusal));
    if (!auth::may_get(shell.flags().policy.acls.get(), request.principal, request.path)) {
      return responder.reply(Response::text(403, ""));
    }
    router->handle(std::move(request), std::move(responder));
  };
}

}  // namespace master
