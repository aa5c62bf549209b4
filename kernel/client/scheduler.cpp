#include "kernel/client/scheduler.hpp"

#include "base/http/client.hpp"
#include "base/check.hpp"
#include "base/log.hpp"
#include "kernel/client/detector.hpp"
#include "kernel/client/http_options.hpp"

namespace client {
namespace {

constexpr base::Duration kCallTimeout = base::seconds(30);

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

base::http::ClientRequest make_request(bool https, const std::string& master, const std::string& path,
                                       base::http::Headers headers, std::string body) {
  base::http::ClientRequest request;
  request.method = "POST";
  request.url.scheme = https ? "https" : "http";
  const size_t colon = master.rfind(':');
  request.url.host = master.substr(0, colon);
  request.url.port = static_cast<uint16_t>(std::stoul(master.substr(colon + 1)));
  request.url.target = path;
  request.headers = std::move(headers);
  request.body = std::move(body);
  request.timeout = kCallTimeout;
  return request;
}

}  // namespace

struct Scheduler::Impl : std::enable_shared_from_this<Scheduler::Impl> {
  Impl(base::Loop& l, ProtocolOptions options, mesos::v1::FrameworkInfo framework, Callbacks c)
      : loop(l),
        https(options.https),
        http(l, http_options(l, options.https, options.tls, 16, 16)),
        protocol(std::move(options), std::move(framework), base::Random::from_os()),
        callbacks(std::move(c)) {}

  /// Performs effects in order. Callbacks may call send(), whose effects run at once.
  void perform(Effects effects) {
    for (Effect& effect : effects) {
      std::visit(Overloaded{
                     [&](OpenStream& e) {
                       if (may_act()) open(std::move(e));
                     },
                     [&](CloseStream&) { close(); },
                     [&](PostCall& e) {
                       if (may_act()) post(std::move(e));
                     },
                     [&](SetTimer& e) { set_timer(e.at); },
                     [&](DeliverEvent& e) { callbacks.on_event(std::move(e.event)); },
                     [&](Disconnected& e) {
                       LOG_WARNING("disconnected from the master: {}", e.reason);
                       if (callbacks.on_disconnected) callbacks.on_disconnected(e.reason, e.final);
                     },
                     [&](Note& e) { LOG_INFO("{}", e.text); },
                 },
                 effect);
    }
  }

  bool may_act() const { return !callbacks.may_act || callbacks.may_act(); }

  void close() {
    ++stream_number;
    stream.cancel();
    stream = {};
  }

  void open(OpenStream e) {
    close();
    const uint64_t number = stream_number;
    std::weak_ptr<Impl> weak = weak_from_this();
    // What an earlier stream still has to say is not heard.
    const auto current = [weak, number]() -> std::shared_ptr<Impl> {
      auto self = weak.lock();
      return self && self->stream_number == number ? self : nullptr;
    };
    base::http::StreamCallbacks events;
    events.on_head = [current](const base::http::Response& head) {
      if (auto self = current()) {
        Effects out;
        self->protocol.on_head(head.status, head.headers, self->loop.now().instant, out);
        self->perform(std::move(out));
      }
    };
    events.on_data = [current](std::string_view data) {
      if (auto self = current()) {
        Effects out;
        self->protocol.on_data(data, self->loop.now().instant, out);
        self->perform(std::move(out));
      }
    };
    events.on_end = [current](base::Status status) {
      if (auto self = current()) {
        Effects out;
        self->protocol.on_end(status ? "" : status.error().message, self->loop.now().instant, out);
        self->perform(std::move(out));
      }
    };
    stream = http.stream(make_request(https, e.master, e.path, std::move(e.headers), std::move(e.body)),
                         std::move(events));
  }

  void post(PostCall e) {
    std::weak_ptr<Impl> weak = weak_from_this();
    http.request(make_request(https, e.master, e.path, std::move(e.headers), std::move(e.body)),
                 [weak, id = e.id](base::Result<base::http::Response> answer) {
                   auto self = weak.lock();
                   if (!self) return;
                   Effects out;
                   self->protocol.on_call_done(id, answer ? answer->status : 0,
                                               answer ? answer->body : answer.error().message,
                                               self->loop.now().instant, out);
                   self->perform(std::move(out));
                 });
  }

  void set_timer(base::Instant at) {
    loop.cancel(timer);
    std::weak_ptr<Impl> weak = weak_from_this();
    timer = loop.at(at, [weak] {
      auto self = weak.lock();
      if (!self) return;
      Effects out;
      self->protocol.on_timer(self->loop.now().instant, out);
      self->perform(std::move(out));
    });
  }

  /// With "zk://..." for masters: who leads is looked for as long as this lives.
  void detect(const std::string& masters) {
    auto url = base::zk::parse_url(masters);
    CHECK(url.has_value());  // parse_masters has read it
    detector = std::make_unique<Detector>(loop, *url, [this](const std::optional<std::string>& master) {
      Effects out;
      protocol.on_leader(master, loop.now().instant, out);
      perform(std::move(out));
    });
    detector->start();
  }

  base::Loop& loop;
  bool https;
  base::http::Client http;
  Protocol protocol;
  Callbacks callbacks;
  base::http::ClientCall stream;
  uint64_t stream_number = 0;
  base::Loop::TimerId timer = 0;
  std::string zookeeper{};  // the URL; empty: masters are named
  std::unique_ptr<Detector> detector{};
};

Scheduler::Scheduler(base::Loop& loop, ProtocolOptions options, mesos::v1::FrameworkInfo framework,
                     Callbacks callbacks) {
  const std::string masters = options.masters.empty() ? "" : options.masters.front();
  impl_ = std::make_shared<Impl>(loop, std::move(options), std::move(framework), std::move(callbacks));
  if (base::zk::is_url(masters)) impl_->zookeeper = masters;
}

Scheduler::~Scheduler() {
  impl_->detector.reset();
  impl_->loop.cancel(impl_->timer);
  impl_->close();
}

void Scheduler::start() {
  Effects out;
  impl_->protocol.start(impl_->loop.now().instant, out);
  impl_->perform(std::move(out));
  if (!impl_->zookeeper.empty()) impl_->detect(impl_->zookeeper);
}

bool Scheduler::send(const mesos::v1::scheduler::Call& call) {
  Effects out;
  const bool sent = impl_->protocol.send(call, out);
  impl_->perform(std::move(out));
  return sent;
}

const std::string& Scheduler::framework_id() const { return impl_->protocol.framework_id(); }
const std::string& Scheduler::master() const { return impl_->protocol.master(); }

}  // namespace client
