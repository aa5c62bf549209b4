// Fuzz entry point: a story of what schedulers, operators, agents and the store may say to a master, in any bytes.
//
// Pieces are separated by a line "---". The first byte of a piece says what it is, the rest is its content:
//   r KEY\nJSON   R KEY\nBYTES      a record of the registry, before the master starts
//   u JSON        U BYTES           a SUBSCRIBE on connection 1, stream "s"
//   s JSON        S BYTES           another call of a scheduler on that stream
//   o JSON        O BYTES           a call of an operator
//   a JSON        A BYTES           a message of an agent on link 1 (b and B: on link 2)
//   d   e   c                       link 1 ends, link 2 ends, connection 1 ends
//   f                               the store refuses from now on, or works again
//   t SECONDS                       time passes
// The master is "M", its agents "M-S0", ..., its frameworks "M-0000", ..., its offers "M-O0", ...

#include <cmath>
#include <cstdint>
#include <map>
#include <memory>

#include "base/check.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "base/testing/story.hpp"
#include "kernel/api/content.hpp"
#include "kernel/api/internal/registry.pb.h"
#include "kernel/master/api/state_json.hpp"
#include "kernel/master/core.hpp"
#include "kernel/master/testing.hpp"
#include "kernel/master/validation.hpp"

namespace {

using api::ContentType;

constexpr size_t kMaxPieces = 32;

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
      case 'u':
      case 's': return scheduler((kind | 0x20) == 'u', type, content);
      case 'o': return operate(type, content);
      case 'a': return agent(1, type, content);
      case 'b': return agent(2, type, content);
      case 'd': return feed(master::AgentLinkLost{1});
      case 'e': return feed(master::AgentLinkLost{2});
      case 'c': return feed(master::SchedulerConnectionClosed{1});
      case 'f': store_works_ = !store_works_; return;
      case 't': return pass(content);
      default: return;
    }
  }

  void end() {
    start();
    // Agents may claim what they like, but a master's books without their claims are exact.
    if (!agents_spoke_freely_) {
      const auto wrong = master::testing::find_imbalance(*core_);
      CHECK_MSG(!wrong, *wrong);
    }
    const auto picture = core_->snapshot(now_);
    CHECK(!master::state_json(*picture, {}).empty());
    CHECK(!master::tasks_json(*picture, {}).empty());
  }

 private:
  void record(bool raw, std::string_view content) {
    if (core_) return;
    const size_t line = content.find('\n');
    const std::string key(content.substr(0, line));
    std::string value(line == std::string_view::npos ? std::string_view() : content.substr(line + 1));
    if (!raw) {
      using namespace dcos::internal::v1;
      static const std::map<std::string, std::unique_ptr<google::protobuf::Message>> kinds = [] {
        std::map<std::string, std::unique_ptr<google::protobuf::Message>> out;
        out["agents"] = std::make_unique<RegistryAgent>();
        out["unreachable"] = std::make_unique<RegistryUnreachableAgent>();
        out["gone"] = std::make_unique<RegistryGoneAgent>();
        out["weights"] = std::make_unique<RegistryWeight>();
        out["quotas"] = std::make_unique<RegistryQuota>();
        out["machines"] = std::make_unique<RegistryMachine>();
        out["maintenance"] = std::make_unique<RegistrySchedule>();
        return out;
      }();
      const auto found = kinds.find(key.substr(0, key.find('/')));
      if (found != kinds.end()) {
        std::unique_ptr<google::protobuf::Message> message(found->second->New());
        if (!api::decode(ContentType::Json, value, *message)) return;
        value = message->SerializePartialAsString();
      }
    }
    recovered_.entries.push_back({key, value});
  }

  void start() {
    if (core_) return;
    auto allocator = std::make_unique<allocator::Allocator>(allocator::Options{}, base::Random(1));
    core_ = std::make_unique<master::Core>(master::testing::master_info("M"), master::Policy(), std::move(allocator),
                                           base::Random(2));
    feed(std::move(recovered_));
    if (!core_->state().recovered) return;
    master::SchedulerSubscribed subscribed{1, "s", {}, ""};
    auto& info = *subscribed.subscribe.mutable_framework_info();
    info.set_user("u");
    info.set_name("n");
    info.set_checkpoint(true);
    info.add_roles("r");
    for (int type = 1; type <= 8; ++type)
      info.add_capabilities()->set_type(static_cast<mesos::v1::FrameworkInfo::Capability::Type>(type));
    feed(std::move(subscribed));
    dcos::internal::v1::AgentMessage hello;
    auto& registration = *hello.mutable_register_agent();
    *registration.mutable_agent_info() = master::testing::agent_info("h", 5051, "cpus:4;mem:1024;disk:1024;ports:[1-9]");
    registration.set_version("1.12.0");
    master::testing::add_all_capabilities(registration.mutable_capabilities());
    registration.mutable_resource_version_uuid()->set_value(std::string(16, 'v'));
    feed(master::AgentMessageReceived{1, "10.0.0.1", std::move(hello)});
  }

  void scheduler(bool subscribe, ContentType type, std::string_view content) {
    mesos::v1::scheduler::Call call;
    if (!api::decode(type, content, call) || master::validate_call(call, "")) return;
    if ((call.type() == mesos::v1::scheduler::Call::SUBSCRIBE) != subscribe) return;
    if (subscribe)
      feed(master::SchedulerSubscribed{1, "s", call.subscribe(), ""});
    else
      feed(master::SchedulerCallReceived{next_call_++, "s", std::move(call), ""});
  }

  void operate(ContentType type, std::string_view content) {
    mesos::v1::master::Call call;
    if (!api::decode(type, content, call) || master::validate_call(call)) return;
    feed(master::OperatorCallReceived{next_call_++, std::move(call), ""});
  }

  void agent(master::LinkId link, ContentType type, std::string_view content) {
    dcos::internal::v1::AgentMessage message;
    if (!api::decode(type, content, message)) return;
    agents_spoke_freely_ = true;
    feed(master::AgentMessageReceived{link, link == 1 ? "10.0.0.1" : "10.0.0.2", std::move(message)});
  }

  void pass(std::string_view content) {
    const auto seconds = base::parse_uint(content.substr(0, 6));
    now_.instant = now_.instant + base::seconds(static_cast<int64_t>(seconds.value_or(1)));
    now_.time = now_.time + base::seconds(static_cast<int64_t>(seconds.value_or(1)));
    for (int fired = 0; fired < 64; ++fired) {
      const auto due = std::find_if(timers_.begin(), timers_.end(), [&](const auto& t) { return t.second <= now_.instant; });
      if (due == timers_.end()) return;
      const master::TimerId id = due->first;
      timers_.erase(due);
      feed(master::TimerFired{id});
    }
  }

  void feed(master::Event event) {
    std::vector<master::Event> events;
    events.push_back(std::move(event));
    for (size_t i = 0; i < events.size() && i < 200; ++i) {
      master::Effects out(true, true);
      core_->on(std::move(events[i]), now_, out);
      for (const auto& effect : out.list()) {
        if (const auto* persist = std::get_if<master::Persist>(&effect)) {
          events.push_back(master::Persisted{
              persist->ticket, store_works_ ? base::Status() : base::Status(base::Error{base::Code::NoSpace, "full"})});
        } else if (const auto* timer = std::get_if<master::SetTimer>(&effect)) {
          timers_[timer->timer] = timer->at;
        } else if (const auto* cancel = std::get_if<master::CancelTimer>(&effect)) {
          timers_.erase(cancel->timer);
        } else if (const auto* order = std::get_if<master::SendToAgent>(&effect)) {
          CHECK_MSG(order->message.IsInitialized(), order->message.InitializationErrorString());
        } else if (const auto* told = std::get_if<master::SendToScheduler>(&effect)) {
          CHECK_MSG(told->event.IsInitialized(), told->event.InitializationErrorString());
        } else if (const auto* news = std::get_if<master::Publish>(&effect)) {
          CHECK_MSG(news->event.IsInitialized(), news->event.InitializationErrorString());
        } else if (std::holds_alternative<master::WantTurnEnd>(effect)) {
          events.push_back(master::TurnEnded{});
        }
      }
    }
  }

  std::unique_ptr<master::Core> core_;
  master::Recovered recovered_;
  base::Now now_{base::Instant{base::seconds(1000)}, base::Time{base::seconds(1'000'000)}};
  std::map<master::TimerId, base::Instant> timers_;
  master::CallId next_call_ = 1;
  bool store_works_ = true, agents_spoke_freely_ = false;
};

}  // namespace

int fuzz_master(const uint8_t* data, size_t size) { return base::testing::tell_story<Story>(data, size, kMaxPieces); }
