#include "admin-router/gateway.hpp"

#include <fmt/core.h>

#include <boost/json.hpp>

#include "admin-router/path.hpp"
#include "base/http/message.hpp"

namespace admin_router {
namespace {

namespace json = boost::json;

constexpr std::string_view kNoStore =
    "Cache-Control: no-cache, no-store, must-revalidate\r\nPragma: no-cache\r\nExpires: 0\r\n";

std::string html_escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

LocalAnswer text_answer(int status, std::string_view type, std::string body,
                        std::string_view more = {}) {
  LocalAnswer answer;
  answer.status = status;
  answer.fields = fmt::format("Content-Type: {}\r\n{}", type, more);
  answer.body = std::make_shared<const std::string>(std::move(body));
  return answer;
}

// Relative on purpose: a redirect must not repeat a forged Host.
LocalAnswer redirect(int status, std::string_view location) {
  LocalAnswer answer;
  answer.status = status;
  answer.fields = fmt::format("Location: {}\r\n", location);
  return answer;
}

void reply(Decision& out, LocalAnswer answer) {
  out.kind = Decision::Kind::Reply;
  out.reply = std::move(answer);
}

bool reading(const RequestHead& head) {
  return head.method == "GET" || head.method == "HEAD";
}

bool is_agent_id(std::string_view id) {
  if (id.empty() || id.size() > 128) return false;
  for (char c : id)
    if ((c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-')
      return false;
  return true;
}

LocalAnswer absent(const RequestHead& head, std::string_view path, const Route& route) {
  return error_answer(head, 404,
                      fmt::format("{} ({}) is not part of this cluster.", path, route.sentence));
}

json::object source_json(const SourceState& source, base::Now now) {
  json::object out{{"connected", source.connected}, {"loaded", source.loaded}};
  if (!source.connected) out["reason"] = source.reason;
  if (!source.connected && source.loaded)
    out["age_seconds"] =
        std::chrono::duration_cast<base::seconds>(now.instant - source.lost_at).count();
  return out;
}

}  // namespace

LocalAnswer json_answer(int status, std::string body) {
  return text_answer(status, "application/json; charset=utf-8", std::move(body));
}

ErrorForm error_form(const RequestHead& head) {
  std::string_view accept = head.get(Name::Accept);
  if (accept.find("application/json") != std::string_view::npos) return ErrorForm::Json;
  return accept.find("text/html") != std::string_view::npos ? ErrorForm::Html : ErrorForm::Text;
}

LocalAnswer error_answer(ErrorForm form, int status, std::string_view text,
                         std::string_view tried) {
  std::string_view reason = base::http::reason_phrase(status);
  if (form == ErrorForm::Json) {
    json::object body{{"status", status}, {"message", json::string_view(text.data(), text.size())}};
    if (!tried.empty()) body["tried"] = json::string_view(tried.data(), tried.size());
    return json_answer(status, json::serialize(body) + "\n");
  }
  std::string more = tried.empty() ? "" : fmt::format(" Tried: {}.", tried);
  if (form == ErrorForm::Html) {
    return text_answer(
        status, "text/html; charset=utf-8",
        fmt::format(
            "<!doctype html>\n<html lang=\"en\"><head><title>{0} {1}</title></head>\n"
            "<body style=\"font-family:sans-serif;margin:4em\"><h1>{0} {1}</h1><p>{2}{3}</p>"
            "<p><a href=\"/\">Dashboard</a></p></body></html>\n",
            status, reason, html_escape(text), html_escape(more)));
  }
  return text_answer(status, "text/plain; charset=utf-8",
                     fmt::format("{} {}: {}{}\n", status, reason, text, more));
}

Gateway::Gateway(GatewayConfig config, Table& table, Authorizer& authorizer, StaticFiles& files,
                 const base::Metrics& metrics, base::Now start)
    : config_(std::move(config)),
      table_(table),
      authorizer_(authorizer),
      files_(files),
      metrics_(metrics),
      start_(start) {}

void Gateway::decide(const RequestHead& head, const Peer& peer, base::Now now, bool may_wait,
                     Decision& out) {
  auto path = normalise_path(head.path, scratch_);
  if (!path) return reply(out, error_answer(head, 400, path.error().message));
  const Route& route = find_route(*path);
  Verdict verdict = authorizer_.decide(head, route, now);
  Context context{head, peer, now, may_wait, *path};
  if (verdict.kind != Verdict::Kind::Allow) return refuse(context, verdict, out);

  switch (route.target) {
    case Target::Master:
      to_master(context, "/mesos", out);
      break;
    case Target::MasterUncut:
      to_master(context, "/cache", out);
      break;
    case Target::Service:
      to_service(context, path->substr(9), "/service/", out);
      break;
    case Target::MarathonAlias:
      to_service(context, path->substr(1), "/service/", out);
      break;
    case Target::Agent:
      to_agent(context, route, out);
      break;
    case Target::AgentSystem:
      to_agent_system(context, out);
      break;
    case Target::Backend:
      to_backend(context, route, out);
      break;
    default:
      if (!to_login(context, route, out)) answer_here(context, route, out);
  }
  if (out.kind != Decision::Kind::Send) return;
  out.forward.authorization = std::move(verdict.authorization);
  out.forward.session = std::move(verdict.session);
  if (out.forward.to_cluster) as_cluster(out.forward);
}

void Gateway::refuse(const Context& context, const Verdict& verdict, Decision& out) {
  if (verdict.kind == Verdict::Kind::Forbidden)
    return reply(out, error_answer(context.head, 403, "you may not use this part of the cluster"));
  LocalAnswer answer =
      text_answer(401, "text/html; charset=UTF-8",
                  "<!doctype html><html><head><title>401 Unauthorized</title>"
                  "<noscript><meta http-equiv=\"refresh\" content=\"5;url=/#/login\"></noscript>"
                  "<script>location.replace('/#/login?redirect='+encodeURIComponent(location.href))"
                  "</script></head><body>Please log in.</body></html>\n",
                  "WWW-Authenticate: oauthjwt\r\n");
  reply(out, std::move(answer));
}

// Requests that come before the first facts wait for them, so that a gateway that has just started
// does not deny what exists; after that the truth is told.
void Gateway::wait_or_fail(const Context& context, const std::string& reason, Decision& out) {
  if (context.may_wait && context.now.instant < start_.instant + config_.patience) {
    out.kind = Decision::Kind::Wait;
    return;
  }
  reply(out, error_answer(context.head, 503, reason));
}

// Masters and agents know principals of their own; the token of a session means nothing to them and
// would be refused where they ask for a login.
void Gateway::as_cluster(Forward& forward) const {
  forward.address.tls = forward.address.checked = config_.cluster_tls;
  if (!config_.cluster_authorization.empty()) {
    forward.authorization = config_.cluster_authorization;
  } else if (forward.session) {
    forward.authorization.clear();
    forward.drop_authorization = true;
  }
}

void Gateway::to_master(const Context& context, std::string_view cut, Decision& out) {
  if (!table_.leader())
    return wait_or_fail(context,
                        "no leading Mesos master is known: " + table_.master_source().reason, out);
  out.kind = Decision::Kind::Send;
  out.forward = Forward();
  out.forward.address = *table_.leader();
  out.forward.target.append(context.path.substr(cut.size())).append(context.head.query);
  out.forward.public_prefix = cut;
  out.forward.what = "the Mesos master";
  out.forward.to_cluster = true;
}

void Gateway::to_service(const Context& context, std::string_view path, std::string_view prefix,
                         Decision& out) {
  bool bare = path.find('/') == std::string_view::npos;
  if (bare)
    return reply(out, redirect(301, fmt::format("{}{}/{}", prefix, path, context.head.query)));
  Lookup found = table_.find_service(path, context.now);
  if (found.kind == Lookup::Kind::Wait) return wait_or_fail(context, found.reason, out);
  if (found.kind == Lookup::Kind::Unavailable)
    return reply(out, error_answer(context.head, 503, found.reason));
  if (found.kind == Lookup::Kind::Missing) {
    LocalAnswer answer = error_answer(context.head, 404, "service not found.");
    return reply(out, std::move(answer));
  }
  ServiceTarget& target = found.target;
  out.kind = Decision::Kind::Send;
  out.forward = Forward();
  out.forward.address = std::move(target.address);
  out.forward.public_prefix = fmt::format("{}{}", prefix, target.name);
  std::string_view rest = path.substr(target.name_bytes);
  if (target.strip_prefix) {
    out.forward.upstream_base = target.base;
    out.forward.target.append(target.base).append(rest.empty() ? std::string_view("/") : rest);
  } else {
    out.forward.upstream_base = out.forward.public_prefix;
    out.forward.target.append(prefix).append(path);
  }
  out.forward.target.append(context.head.query);
  out.forward.what = fmt::format("service \"{}\"", target.name);
  if (!target.buffered) out.forward.head_timeout = base::seconds(600);
  base::Duration age = table_.master_age(context.now);
  if (age > base::seconds(75))
    out.forward.stale_seconds = std::chrono::duration_cast<base::seconds>(age).count();
}

void Gateway::to_agent(const Context& context, const Route& route, Decision& out) {
  std::string_view rest = context.path.substr(route.path.size());
  std::string_view id = rest.substr(0, rest.find('/'));
  const Agent* agent = is_agent_id(id) ? table_.find_agent(id, context.now) : nullptr;
  if (agent == nullptr) {
    if (!table_.master_source().loaded)
      return wait_or_fail(context, "the agents are not known yet: " + table_.master_source().reason,
                          out);
    return reply(out, error_answer(context.head, 404, fmt::format("agent \"{}\" unknown.", id)));
  }
  out.kind = Decision::Kind::Send;
  out.forward = Forward();
  out.forward.address = agent->address;
  std::string_view tail = rest.substr(id.size());
  out.forward.target.append(tail.empty() ? std::string_view("/") : tail).append(context.head.query);
  out.forward.public_prefix = fmt::format("{}{}", route.path, id);
  out.forward.what = fmt::format("agent \"{}\"", id);
  out.forward.to_cluster = true;
  out.forward.drop_accept_encoding = true;
}

// With a login the user service answers for users, and says in the dashboard's settings whether
// there are any yet.
bool Gateway::to_login(const Context& context, const Route& route, Decision& out) {
  if (!config_.backends.login) return false;
  bool settings = route.target == Target::UiConfig;
  if (route.target != Target::Auth && route.target != Target::AuthProviders && !settings)
    return false;
  out.kind = Decision::Kind::Send;
  out.forward = Forward();
  out.forward.address = *config_.backends.login;
  out.forward.target = settings ? std::string_view("/acs/api/v1/uiconfig") : context.path;
  if (!settings) out.forward.target.append(context.head.query);
  out.forward.what = "the user service";
  return true;
}

void Gateway::to_backend(const Context& context, const Route& route, Decision& out) {
  const bool package = route.backend == Backend::Package;
  const auto& address = package                              ? config_.backends.package
                        : route.backend == Backend::MesosDns ? config_.backends.mesos_dns
                                                             : config_.backends.net;
  if (!address) return reply(out, absent(context.head, context.path, route));
  out.kind = Decision::Kind::Send;
  out.forward = Forward();
  out.forward.address = *address;
  out.forward.target.append(context.path.substr(route.cut.size())).append(context.head.query);
  out.forward.public_prefix = route.cut;
  out.forward.what = fmt::format("the {}", route.sentence);
  // The token is for those that act on the caller's behalf; the others have no use for it.
  out.forward.drop_authorization = !package;
  if (package) out.forward.head_timeout = base::seconds(300);
}

void Gateway::to_agent_system(const Context& context, Decision& out) {
  std::string_view rest = context.path.substr(std::string_view("/system/v1/agent/").size());
  std::string_view id = rest.substr(0, rest.find('/'));
  if (table_.find_agent(id, context.now) == nullptr) {
    if (!table_.master_source().loaded)
      return wait_or_fail(context, "the agents are not known yet: " + table_.master_source().reason,
                          out);
    return reply(out, error_answer(context.head, 404, fmt::format("agent \"{}\" unknown.", id)));
  }
  if (rest.substr(id.size()) == "/dcos-metadata/dcos-version.json")
    return answer_here(context, find_route("/dcos-metadata/dcos-version.json"), out);
  reply(out, error_answer(context.head, 404,
                          "nodes offer no logs or metrics here; a task's files are under "
                          "/agent/<id>/files/."));
}

void Gateway::answer_here(const Context& context, const Route& route, Decision& out) {
  const RequestHead& head = context.head;
  switch (route.target) {
    case Target::Redirect:
      return reply(out, redirect(301, fmt::format("{}/{}", context.path, head.query)));
    case Target::MarathonRedirect:
      return reply(out, redirect(307, fmt::format("/marathon/{}", head.query)));
    case Target::Login:
      return reply(out, redirect(302, config_.backends.login ? "/#/login" : "/"));
    case Target::Auth:
      return answer_auth(context, out);
    case Target::Static:
      return serve_file(context, out);
    case Target::Absent:
      return reply(out, absent(head, context.path, route));
    default:
      break;
  }
  if (!reading(head)) {
    LocalAnswer answer = error_answer(head, 405, "this can only be read.");
    answer.fields += "Allow: GET, HEAD\r\n";
    return reply(out, std::move(answer));
  }
  json::object body;
  switch (route.target) {
    case Target::Metadata:
      body = {{"PUBLIC_IPV4", config_.public_ip}};
      if (!config_.cluster_id.empty()) body["CLUSTER_ID"] = config_.cluster_id;
      break;
    case Target::Version:
      body = {{"version", config_.version},
              {"dcos-image-commit", config_.commit},
              {"bootstrap-id", config_.commit},
              {"dcos-variant", "open"}};
      break;
    case Target::UiConfig: {
      json::error_code broken;
      json::value ui =
          json::parse(config_.ui_config.empty() ? "{\"plugins\":{}}" : config_.ui_config, broken);
      body = {{"uiConfiguration", broken ? json::object() : ui},
              {"clusterConfiguration", {{"id", config_.cluster_id}, {"firstUser", false}}}};
      break;
    }
    case Target::BuildInfo:
      body = {{"bootstrap-id", config_.commit}, {"version", config_.version}};
      break;
    case Target::AuthProviders:
      break;  // no way to log in: an empty object
    case Target::Health:
      return reply(out, json_answer(200, health(context.now)));
    case Target::Metrics:
      return reply(out, text_answer(200, "text/plain; version=0.0.4", metrics_.prometheus()));
    default:
      break;
  }
  out.kind = Decision::Kind::Reply;
  out.reply = json_answer(200, json::serialize(body) + "\n");
  bool cached = route.target == Target::Metadata || route.target == Target::Health;
  out.reply.fields += cached ? "Cache-Control: no-cache\r\n" : kNoStore;
}

// Clients find out that no login is needed by HEAD /pkgpanda/active.buildinfo.full.json without a
// token: it answers 200. Those that try to log in all the same are told so in the error form of the
// original's user service.
void Gateway::answer_auth(const Context& context, Decision& out) {
  if (context.path == "/acs/api/v1/auth/logout") return reply(out, json_answer(200, "{}\n"));
  json::object body{
      {"title", "Not Found"},
      {"description", "authentication disabled: this cluster has no login, requests need no token"},
      {"code", "ERR_AUTHENTICATION_DISABLED"}};
  out.kind = Decision::Kind::Reply;
  out.reply = json_answer(404, json::serialize(body) + "\n");
  out.reply.fields += kNoStore;
}

std::string Gateway::health(base::Now now) const {
  json::object mesos = source_json(table_.master_source(), now);
  if (table_.leader()) mesos["leader"] = table_.leader()->text();
  mesos["agents"] = table_.agent_count();
  mesos["frameworks"] = table_.framework_count();
  json::object marathon = source_json(table_.marathon_source(), now);
  marathon["routed_apps"] = table_.app_count();
  return json::serialize(json::object{{"healthy", true},
                                      {"sources", {{"mesos", mesos}, {"marathon", marathon}}}}) +
         "\n";
}

void Gateway::serve_file(const Context& context, Decision& out) {
  const RequestHead& head = context.head;
  if (!reading(head)) {
    LocalAnswer answer = error_answer(head, 405, "this can only be read.");
    answer.fields += "Allow: GET, HEAD\r\n";
    return reply(out, std::move(answer));
  }
  auto file = files_.find(context.path);
  // The dashboard's own addresses (/nodes, /services/x) are not files: a browser gets the page and
  // the page finds out.
  std::string_view last = context.path.substr(context.path.rfind('/') + 1);
  bool page = head.get(Name::Accept).find("text/html") != std::string_view::npos;
  if (!file && page && last.find('.') == std::string_view::npos) file = files_.find("/");
  if (!file) {
    if (context.path == "/")
      return reply(out, text_answer(200, "text/plain; charset=utf-8",
                                    "The gateway runs; no dashboard is installed.\n"));
    return reply(out, error_answer(head, 404, "no such file."));
  }
  LocalAnswer answer;
  bool hashed = context.path.starts_with("/assets/");
  answer.fields = fmt::format(
      "Content-Type: {}\r\nETag: {}\r\nCache-Control: {}\r\nX-Frame-Options: DENY\r\n"
      "X-Content-Type-Options: nosniff\r\n",
      file->type, file->etag, hashed ? "public, max-age=31536000, immutable" : "no-cache");
  std::string_view known = head.get(Name::IfNoneMatch);
  if (!known.empty() && has_token(known, file->etag)) {
    answer.status = 304;
  } else {
    answer.body = file->content;
  }
  reply(out, std::move(answer));
}

}  // namespace admin_router
