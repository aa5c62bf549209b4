#include "marathon/event_streams.hpp"

#include <vector>

#include "marathon/errors.hpp"

namespace marathon {
namespace {

constexpr base::Duration kKeepAlive = base::seconds(10);

}  // namespace

EventStreams::EventStreams(base::Loop& loop, size_t max_outstanding, Callbacks callbacks)
    : loop_(loop), max_outstanding_(max_outstanding), callbacks_(std::move(callbacks)) {
  timer_ = loop_.every(kKeepAlive, [this] { keep_alive(); });
}

EventStreams::~EventStreams() {
  loop_.cancel(timer_);
  for (auto& [id, subscriber] : streams_) subscriber.stream.close();
}

void EventStreams::handle(const base::http::Request& request, const base::http::Responder& responder,
                          const base::http::Headers& common) {
  const std::string_view accept = request.headers.get_or("Accept", "");
  if (request.method != "GET" || accept.find("text/event-stream") == std::string_view::npos) {
    auto response = render(refuse(405, "event streams are read by GET with 'Accept: text/event-stream'"));
    response.headers.set("Allow", "GET");
    return responder.reply(std::move(response));
  }
  base::http::Response head;
  head.headers = common;
  head.headers.set("Content-Type", "text/event-stream;charset=UTF-8");
  Subscriber subscriber;
  subscriber.stream = responder.stream(std::move(head));
  subscriber.remote = request.remote_address;
  for (const std::string& type : request.query().all("event_type")) subscriber.types.insert(type);
  const uint64_t id = next_++;
  subscriber.stream.on_disconnect([this, id] { remove(id); });
  subscriber.stream.on_drained([this, id] {
    if (const auto it = streams_.find(id); it != streams_.end()) it->second.outstanding = 0;
  });
  const std::string remote = subscriber.remote;
  streams_.emplace(id, std::move(subscriber));
  callbacks_.on_open(remote);
}

void EventStreams::publish(const std::string& type, const std::string& data) {
  if (streams_.empty()) return;
  const std::string frame = "event: " + type + "\r\ndata: " + data + "\r\n\r\n";
  std::vector<uint64_t> slow;
  for (auto& [id, subscriber] : streams_) {
    if (!subscriber.types.empty() && !subscriber.types.contains(type)) continue;
    if (++subscriber.outstanding > max_outstanding_) {
      slow.push_back(id);
    } else {
      subscriber.stream.write(frame);
    }
  }
  for (uint64_t id : slow) {
    const auto it = streams_.find(id);
    if (it == streams_.end()) continue;
    it->second.stream.abort();
    remove(id);
  }
}

void EventStreams::remove(uint64_t id) {
  const auto it = streams_.find(id);
  if (it == streams_.end()) return;
  const std::string remote = it->second.remote;
  streams_.erase(it);
  callbacks_.on_close(remote);
}

void EventStreams::keep_alive() {
  for (auto& [id, subscriber] : streams_) {
    // A reader that has not taken what it has is alive or cut off by publish.
    if (subscriber.stream.queued_bytes() == 0) subscriber.stream.write("\r\n");
  }
}

}  // namespace marathon
