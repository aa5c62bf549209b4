#include "kernel/agent/api/task_stream.hpp"

#include <map>
#include <utility>

#include "base/http/sse.hpp"
#include "base/json/proto.hpp"
#include "base/json/writer.hpp"
#include "kernel/api/names.hpp"

namespace agent {
namespace {

using base::json::Writer;

constexpr size_t kMaxReaders = 64;
constexpr size_t kMaxBacklog = size_t{8} << 20;
constexpr base::Duration kHeartbeat = base::seconds(15);

using Key = std::pair<std::string, std::string>;  // framework and task

/// What can change in a task that has the same id: compared instead of whole messages.
struct Mark {
  mesos::v1::TaskState state{};
  size_t statuses = 0;
  std::string uuid;
  double timestamp = 0;
  bool operator==(const Mark&) const = default;
};

/// A task that is being killed gets no new connections, also where its framework does not know the state KILLING.
mesos::v1::TaskState shown_state(const Task& task) {
  return task.kill_wanted && !is_terminal(task.state) ? mesos::v1::TASK_KILLING : task.state;
}

Mark mark_of(const Task& task) {
  Mark mark{shown_state(task), task.statuses.size(), {}, 0};
  if (!task.statuses.empty()) {
    mark.uuid = task.statuses.back().uuid();
    mark.timestamp = task.statuses.back().timestamp();
  }
  return mark;
}

/// Tasks that have not ended.
template <class Visit>
void each_task(const State& state, Visit visit) {
  for (const auto& [framework_id, framework] : state.frameworks)
    for (const auto& [executor_id, executor] : framework.executors)
      for (const auto& [id, task] : executor.tasks)
        if (!is_terminal(task.state)) visit(framework, executor, task);
}

void write_ports(Writer& out, const mesos::v1::TaskInfo& info) {
  out.key("ports");
  out.begin_array();
  for (const auto& resource : info.resources()) {
    if (resource.name() != "ports") continue;
    for (const auto& range : resource.ranges().range())
      for (uint64_t port = range.begin(); port <= range.end() && port <= 65535; ++port) out.value(port);
  }
  out.end_array();
}

void write_task(Writer& out, const Framework& framework, const Task& task) {
  const auto& info = task.info;
  const auto put = [&out](std::string_view name, const google::protobuf::Message& message) {
    out.key(name);
    base::json::write_proto(out, message, api::v0_dialect());
  };
  out.begin_object();
  out.field("framework_id", framework.id());
  out.field("framework_name", framework.info.name());
  out.field("id", info.task_id().value());
  out.field("name", info.name());
  out.field("state", mesos::v1::TaskState_Name(shown_state(task)));
  if (!task.statuses.empty() && task.statuses.back().has_healthy())
    out.field("healthy", task.statuses.back().healthy());
  out.field("has_health_check", info.has_health_check());
  write_ports(out, info);
  if (info.has_labels()) put("labels", info.labels());
  if (info.has_discovery()) put("discovery", info.discovery());
  if (info.has_container()) put("container", info.container());
  // The newest status that knows the container's addresses.
  for (auto status = task.statuses.rbegin(); status != task.statuses.rend(); ++status) {
    if (!status->has_container_status()) continue;
    put("container_status", status->container_status());
    break;
  }
  out.end_object();
}

}  // namespace

struct TaskStreams::Impl {
  explicit Impl(Api& a) : api(a) {
    api.shell.on_turn([this] { turn(); });
    timer = api.loop.every(kHeartbeat, [this] { send(": \n\n"); });
  }

  ~Impl() {
    api.shell.on_turn(nullptr);
    api.loop.cancel(timer);
    for (auto& [id, stream] : readers) stream.abort();
  }

  std::string snapshot() const {
    std::string text;
    Writer out(text);
    out.begin_object();
    out.field("agent_id", api.agent_id());
    out.field("hostname", api.state().info.hostname());
    out.field("ip", api.shell.core().policy().ip);
    out.key("tasks");
    out.begin_array();
    each_task(api.state(), [&out](const Framework& framework, const Executor&, const Task& task) {
      write_task(out, framework, task);
    });
    out.end_array();
    out.end_object();
    return base::http::encode_sse({"snapshot", text, ""});
  }

  void open(const base::http::Responder& responder) {
    if (readers.size() >= kMaxReaders)
      return responder.reply(base::http::Response::text(503, "Too many readers of /tasks/stream\n"));
    compare();  // what the others have not heard yet must not be missing here
    base::http::Response head;
    head.headers.set("Content-Type", "text/event-stream");
    head.headers.set("Cache-Control", "no-cache");
    auto stream = responder.stream(std::move(head));
    const uint64_t id = next_reader++;
    stream.on_disconnect([this, id, weak = std::weak_ptr(alive)] {
      if (!weak.expired()) readers.erase(id);
    });
    stream.write(snapshot());
    readers.emplace(id, std::move(stream));
  }

  void turn() {
    if (readers.empty() || due) return;
    due = true;  // one comparison for all events of this turn of the loop
    api.loop.post([this, weak = std::weak_ptr(alive)] {
      if (weak.expired()) return;
      due = false;
      compare();
    });
  }

  /// Tells every reader what changed since the last call.
  void compare() {
    if (api.agent_id() != agent_id) {
      agent_id = api.agent_id();
      if (!readers.empty()) send(snapshot());
    }
    std::map<Key, Mark> now;
    std::string changes;
    each_task(api.state(), [&](const Framework& framework, const Executor&, const Task& task) {
      Key key{framework.id(), task.info.task_id().value()};
      Mark mark = mark_of(task);
      const auto found = known.find(key);
      if (!readers.empty() && (found == known.end() || found->second != mark)) {
        std::string text;
        Writer out(text);
        write_task(out, framework, task);
        changes += base::http::encode_sse({"task", text, ""});
      }
      now.emplace(std::move(key), std::move(mark));
    });
    for (const auto& [key, mark] : known) {
      if (now.contains(key) || readers.empty()) continue;
      std::string text;
      Writer out(text);
      out.begin_object();
      out.field("framework_id", key.first);
      out.field("id", key.second);
      out.end_object();
      changes += base::http::encode_sse({"removed", text, ""});
    }
    known = std::move(now);
    if (!changes.empty()) send(changes);
  }

  void send(const std::string& data) {
    for (auto it = readers.begin(); it != readers.end();) {
      it->second.write(data);
      if (it->second.queued_bytes() > kMaxBacklog) {
        it->second.abort();
        api.metrics.counter("slave/task_stream_readers_cut").increment();
        it = readers.erase(it);
      } else {
        ++it;
      }
    }
  }

  Api& api;
  std::map<uint64_t, base::http::Stream> readers;
  std::map<Key, Mark> known;
  std::string agent_id;
  uint64_t next_reader = 1;
  bool due = false;
  base::Loop::TimerId timer = 0;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

TaskStreams::TaskStreams(Api& api) : impl_(std::make_unique<Impl>(api)) {}
TaskStreams::~TaskStreams() = default;

void TaskStreams::handle(const base::http::Request& request, const base::http::Responder& responder) {
  // One stream for all readers: whoever may not see every task gets none.
  for (const auto action : {auth::Action::ViewFrameworks, auth::Action::ViewTasks})
    if (!impl_->api.access.allows_all(action, request.principal)) return responder.reply(base::http::Response::text(403, ""));
  if (impl_->api.recovering())
    return responder.reply(base::http::Response::text(503, "Agent has not finished recovery"));
  impl_->open(responder);
}

}  // namespace agent
