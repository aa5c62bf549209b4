#include "dns/vip_watch.hpp"

#include <algorithm>

#include "base/http/client.hpp"
#include "base/http/sse.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "dns/vips.hpp"

namespace dns {
namespace {

constexpr base::Duration kSilence = base::seconds(45);  // three comments of the sender
constexpr base::Duration kFirstPause = base::milliseconds(200), kLongestPause = base::seconds(5);

}  // namespace

struct VipWatch::Impl : std::enable_shared_from_this<VipWatch::Impl> {
  Impl(base::Loop& l, std::string u, std::function<void(Event)> e)
      : loop(l), http(l, {.max_connections_per_host = 2, .max_idle_per_host = 1}), url(std::move(u)), on_event(std::move(e)) {}

  void connect() {
    ++attempt;
    call.cancel();
    seen = false;
    decoder = {};
    auto target = base::http::Url::parse(url + "/v1/watch");
    if (!target) return;  // the configuration was checked
    base::http::ClientRequest request;
    request.url = *target;
    request.headers.add("Accept", "text/event-stream");
    const auto current = [weak = weak_from_this(), number = attempt]() -> std::shared_ptr<Impl> {
      auto self = weak.lock();
      return self && self->attempt == number ? self : nullptr;
    };
    base::http::StreamCallbacks events;
    events.on_head = [current](const base::http::Response& head) {
      auto self = current();
      if (!self) return;
      if (head.status != 200) return self->lose("it answers " + std::to_string(head.status));
      self->set_timer(kSilence, "it fell silent");
    };
    events.on_data = [current](std::string_view data) {
      if (auto self = current()) self->on_data(data);
    };
    events.on_end = [current](base::Status status) {
      if (auto self = current()) self->lose(status ? "it closed the stream" : status.error().message);
    };
    call = http.stream(std::move(request), std::move(events));
    set_timer(kSilence, "no answer");
  }

  void set_timer(base::Duration wait, const char* reason) {
    loop.cancel(timer);
    timer = loop.after(wait, [weak = weak_from_this(), reason] {
      if (auto self = weak.lock()) self->lose(reason);
    });
  }

  /// What was told stays served: the addresses are l4lb's promise, not the stream's.
  void lose(const std::string& reason) {
    ++attempt;
    call.cancel();
    seen = false;
    if (reason != told) LOG_WARNING("no virtual addresses from {}: {}", url, reason);
    told = reason;
    loop.cancel(timer);
    base::Duration wait = std::min<base::Duration>(kFirstPause * (1 << std::min(failures++, 8)), kLongestPause);
    timer = loop.after(wait / 2 + random.jitter(wait / 2), [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->connect();
    });
  }

  void on_data(std::string_view data) {
    set_timer(kSilence, "it fell silent");
    std::vector<base::http::SseEvent> events;
    decoder.feed(data, events);
    for (const auto& event : events) {
      if (event.event == "snapshot") {
        auto vips = parse_vip_snapshot(event.data);
        if (!vips) return lose("a snapshot that does not decode: " + vips.error().message);
        seen = true;
        failures = 0;
        told.clear();
        on_event(VipsSeen{std::move(*vips)});
      } else if (event.event == "delta" && seen) {
        auto delta = parse_vip_delta(event.data);
        if (!delta) return lose("a change that does not decode: " + delta.error().message);
        on_event(VipsChanged{std::move(delta->added), std::move(delta->removed)});
      }
    }
  }

  base::Loop& loop;
  base::http::Client http;
  std::string url;
  std::function<void(Event)> on_event;
  base::Random random = base::Random::from_os();
  base::http::ClientCall call;
  base::http::SseDecoder decoder;
  base::Loop::TimerId timer = 0;
  uint64_t attempt = 0;
  int failures = 0;
  bool seen = false;
  std::string told;
};

VipWatch::VipWatch(base::Loop& loop, std::string url, std::function<void(Event)> on_event)
    : impl_(std::make_shared<Impl>(loop, std::move(url), std::move(on_event))) {}

VipWatch::~VipWatch() {
  impl_->loop.cancel(impl_->timer);
  ++impl_->attempt;
  impl_->call.cancel();
}

void VipWatch::start() { impl_->connect(); }
bool VipWatch::connected() const { return impl_->seen; }

}  // namespace dns
