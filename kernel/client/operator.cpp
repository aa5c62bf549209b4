#include "kernel/client/operator.hpp"

#include "base/http/client.hpp"
#include "base/check.hpp"
#include "base/log.hpp"
#include "kernel/client/detector.hpp"
#include "kernel/client/http_options.hpp"

namespace client {
namespace {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

}  // namespace

struct Operator::Impl : std::enable_shared_from_this<Operator::Impl> {
  Impl(base::Loop& l, OperatorOptions o, Callbacks c)
      : loop(l),
        zookeeper(!o.masters.empty() && base::zk::is_url(o.masters.front()) ? o.masters.front() : ""),
        https(o.https),
        http(l, http_options(l, o.https, o.tls, 4, 1)),
        protocol(std::move(o), base::Random::from_os()),
        callbacks(std::move(c)) {}

  void perform(OperatorEffects effects) {
    using namespace operator_effects;
    for (OperatorEffect& effect : effects) {
      std::visit(Overloaded{
                     [&](OpenStream& e) { open(std::move(e)); },
                     [&](CloseStream&) { close(); },
                     [&](SetTimer& e) { set_timer(e.at); },
                     [&](Snapshot& e) { callbacks.on_snapshot(e.master, e.event); },
                     [&](Change& e) { callbacks.on_change(e.event); },
                     [&](Lost& e) {
                       LOG_WARNING("the master's event stream ended: {}", e.reason);
                       if (callbacks.on_lost) callbacks.on_lost(e.reason);
                     },
                     [&](Note& e) { LOG_INFO("{}", e.text); },
                 },
                 effect);
    }
  }

  void close() {
    ++stream_number;
    stream.cancel();
    stream = {};
  }

  void open(operator_effects::OpenStream e) {
    close();
    base::http::ClientRequest request;
    request.method = "POST";
    request.url.scheme = https ? "https" : "http";
    const size_t colon = e.master.rfind(':');
    request.url.host = e.master.substr(0, colon);
    request.url.port = static_cast<uint16_t>(std::stoul(e.master.substr(colon + 1)));
    request.url.target = e.path;
    request.headers = std::move(e.headers);
    request.body = std::move(e.body);
    stream = http.stream(std::move(request), callbacks_of_stream());
  }

  base::http::StreamCallbacks callbacks_of_stream() {
    // What an earlier stream still has to say is not heard.
    const auto current = [weak = weak_from_this(), number = stream_number]() -> std::shared_ptr<Impl> {
      auto self = weak.lock();
      return self && self->stream_number == number ? self : nullptr;
    };
    base::http::StreamCallbacks events;
    events.on_head = [current](const base::http::Response& head) {
      if (auto self = current()) {
        OperatorEffects out;
        self->protocol.on_head(head.status, head.headers, self->loop.now().instant, out);
        self->perform(std::move(out));
      }
    };
    events.on_data = [current](std::string_view data) {
      if (auto self = current()) {
        OperatorEffects out;
        self->protocol.on_data(data, self->loop.now().instant, out);
        self->perform(std::move(out));
      }
    };
    events.on_end = [current](base::Status status) {
      if (auto self = current()) {
        OperatorEffects out;
        self->protocol.on_end(status ? "" : status.error().message, self->loop.now().instant, out);
        self->perform(std::move(out));
      }
    };
    return events;
  }

  void set_timer(base::Instant at) {
    loop.cancel(timer);
    timer = loop.at(at, [weak = weak_from_this()] {
      auto self = weak.lock();
      if (!self) return;
      OperatorEffects out;
      self->protocol.on_timer(self->loop.now().instant, out);
      self->perform(std::move(out));
    });
  }

  /// With "zk://..." for masters: who leads is looked for as long as this lives.
  void detect() {
    auto url = base::zk::parse_url(zookeeper);
    CHECK(url.has_value());  // parse_masters has read it
    detector = std::make_unique<Detector>(loop, *url, [this](const std::optional<std::string>& master) {
      OperatorEffects out;
      protocol.on_leader(master, loop.now().instant, out);
      perform(std::move(out));
    });
    detector->start();
  }

  base::Loop& loop;
  std::string zookeeper{};  // the URL; empty: masters are named
  bool https;
  base::http::Client http;
  OperatorProtocol protocol;
  Callbacks callbacks;
  base::http::ClientCall stream;
  uint64_t stream_number = 0;
  base::Loop::TimerId timer = 0;
  std::unique_ptr<Detector> detector{};
};

Operator::Operator(base::Loop& loop, OperatorOptions options, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(loop, std::move(options), std::move(callbacks))) {}

Operator::~Operator() {
  impl_->detector.reset();
  impl_->loop.cancel(impl_->timer);
  impl_->close();
}

void Operator::start() {
  OperatorEffects out;
  impl_->protocol.start(impl_->loop.now().instant, out);
  impl_->perform(std::move(out));
  if (!impl_->zookeeper.empty()) impl_->detect();
}

bool Operator::subscribed() const { return impl_->protocol.subscribed(); }

}  // namespace client
