// Fuzz entry point: a story of what the store, a master, executors and containers may say to an agent, in any bytes.
//
// Pieces are separated by a line "---". The first byte of a piece says what it is, the rest is its content:
//   r KEY\nJSON   R KEY\nBYTES      a record of the store, before the agent starts
//   m JSON        M BYTES           a message of the master
//   x JSON        X BYTES           a call of an executor on connection 1 (y and Y: on connection 2)
//   p JSON        P BYTES           a call of a resource provider on connection 3
//   k   l                           the link to the master comes up, or breaks
//   c   e   h                       containers run, end with 0, could not be launched
//   d                               connection 1 ends
//   f                               the store and the disk refuse from now on, or work again
//   t SECONDS                       time passes
// After the story the agent is started once more from what it wrote.

#include <cstdint>
#include <map>
#include <memory>

#include "base/check.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "base/testing/story.hpp"
#include "kernel/agent/checkpoint.hpp"
#include "kernel/agent/core.hpp"
#include "kernel/api/content.hpp"
#include "kernel/resources/parse.hpp"
#include "kernel/resources/proto.hpp"

namespace {

using api::ContentType;

constexpr size_t kMaxPieces = 32;

/// The message that the store has under such a key.
std::unique_ptr<google::protobuf::Message> message_of(std::string_view key) {
  using namespace dcos::agent::v1;
  const std::string_view kind = key.substr(0, key.find('/'));
  if (kind == "agent") return std::make_unique<AgentRecord>();
  if (kind == "framework") return std::make_unique<FrameworkRecord>();
  if (kind == "executor") return std::make_unique<ExecutorRecord>();
  if (kind == "task") return std::make_unique<TaskRecord>();
  if (kind == "update") return std::make_unique<UpdateRecord>();
  if (kind == "operation") return std::make_unique<mesos::v1::Operation>();
  if (kind == "resources") return std::make_unique<ResourcesRecord>();
  if (kind == "gc") return std::make_unique<GcRecord>();
  return nullptr;
}

class Story {
 public:
  void piece(std::string_view text) {
    if (text.empty()) return;
    const char kind = text[0];
    const std::string_view content = text.substr(text.size() > 1 && text[1] == ' ' ? 2 : 1);
    if (kind == 'r' || kind == 'R') return record(kind == 'R', content);
    start();
    const ContentType type = kind >= 'a' ? ContentType::Json : ContentType::Protobuf;
    switch (kind | 0x20) {
      case 'm': return master(type, content);
      case 'x': return executor(1, type, content);
      case 'y': return executor(2, type, content);
      case 'p': return provider(type, content);
      case 'k': return feed(agent::LinkConnected{});
      case 'l': return feed(agent::LinkDisconnected{"it broke"});
      case 'd': return feed(agent::ExecutorDisconnected{1});
      case 'c':
      case 'e':
      case 'h': return containers(kind | 0x20);
      case 'f': works_ = !works_; return;
      case 't': return pass(content);
      default: return;
    }
  }

  void end() {
    start();
    core_.reset();
    works_ = true;
    start();
    feed(agent::LinkConnected{});
    pass("100000");
  }

 private:
  void record(bool raw, std::string_view content) {
    if (core_) return;
    const size_t line = content.find('\n');
    const std::string_view key = content.substr(0, line);
    std::string value(line == std::string_view::npos ? std::string_view() : content.substr(line + 1));
    if (!raw) {
      const auto message = message_of(key);
      if (!message || !api::decode(ContentType::Json, value, *message)) return;
      value = message->SerializePartialAsString();
    }
    store_[std::string(key)] = value;
  }

  void start() {
    if (core_) return;
    agent::Policy policy;
    policy.info.set_hostname("h");
    policy.ip = "10.0.0.1";
    policy.work_dir = "/agent";
    policy.boot_id = "b";
    policy.version = "1.12.0";
    resources::to_proto(resources::must_parse("cpus:4;mem:1024;disk:1024;ports:[1-9]"), resources::Format::Post,
                        policy.info.mutable_resources());
    core_ = std::make_unique<agent::Core>(policy, base::Random(1));
    timers_.clear();
    ended_ = false;
    std::vector<base::StoreEntry> entries;
    for (const auto& [key, value] : store_) entries.push_back({key, value});
    feed(agent::decode_store(entries));
  }

  void master(ContentType type, std::string_view content) {
    agent::MasterSaid said;
    if (api::decode(type, content, said.message)) feed(std::move(said));
  }

  void executor(agent::ConnectionId connection, ContentType type, std::string_view content) {
    mesos::v1::executor::Call call;
    if (!api::decode(type, content, call)) return;
    if (call.type() == mesos::v1::executor::Call::SUBSCRIBE)
      feed(agent::ExecutorSubscribed{connection, std::move(call)});
    else
      feed(agent::ExecutorCalled{connection, std::move(call)});
  }

