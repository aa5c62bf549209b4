#include "base/ha/leader_proxy.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "base/strings.hpp"

namespace base::ha {

namespace {

constexpr const char* kNoLeader = "Could not determine the current leader";
constexpr const char* kLoop = "Detected proxying loop.";
constexpr const char* kRefused = "Connection to leader refused.";
constexpr const char* kTimeout = "Connection to leader timed out.";
constexpr const char* kBroken = "Failed to successfully establish a connection to the leader.";
constexpr const char* kForwardedFor = "X-Forwarded-For";

constexpr size_t kMostQueued = 1 << 20;  // bytes of an answer that the client has not taken yet

/// They speak about one connection, and are not passed on.
bool is_of_connection(std::string_view name) {
  static constexpr std::string_view kNames[] = {"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization",
                                                "TE",         "Trailer",    "Transfer-Encoding",  "Upgrade",
                                                "Proxy-Connection"};
  return std::any_of(std::begin(kNames), std::end(kNames), [&](std::string_view each) { return iequals(each, name); });
}

bool has_body(const std::string& method, int status) {
  return method != "HEAD" && status != 204 && status != 304 && status >= 200;
}

/// An answer under way through us.
struct Passage {
  http::Stream stream{};
  http::ClientCall call{};
  bool answered = false;  // the head is passed on
  bool paused = false;
};

int status_of(const Error& error) { return error.code == Code::Timeout ? 504 : 502; }

const char* text_of(const Error& error) {
  if (error.code == Code::Timeout) return kTimeout;
  return error.code == Code::Unavailable ? kRefused : kBroken;
}

}  // namespace

LeaderProxy::LeaderProxy(Loop& loop, Options options, Callbacks callbacks)
    : loop_(loop),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      client_(loop, {.max_connections_per_host = options_.max_connections,
                     .connect_timeout = options_.connect_timeout,
                     .tls = options_.tls}) {}

LeaderProxy::~LeaderProxy() {
  for (const auto& each : waiting_) loop_.cancel(each->timer);
}

void LeaderProxy::handle(http::Request request, http::Responder responder) {
  if (callbacks_.leading()) return callbacks_.serve(std::move(request), std::move(responder));
  const auto leader = callbacks_.elsewhere();
  if (!leader) return wait(std::move(request), std::move(responder));
  forward(*leader, std::move(request), responder);
}

void LeaderProxy::redirect(const http::Request& request, const http::Responder& responder) {
  const auto leader = callbacks_.elsewhere();
  if (!leader) return responder.reply(callbacks_.refuse(503, kNoLeader));
  http::Response response;
  response.status = 302;
  response.headers.set("Location", *leader + request.target);
  responder.reply(std::move(response));
}

void LeaderProxy::wait(http::Request request, http::Responder responder) {
  if (waiting_.size() >= options_.max_waiting) return responder.reply(callbacks_.refuse(503, kNoLeader));
  auto entry = std::make_shared<Waiting>(Waiting{std::move(request), std::move(responder)});
  const std::weak_ptr<Waiting> weak = entry;
  entry->responder.on_disconnect([weak] {
    if (const auto self = weak.lock()) self->gone = true;
  });
  entry->timer = loop_.after(options_.wait, [this, weak] {
    const auto self = weak.lock();
    if (!self) return;
    waiting_.remove(self);
    if (!self->gone) self->responder.reply(callbacks_.refuse(503, kNoLeader));
  });
  waiting_.push_back(std::move(entry));
}

void LeaderProxy::leader_changed() {
  if (!callbacks_.leading() && !callbacks_.elsewhere()) return;
  auto entries = std::move(waiting_);
  waiting_.clear();
  for (const auto& entry : entries) {
    loop_.cancel(entry->timer);
    if (!entry->gone) handle(std::move(entry->request), entry->responder);
  }
}

void LeaderProxy::forward(const std::string& leader, http::Request request, const http::Responder& responder) {
  const std::string via = options_.via_prefix + options_.self;
  const std::string leader_name = leader.substr(leader.find("://") + 3);
  for (const auto& [name, value] : request.headers.all()) {
    if (iequals(name, options_.via_header) && value == via) return responder.reply(callbacks_.refuse(502, kLoop));
  }
  auto url = http::Url::parse(leader + request.target);
  if (!url) {
    LOG_ERROR("the address of the leading process makes no sense: {}", url.error().message);
    return responder.reply(callbacks_.refuse(502, kBroken));
  }
  http::ClientRequest out;
  out.method = request.method;
  out.url = std::move(*url);
  out.timeout = options_.head_timeout;
  std::string forwarded;
  for (const auto& [name, value] : request.headers.all()) {
    if (iequals(name, kForwardedFor)) forwarded += value + ",";
    if (is_of_connection(name) || iequals(name, "Host") || iequals(name, "Content-Length") || iequals(name, kForwardedFor))
      continue;
    out.headers.add(name, value);
  }
  out.headers.add(kForwardedFor, forwarded + request.remote_address.substr(0, request.remote_address.rfind(':')));
  out.headers.add(options_.via_header, via);
  if (!options_.leader_header.empty()) out.headers.set(options_.leader_header, leader_name);
  out.body = std::move(request.body);

  auto passage = std::make_shared<Passage>();
  http::StreamCallbacks callbacks;
  callbacks.on_head = [this, passage, responder, via, leader_name, method = out.method](const http::Response& head) {
    http::Response answer;
    answer.status = head.status;
    for (const auto& [name, value] : head.headers.all()) {
      if (!is_of_connection(name)) answer.headers.add(name, value);
    }
    answer.headers.add(options_.via_header, via);
    if (!options_.leader_header.empty()) answer.headers.set(options_.leader_header, leader_name);
    passage->answered = true;
    if (!has_body(method, head.status)) {
      answer.headers.remove("Content-Length");
      return responder.reply(std::move(answer));
    }
    passage->stream = responder.stream(std::move(answer));
    passage->stream.on_disconnect([weak = std::weak_ptr(passage)] {
      if (const auto self = weak.lock()) self->call.cancel();
    });
    passage->stream.on_drained([weak = std::weak_ptr(passage)] {
      const auto self = weak.lock();
      if (!self || !self->paused) return;
      self->paused = false;
      self->call.pause(false);
    });
  };
  callbacks.on_data = [passage](std::string_view data) {
    if (!passage->stream) return;
    passage->stream.write(std::string(data));
    if (passage->paused || passage->stream.queued_bytes() <= kMostQueued) return;
    passage->paused = true;
    passage->call.pause(true);
  };
  callbacks.on_end = [this, passage, responder](Status status) {
    if (!passage->answered) {
      const Error error = status ? Error{Code::BadGateway, "no answer"} : status.error();
      LOG_WARNING("a request could not be passed on: {}", error.message);
      return responder.reply(callbacks_.refuse(status_of(error), text_of(error)));
    }
    if (!passage->stream) return;
    status ? passage->stream.close() : passage->stream.abort();
  };
  passage->call = client_.stream(std::move(out), std::move(callbacks));
  responder.on_disconnect([weak = std::weak_ptr(passage)] {
    if (const auto self = weak.lock()) self->call.cancel();
  });
}

}  // namespace base::ha
