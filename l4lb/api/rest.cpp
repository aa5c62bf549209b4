#include "l4lb/api/rest.hpp"

#include "base/http/sse.hpp"
#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "base/version.hpp"
#include "l4lb/api/render.hpp"

namespace l4lb {
namespace {

using base::http::Request;
using base::http::Responder;
using base::http::Response;

constexpr size_t kMaxWatchers = 64;
constexpr size_t kMaxBacklog = size_t{8} << 20;
constexpr base::Duration kHeartbeat = base::seconds(10);
constexpr std::string_view kRegistries[] = {"default", "dns", "l4lb", "lashup", "mesos_listener", "overlay"};

/// Metrics are named registry/metric; the registry's part stays, so that collectors may or may not add their prefix.
std::string prometheus(const base::Metrics& metrics, std::string_view registry) {
  const std::string all = metrics.prometheus();
  if (registry == "default" || registry.empty()) return all;
  std::string out;
  for (const std::string_view line : base::split(all, '\n')) {
    std::string_view name = line;
    if (name.starts_with("# ")) name = base::split(name, ' ').size() > 2 ? base::split(name, ' ')[2] : name;
    if (name.starts_with(registry)) (out += line) += '\n';
  }
  return out;
}

Response metrics_response(std::string text) {
  Response response = Response::text(200, std::move(text));
  response.headers.set("Content-Type", "text/plain; version=0.0.4");
  return response;
}

}  // namespace

struct Rest::Impl {
  Impl(Context c, base::http::Router& r) : context(std::move(c)), router(r) {
    timer = context.loop.every(kHeartbeat, [this] { send(": \n\n"); });
    add_information();
    add_names();
    add_lashup();
  }
  ~Impl() {
    context.loop.cancel(timer);
    for (auto& [id, stream] : watchers) stream.abort();
  }

  using Simple = std::function<void(const Request&, const Responder&)>;
  void get(const std::string& pattern, const std::string& sentence, Simple handler) {
    router.add("GET", pattern, sentence,
               [handler = std::move(handler)](Request request, Responder responder) { handler(request, responder); });
  }

  void add_information() {
    const Core& core = context.core;
    get("/v1/vips", "All virtual services with their backends, as they are replicated.",
        [&core](const Request& request, const Responder& responder) {
          const std::string tag = "\"" + vips_etag(core) + "\"";
          const auto known = request.headers.get("If-None-Match");
          Response response = known && *known == tag ? Response() : Response::json(200, render_vips(core));
          if (known && *known == tag) response.status = 304;
          response.headers.set("ETag", tag);
          responder.reply(std::move(response));
        });
    get("/v1/nodes", "The machines that take part.", [this](const Request&, const Responder& responder) {
      responder.reply(Response::json(200, render_nodes(context.core, context.loop.now())));
    });
    get("/v1/explain", "Which backends of ?vip= are used, and why the others are not.",
        [this](const Request& request, const Responder& responder) {
          const auto vip = request.query().get("vip");
          if (!vip || vip->empty())
            return responder.reply(Response::text(400, "say which: ?vip=name:port or ?vip=address:port\n"));
          const std::string text = render_explain(context.core, *vip, context.loop.now().instant);
          responder.reply(Response::json(text == "[]" ? 404 : 200, text));
        });
    get("/v1/health", "200 when the kernel forwards as it should.", [this](const Request&, const Responder& responder) {
      const std::string problem = context.dataplane_problem();
      responder.reply(Response::text(problem.empty() ? 200 : 503, problem.empty() ? "" : problem + "\n"));
    });
    get("/v1/version", "Name and version.", [](const Request&, const Responder& responder) {
      std::string text;
      base::json::Writer out(text);
      out.begin_object();
      out.field("Service", "dcos-dns");  // the name that clients of this API expect
      out.field("Version", base::kVersion);
      out.end_object();
      responder.reply(Response::json(200, text));
    });
    for (const char* path : {"/v1/config", "/v1/enumerate"})
      get(path, "Not implemented, as in the original.", [](const Request&, const Responder& responder) {
        responder.reply(Response::text(501, "Not Implemented\n"));
      });
    get("/v1/metrics", "All metrics as Prometheus text.", [this](const Request&, const Responder& responder) {
      responder.reply(metrics_response(prometheus(context.metrics, "default")));
    });
    get("/v1/metrics/{registry}", "The metrics of one registry.",
        [this](const Request& request, const Responder& responder) {
          const std::string& registry = request.parameters.at("registry");
          if (std::find(std::begin(kRegistries), std::end(kRegistries), registry) == std::end(kRegistries))
            return responder.reply(Response::text(404, "Unknown Registry"));
          responder.reply(metrics_response(prometheus(context.metrics, registry)));
        });
  }

