#include "marathon/event_streams.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/json/writer.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "marathon/errors.hpp"

namespace marathon {
namespace {

constexpr base::Duration kKeepAlive = base::seconds(10);
constexpr size_t kMaxPast = 10'000;
constexpr size_t kMaxPastBytes = 8 << 20;

}  // namespace

EventStreams::EventStreams(base::Loop& loop, size_t max_outstanding, std::string run, Callbacks callbacks)
    : loop_(loop), max_outstanding_(max_outstanding), callbacks_(std::move(callbacks)), run_(std::move(run)) {
  timer_ = loop_.every(kKeepAlive, [this] { keep_alive(); });
}

EventStreams::~EventStreams() {
  *alive_ = false;
  loop_.cancel(timer_);
  for (auto& [id, subscriber] : streams_) subscriber.stream.close();
}

void EventStreams::handle(const base::http::Request& request, const base::http::Responder& responder,
                          const base::http::Headers& common, std::shared_ptr<const Viewer> viewer) {
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
  subscriber.viewer = std::move(viewer);
  for (const std::string& type : request.query().all("event_type")) subscriber.types.insert(type);
  const uint64_t id = next_++;
  subscriber.stream.on_disconnect([this, id] { remove(id); });
  subscriber.stream.on_drained([this, id] {
    if (const auto it = streams_.find(id); it != streams_.end()) it->second.outstanding = 0;
  });
  const std::string remote = subscriber.remote;
  flush();  // what came before it is its past
  if (const auto last = request.headers.get("Last-Event-ID")) replay(subscriber, *last);
  streams_.emplace(id, std::move(subscriber));
  callbacks_.on_open(remote);
}

bool EventStreams::is_for(const Subscriber& subscriber, const Past& event) {
  if (!subscriber.types.contains(event.type) && !(subscriber.types.empty() && !event.on_request)) return false;
  const Viewer* viewer = subscriber.viewer.get();
  return !viewer || event.about.empty() ||
         std::any_of(event.about.begin(), event.about.end(), [&](const Subject& subject) { return viewer->sees(subject); });
}

void EventStreams::replay(Subscriber& subscriber, std::string_view last_id) {
  const std::string prefix = run_ + "-";
  std::optional<uint64_t> number;
  if (last_id.starts_with(prefix)) {
    if (const auto parsed = base::parse_uint(last_id.substr(prefix.size()))) number = *parsed;
  }
  const uint64_t oldest = past_.empty() ? next_event_ : past_.front().number;
  if (!number || *number + 1 < oldest || *number >= next_event_) {
    // Something may be missing: whoever keeps a picture of the cluster must read it anew.
    std::string data;
    base::json::Writer w(data);
    w.begin_object();
    w.field("eventType", "event_stream_gap");
    w.field("lastEventId", base::valid_utf8(last_id.substr(0, 100)));
    w.field("timestamp", base::render_iso8601(loop_.now().time));
    w.end_object();
    subscriber.stream.write("event: event_stream_gap\r\ndata: " + data + "\r\n\r\n");
  }
  // Of another run: everything that this one has is news.
  const uint64_t after = number && *number < next_event_ ? *number : 0;
  for (const Past& past : past_) {
    if (past.number > after && is_for(subscriber, past)) subscriber.stream.write(past.frame);
  }
}

void EventStreams::remember(Past past) {
  past_bytes_ += past.frame->size();
  past_.push_back(std::move(past));
  while (past_.size() > kMaxPast || past_bytes_ > kMaxPastBytes) {
    past_bytes_ -= past_.front().frame->size();
    past_.pop_front();
  }
}

void EventStreams::publish(const Publish& event) {
  const uint64_t number = next_event_++;
  Past past{number, event.type, nullptr, event.on_request, event.about};
  past.frame = std::make_shared<const std::string>("event: " + event.type + "\r\nid: " + run_ + "-" + std::to_string(number) +
                                                   "\r\ndata: " + event.data + "\r\n\r\n");
  if (batch_.empty()) {
    loop_.post([this, alive = alive_] {
      if (*alive) flush();
    });
  }
  batch_.push_back(past);
  remember(std::move(past));
}

/// One write per stream and turn, of one text for all who want and may see everything: the work grows with the streams,
/// not with streams times events.
void EventStreams::flush() {
  if (batch_.empty()) return;
  const std::vector<Past> batch = std::exchange(batch_, {});
  auto everything = std::make_shared<std::string>();
  size_t count = 0;
  for (const Past& event : batch) {
    if (event.on_request) continue;
    *everything += *event.frame;
    ++count;
  }
  std::vector<uint64_t> slow;
  for (auto& [id, subscriber] : streams_) {
    // A burst alone makes nobody slow: what counts is what was not taken before it.
    if (subscriber.outstanding > max_outstanding_) {
      slow.push_back(id);
    } else if (subscriber.types.empty() && !subscriber.viewer) {
      subscriber.outstanding += count;
      if (count > 0) subscriber.stream.write(everything);
    } else {
      for (const Past& event : batch) {
        if (!is_for(subscriber, event)) continue;
        ++subscriber.outstanding;
        subscriber.stream.write(event.frame);
      }
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
