#include "l4lb/agent_stream.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <boost/json.hpp>

#include "base/http/sse.hpp"
#include "base/json/value.hpp"

namespace l4lb {
namespace {

constexpr base::Duration kFirstPause = base::milliseconds(100);
constexpr base::Duration kLongestPause = base::seconds(5);
constexpr base::Duration kSilence = base::seconds(40);  // the agent says something every 15 s
constexpr size_t kMaxTasks = 100'000;

}  // namespace

struct AgentStream::Impl : std::enable_shared_from_this<AgentStream::Impl> {
  Impl(base::Loop& l, base::http::Client& c, std::string u, Callbacks cb)
      : loop(l), client(c), url(std::move(u)), callbacks(std::move(cb)), random(base::Random::from_os()) {
    while (url.ends_with('/')) url.pop_back();
  }

  void connect() {
    retry = 0;
    decoder = {};
    failed = false;
    base::http::ClientRequest request;
    auto parsed = base::http::Url::parse(url + "/tasks/stream");
    if (!parsed) return callbacks.on_problem(parsed.error().message);
    request.url = *parsed;
    request.headers.set("Accept", "text/event-stream");
    request.timeout = base::seconds(10);
    base::http::StreamCallbacks stream;
    const auto weak = weak_from_this();
    stream.on_head = [weak](const base::http::Response& head) {
      if (const auto self = weak.lock()) self->on_head(head);
    };
    stream.on_data = [weak](std::string_view data) {
      if (const auto self = weak.lock()) self->on_data(data);
    };
    stream.on_end = [weak](const base::Status& status) {
      if (const auto self = weak.lock()) self->again(status ? "the agent ended the stream" : status.error().message);
    };
    call = client.stream(std::move(request), std::move(stream));
    watch();
  }

  void watch() {
    loop.cancel(silence);
    silence = loop.after(kSilence, [this] {
      call.cancel();
      again("the agent is silent");
    });
  }

  void on_head(const base::http::Response& head) {
    if (head.status == 200) return;
    call.cancel();
    again(fmt::format("the agent answers {}", head.status));
  }

  void on_data(std::string_view data) {
    watch();
    std::vector<base::http::SseEvent> events;
    decoder.feed(data, events);
    for (const auto& event : events) {
      const auto status = take(event);
      if (status) continue;
      call.cancel();
      return again(fmt::format("the event {} cannot be read: {}", event.event, status.error().message));
    }
  }

  base::Status take(const base::http::SseEvent& event) {
    ASSIGN_OR_RETURN(const auto value, base::json::parse(event.data));
    if (event.event == "snapshot") {
      AgentSnapshot snapshot{url, {}, {}};
      snapshot.ip = parse_address(base::json::get_string(value, "/ip").value_or("")).value_or(Address());
      const auto* tasks = base::json::find(value, "/tasks");
      if (!tasks || !tasks->is_array()) return base::invalid("/tasks is missing or no list");
      if (tasks->as_array().size() > kMaxTasks) return base::invalid("more tasks than a machine can have");
      for (const auto& each : tasks->as_array()) {
        ASSIGN_OR_RETURN(Task task, decode_task(each));
        snapshot.tasks.push_back(std::move(task));
      }
      is_connected = true;
      pause = kFirstPause;
      callbacks.on_event(std::move(snapshot));
    } else if (event.event == "task") {
      ASSIGN_OR_RETURN(Task task, decode_task(value));
      callbacks.on_event(TaskChanged{url, std::move(task)});
    } else if (event.event == "removed") {
      ASSIGN_OR_RETURN(std::string framework, base::json::get_string(value, "/framework_id"));
      ASSIGN_OR_RETURN(std::string id, base::json::get_string(value, "/id"));
      callbacks.on_event(TaskRemoved{url, std::move(framework), std::move(id)});
    }
    return {};
  }

  /// What the agent last said stays true until it says otherwise: its tasks go on without it.
  void again(const std::string& why) {
    if (failed) return;
    failed = true;
    loop.cancel(silence);
    if (is_connected || !told) callbacks.on_problem(why);
    told = true;
    is_connected = false;
    retry = loop.after(pause / 2 + random.jitter(pause / 2), [this] { connect(); });
    pause = std::min(pause * 2, kLongestPause);
  }

  base::Loop& loop;
  base::http::Client& client;
  std::string url;
  Callbacks callbacks;
  base::Random random;
  base::http::SseDecoder decoder;
  base::http::ClientCall call;
  base::Duration pause = kFirstPause;
  base::Loop::TimerId retry = 0, silence = 0;
  bool is_connected = false, failed = false, told = false;
};

AgentStream::AgentStream(base::Loop& loop, base::http::Client& client, std::string url, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(loop, client, std::move(url), std::move(callbacks))) {
  impl_->connect();
}

AgentStream::~AgentStream() {
  impl_->call.cancel();
  impl_->loop.cancel(impl_->retry);
  impl_->loop.cancel(impl_->silence);
  impl_->failed = true;
}

bool AgentStream::connected() const { return impl_->is_connected; }

}  // namespace l4lb