  void add_names() {
    const Core& core = context.core;
    get("/v1/records", "The names and addresses of all virtual services.",
        [&core](const Request&, const Responder& responder) {
          responder.reply(Response::json(200, render_records(core.records())));
        });
    get("/v1/hosts/{host}", "The addresses of a name.", [&core](const Request& request, const Responder& responder) {
      responder.reply(Response::json(200, render_host(core, request.parameters.at("host"))));
    });
    get("/v1/services/{service}", "Service records: the zone of virtual services has none.",
        [](const Request&, const Responder& responder) { responder.reply(Response::json(200, "[]")); });
    get("/v1/watch", "Names and addresses as an event stream: a snapshot, then changes.",
        [this](const Request&, const Responder& responder) { open(responder); });
  }

  void add_lashup() {
    get("/lashup/key", "The public name of the cluster's key; the key itself is told to nobody.",
        [this](const Request&, const Responder& responder) {
          std::string text;
          base::json::Writer out(text);
          out.begin_object();
          out.field("zbase32_public_key", zbase32(context.key_fingerprint));
          out.end_object();
          responder.reply(Response::json(200, text));
        });
    get("/lashup/kv/{path...}", "What is replicated under a key.",
        [this](const Request& request, const Responder& responder) {
          const std::string& path = request.rest;
          std::string body = "[]";
          if (path == "minuteman/vips2" || path == "minuteman/vips") body = render_vips(context.core);
          if (path == "minuteman/nodemetadata") body = render_nodes(context.core, context.loop.now());
          if (path == "dns/zones/" + std::string(kZone)) body = render_records(context.core.records());
          Response response = Response::json(200, body);
          response.headers.set("clock", vips_etag(context.core));
          responder.reply(std::move(response));
        });
  }

  void open(const Responder& responder) {
    if (watchers.size() >= kMaxWatchers) return responder.reply(Response::text(503, "Too many readers of /v1/watch\n"));
    Response head;
    head.headers.set("Content-Type", "text/event-stream");
    head.headers.set("Cache-Control", "no-cache");
    auto stream = responder.stream(std::move(head));
    const uint64_t id = next++;
    stream.on_disconnect([this, id, weak = std::weak_ptr(alive)] {
      if (!weak.expired()) watchers.erase(id);
    });
    stream.write(base::http::encode_sse({"snapshot", render_records(context.core.records()), ""}));
    watchers.emplace(id, std::move(stream));
  }

  void send(const std::string& data) {
    for (auto it = watchers.begin(); it != watchers.end();) {
      it->second.write(data);
      if (it->second.queued_bytes() > kMaxBacklog) {
        it->second.abort();
        it = watchers.erase(it);
      } else {
        ++it;
      }
    }
  }

  Context context;
  base::http::Router& router;
  std::map<uint64_t, base::http::Stream> watchers;
  uint64_t next = 1;
  base::Loop::TimerId timer = 0;
  std::shared_ptr<int> alive = std::make_shared<int>(0);
};

Rest::Rest(Context context, base::http::Router& router) : impl_(std::make_unique<Impl>(std::move(context), router)) {}
Rest::~Rest() = default;

void Rest::publish(const RecordsChanged& changed) {
  if (!impl_->watchers.empty()) impl_->send(base::http::encode_sse({"delta", render_delta(changed), ""}));
}

}  // namespace l4lb