  /// Whatever id it says: that of the first provider there is.
  void provider(ContentType type, std::string_view content) {
    mesos::v1::resource_provider::Call call;
    if (!api::decode(type, content, call)) return;
    if (call.type() == mesos::v1::resource_provider::Call::SUBSCRIBE)
      return feed(agent::ProviderSubscribed{3, "stream", std::move(*call.mutable_subscribe()->mutable_resource_provider_info())});
    const auto& providers = core_->state().providers;
    if (providers.empty()) return;
    call.mutable_resource_provider_id()->set_value(providers.begin()->first);
    for (auto& resource : *call.mutable_update_state()->mutable_resources())
      resource.mutable_provider_id()->set_value(providers.begin()->first);
    feed(agent::ProviderCalled{4, "stream", std::move(call)});
  }

  void containers(int what) {
    const auto launched = launched_;
    for (const std::string& id : launched) {
      if (what == 'c') feed(agent::ContainerStarted{id, 100});
      if (what == 'h') feed(agent::ContainerLaunchFailed{id, "no"});
      containerizer::Termination end;
      end.status = 0;
      if (what == 'e') feed(agent::ContainerExited{id, end});
    }
  }

  void pass(std::string_view content) {
    const auto seconds = static_cast<int64_t>(base::parse_uint(content.substr(0, 6)).value_or(1));
    now_.instant = now_.instant + base::seconds(seconds);
    now_.time = now_.time + base::seconds(seconds);
    for (int fired = 0; fired < 64; ++fired) {
      const auto due = std::find_if(timers_.begin(), timers_.end(), [&](const auto& t) { return t.second <= now_.instant; });
      if (due == timers_.end()) return;
      const std::string timer = due->first;
      timers_.erase(due);
      feed(agent::TimerFired{timer});
    }
  }

  void feed(agent::Event event) {
    std::vector<agent::Event> events;
    events.push_back(std::move(event));
    const base::Status full = base::Error{base::Code::NoSpace, "full"};
    for (size_t i = 0; i < events.size() && i < 200 && !ended_; ++i) {
      agent::Effects out;
      core_->on(std::move(events[i]), now_, out);
      for (const auto& effect : out.list) {
        if (const auto* persist = std::get_if<agent::Persist>(&effect)) {
          for (const auto& write : persist->batch.writes) {
            if (!works_) continue;
            if (write.value) store_[write.key] = *write.value;
            else store_.erase(write.key);
          }
          events.push_back(agent::Persisted{works_ ? base::Status() : full});
        } else if (const auto* timer = std::get_if<agent::SetTimer>(&effect)) {
          timers_[timer->timer] = timer->at;
        } else if (const auto* cancel = std::get_if<agent::CancelTimer>(&effect)) {
          timers_.erase(cancel->timer);
        } else if (const auto* launch = std::get_if<agent::LaunchContainer>(&effect)) {
          launched_.insert(launch->spec.id);
        } else if (const auto* forget = std::get_if<agent::ForgetContainer>(&effect)) {
          launched_.erase(forget->container);
        } else if (const auto* send = std::get_if<agent::SendToMaster>(&effect)) {
          CHECK_MSG(send->message.IsInitialized(), send->message.InitializationErrorString());
        } else if (const auto* told = std::get_if<agent::SendToExecutor>(&effect)) {
          CHECK_MSG(told->event.IsInitialized(), told->event.InitializationErrorString());
        } else if (const auto* heard = std::get_if<agent::SendToProvider>(&effect)) {
          CHECK_MSG(heard->event.IsInitialized(), heard->event.InitializationErrorString());
        } else if (std::holds_alternative<agent::Exit>(effect)) {
          ended_ = true;
        } else if (std::holds_alternative<agent::RecoverContainers>(effect)) {
          events.push_back(agent::ContainersRecovered{});
        } else if (const auto* make = std::get_if<agent::MakeVolumes>(&effect)) {
          for (const auto& place : make->volumes) CHECK_MSG(place.path.starts_with("/agent/volumes/"), place.path);
          events.push_back(agent::VolumesChanged{make->operation, works_ ? base::Status() : full});
        } else if (const auto* remove = std::get_if<agent::RemoveVolumes>(&effect)) {
          for (const auto& place : remove->volumes) CHECK_MSG(place.path.starts_with("/agent/volumes/"), place.path);
          events.push_back(agent::VolumesChanged{remove->operation, works_ ? base::Status() : full});
        }
      }
    }
  }

  std::unique_ptr<agent::Core> core_;
  std::map<std::string, std::string> store_;
  std::map<std::string, base::Instant> timers_;
  std::set<std::string> launched_;
  base::Now now_{base::Instant{base::seconds(1000)}, base::Time{base::seconds(1'000'000)}};
  bool works_ = true, ended_ = false;
};

}  // namespace

int fuzz_agent(const uint8_t* data, size_t size) { return base::testing::tell_story<Story>(data, size, kMaxPieces); }
