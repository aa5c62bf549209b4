#include "kernel/master/testing.hpp"

#include <fmt/core.h>

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/resources/parse.hpp"
#include "kernel/resources/proto.hpp"

namespace master::testing {

using SchedulerCall = mesos::v1::scheduler::Call;
using SchedulerEvent = mesos::v1::scheduler::Event;
using Operation_ = mesos::v1::Offer::Operation;

mesos::v1::MasterInfo master_info(const std::string& id) {
  mesos::v1::MasterInfo info;
  info.set_id(id);
  info.set_ip(16777343);
  info.set_port(5050);
  info.set_hostname("master");
  return info;
}

void add_all_capabilities(google::protobuf::RepeatedPtrField<AgentInfo::Capability>* list) {
  for (int type = 1; type <= 8; ++type) list->Add()->set_type(static_cast<AgentInfo::Capability::Type>(type));
}

AgentInfo agent_info(const std::string& hostname, int port, const std::string& text) {
  AgentInfo info;
  info.set_hostname(hostname);
  info.set_port(port);
  resources::to_proto(resources::must_parse(text), resources::Format::Post, info.mutable_resources());
  return info;
}

std::optional<std::string> find_imbalance(const Core& core) {
  const auto unallocated = [](Resources resources) {
    resources.unallocate();
    return resources;
  };
  for (const auto& [id, agent] : core.state().agents) {
    Resources sum;
    for (const auto& [framework, tasks] : agent->tasks) {
      for (const auto& [task_id, task] : tasks) {
        if (task->holds_resources) sum += unallocated(task->resources);
      }
    }
    for (const auto& [framework, executors] : agent->executors) {
      for (const auto& [executor_id, executor] : executors) sum += unallocated(executor.resources);
    }
    for (const auto& [offer_id, offer] : agent->offers) sum += unallocated(offer->resources);
    for (const auto& [uuid, operation] : agent->operations)
      if (operation->framework != nullptr) sum += unallocated(operation->held);
    // A shared volume may be with several, and is available all the while. A task whose volume did not come to be holds
    // what is not there, until its agent says that it does not know the task.
    const Resources left = agent->total.non_shared() - sum.non_shared(), free = core.allocator().available(id).non_shared();
    if (!(left == free))
      return fmt::format("agent {}: tasks and offers leave {} of its total, but {} is available", id, left.text(), free.text());
  }
  return std::nullopt;
}

namespace {

/// 16 bytes that are a UUID and easy to write: "7" -> 00000000-0000-4000-8000-000000000007.
std::string uuid(const std::string& number) {
  std::string bytes(16, '\0');
  bytes[6] = 0x40;
  bytes[8] = static_cast<char>(0x80);
  bytes[15] = static_cast<char>(base::parse_uint(number).value_or(0));
  return bytes;
}

std::string uuid_text(const std::string& bytes) {
  return bytes.size() == 16 ? std::to_string(static_cast<unsigned char>(bytes[15])) : "?";
}

std::string text_of(const resources::ProtoResources& list) {
  auto value = resources::from_proto(list);
  if (!value) return "?";
  value->unallocate();
  return value->text();
}

void write(const std::string& text, resources::ProtoResources* out) {
  resources::to_proto(resources::must_parse(text), resources::Format::Post, out);
}

uint64_t number(const std::string& word) { return base::parse_uint(word.substr(1)).value_or(0); }  // "L1", "C2"

TaskState task_state(const std::string& name) {
  TaskState state = mesos::v1::TASK_UNKNOWN;
  mesos::v1::TaskState_Parse("TASK_" + name, &state);
  return state;
}

mesos::v1::OperationState operation_state(const std::string& name) {
  mesos::v1::OperationState state = mesos::v1::OPERATION_UNKNOWN;
  mesos::v1::OperationState_Parse("OPERATION_" + name, &state);
  return state;
}

std::string status_text(const TaskStatus& status) {
  std::string text = status.task_id().value() + " " + mesos::v1::TaskState_Name(status.state());
  if (status.has_reason()) text += " " + TaskStatus::Reason_Name(status.reason());
  if (status.has_uuid()) text += " uuid=" + uuid_text(status.uuid());
  if (status.has_unreachable_time()) text += " unreachable_time";
  if (!status.message().empty()) text += " \"" + status.message() + "\"";
  return text;
}

/// " away at <seconds>" when the machine has a window.
std::string window_text(const auto& offer) {
  if (!offer.has_unavailability()) return {};
  return fmt::format(" away at {}", offer.unavailability().start().nanoseconds() / 1'000'000'000);
}

std::string event_text(const SchedulerEvent& event) {
  std::string text = SchedulerEvent::Type_Name(event.type());
  switch (event.type()) {
    case SchedulerEvent::SUBSCRIBED: text += " " + event.subscribed().framework_id().value(); break;
    case SchedulerEvent::OFFERS:
      for (const auto& offer : event.offers().offers()) {
        text += fmt::format(" {}({} {}{})", offer.id().value(), offer.agent_id().value(), text_of(offer.resources()),
                            window_text(offer));
      }
      break;
    case SchedulerEvent::INVERSE_OFFERS:
      for (const auto& offer : event.inverse_offers().inverse_offers()) {
        text += fmt::format(" {}({} {}{})", offer.id().value(), offer.agent_id().value(), text_of(offer.resources()),
                            window_text(offer));
      }
      break;
    case SchedulerEvent::RESCIND_INVERSE_OFFER:
      text += " " + event.rescind_inverse_offer().inverse_offer_id().value();
      break;
    case SchedulerEvent::RESCIND: text += " " + event.rescind().offer_id().value(); break;
    case SchedulerEvent::UPDATE: text += " " + status_text(event.update().status()); break;
    case SchedulerEvent::UPDATE_OPERATION_STATUS: {
      const auto& status = event.update_operation_status().status();
      text += " " + status.operation_id().value() + " " + mesos::v1::OperationState_Name(status.state());
      if (status.has_uuid()) text += " uuid=" + uuid_text(status.uuid().value());
      if (!status.message().empty()) text += " \"" + status.message() + "\"";
      break;
    }
    case SchedulerEvent::MESSAGE: text += " " + event.message().executor_id().value() + " " + event.message().data(); break;
    case SchedulerEvent::FAILURE:
      text += " " + event.failure().agent_id().value();
      if (event.failure().has_executor_id()) text += " executor " + event.failure().executor_id().value();
      break;
    case SchedulerEvent::ERROR: text += " \"" + event.error().message() + "\""; break;
    default: break;
  }
  return text;
}

std::string order_text(const link::MasterMessage& message) {
  switch (message.message_case()) {
    case link::MasterMessage::kRegistered: return "registered " + message.registered().agent_id().value();
    case link::MasterMessage::kReregistered: {
      std::string text = "reregistered " + message.reregistered().agent_id().value();
      for (const auto& list : message.reregistered().reconcile_tasks()) {
        for (const auto& id : list.task_ids()) text += " reconcile=" + id.value();
      }
      return text;
    }
    case link::MasterMessage::kRefused:
      return fmt::format("refused{} \"{}\"", message.refused().shutdown() ? " shutdown" : "", message.refused().message());
    case link::MasterMessage::kPing: return "ping";
    case link::MasterMessage::kRunTask:
      return fmt::format("run_task {} {}{}", message.run_task().task().task_id().value(),
                         text_of(message.run_task().task().resources()),
                         message.run_task().launch_executor() ? "" : " (executor runs)");
    case link::MasterMessage::kRunTaskGroup: {
      std::string text = "run_task_group executor=" + message.run_task_group().executor().executor_id().value();
      for (const auto& task : message.run_task_group().task_group().tasks()) text += " " + task.task_id().value();
      return text;
    }
    case link::MasterMessage::kKillTask: return "kill_task " + message.kill_task().task_id().value();
    case link::MasterMessage::kAcknowledgeStatusUpdate:
      return "acknowledge " + message.acknowledge_status_update().task_id().value() +
             " uuid=" + uuid_text(message.acknowledge_status_update().uuid());
    case link::MasterMessage::kShutdownFramework:
      return "shutdown_framework " + message.shutdown_framework().framework_id().value();
    case link::MasterMessage::kUpdateFramework:
      return "update_framework " + message.update_framework().framework_info().id().value();
    case link::MasterMessage::kShutdownExecutor: return "shutdown_executor " + message.shutdown_executor().executor_id().value();
    case link::MasterMessage::kFrameworkMessage: return "framework_message " + message.framework_message().data();
    case link::MasterMessage::kApplyOperation:
      return "apply " + Operation_::Type_Name(message.apply_operation().operation().type());
    case link::MasterMessage::kAcknowledgeOperationStatus:
      return "acknowledge_operation " + uuid_text(message.acknowledge_operation_status().operation_uuid().value()) +
             " uuid=" + uuid_text(message.acknowledge_operation_status().status_uuid().value());
    case link::MasterMessage::kShutdown: return "shutdown \"" + message.shutdown().message() + "\"";
    case link::MasterMessage::kDrain: return "drain";
    default: return "?";
  }
}

}  // namespace

Conversation::Conversation(Policy policy) : policy_(std::move(policy)) {
  allocator::Options options;
  core_ = std::make_unique<Core>(master_info(), policy_, std::make_unique<allocator::Allocator>(options, base::Random(1)),
                                 base::Random(2));
}

std::string Conversation::argument(const Words& words, const std::string& name, const std::string& fallback) const {
  for (const std::string& word : words) {
    if (word.substr(0, name.size() + 1) == name + "=") return word.substr(name.size() + 1);
  }
  return fallback;
}

void Conversation::show(const Effect& effect) {
  const auto line = [this](const std::string& text) { effects_ += text + "\n"; };
  if (const auto* to_agent = std::get_if<SendToAgent>(&effect)) {
    if (healthy_ && to_agent->message.has_ping()) return;
    line(fmt::format("L{} <- {}", to_agent->link, order_text(to_agent->message)));
  } else if (const auto* close_link = std::get_if<CloseLink>(&effect)) {
    line(fmt::format("L{} closed", close_link->link));
  } else if (const auto* to_scheduler = std::get_if<SendToScheduler>(&effect)) {
    if (healthy_ && to_scheduler->event.type() == SchedulerEvent::HEARTBEAT) return;
    if (to_scheduler->event.type() == SchedulerEvent::SUBSCRIBED) {
      frameworks_[to_scheduler->connection] = to_scheduler->event.subscribed().framework_id().value();
    }
    line(fmt::format("C{} <- {}", to_scheduler->connection, event_text(to_scheduler->event)));
  } else if (const auto* closed = std::get_if<CloseConnection>(&effect)) {
    line(fmt::format("C{} closed", closed->connection));
  } else if (const auto* reply = std::get_if<Reply>(&effect)) {
    line(fmt::format("reply {}{}", reply->status, reply->body.empty() ? "" : " \"" + reply->body + "\""));
  } else if (const auto* persist = std::get_if<Persist>(&effect)) {
    std::string text = "persist";
    for (const Write& written : persist->writes) text += (written.value ? " +" : " -") + written.key;
    line(text);
  } else if (const auto* published = std::get_if<Publish>(&effect)) {
    line("publish " + mesos::v1::master::Event::Type_Name(published->event.type()));
  }
}

void Conversation::feed(Event event) {
  Effects out(false, publish_);
  core_->on(std::move(event), now_, out);
  bool turn_end = false;
  std::vector<LinkId> pinged;
  for (Effect& effect : out.list()) {
    show(effect);
    const auto* to_agent = std::get_if<SendToAgent>(&effect);
    if (healthy_ && to_agent != nullptr && to_agent->message.has_ping()) pinged.push_back(to_agent->link);
    if (auto* timer = std::get_if<SetTimer>(&effect)) timers_[timer->timer] = timer->at;
    if (auto* cancelled = std::get_if<CancelTimer>(&effect)) timers_.erase(cancelled->timer);
    if (auto* persist = std::get_if<Persist>(&effect)) held_.push_back(std::move(*persist));
    if (std::holds_alternative<WantTurnEnd>(effect)) turn_end = true;
  }
  for (const LinkId link : pinged) {
    link::AgentMessage pong;
    pong.mutable_pong();
    feed(AgentMessageReceived{link, "10.0.0.1", std::move(pong)});
  }
  if (turn_end) feed(TurnEnded{});
}

void Conversation::settle() {
  while (!hold_ && !held_.empty()) {
    const Persist persist = std::move(held_.front());
    held_.erase(held_.begin());
    for (const Write& written : persist.writes) {
      if (written.value) {
        store_[written.key] = *written.value;
      } else {
        store_.erase(written.key);
      }
    }
    feed(Persisted{persist.ticket, {}});
  }
}

std::string Conversation::take_effects() {
  settle();
  return std::exchange(effects_, {});
}

void Conversation::advance(base::Duration by) {
  const base::Instant until = now_.instant + by;
  for (;;) {
    auto next = timers_.end();
    for (auto timer = timers_.begin(); timer != timers_.end(); ++timer) {
      if (timer->second <= until && (next == timers_.end() || timer->second < next->second)) next = timer;
    }
    if (next == timers_.end()) break;
    const TimerId id = next->first;
    now_.time = now_.time + (next->second - now_.instant);
    now_.instant = next->second;
    timers_.erase(next);
    feed(TimerFired{id});
    settle();
  }
  now_.time = now_.time + (until - now_.instant);
  now_.instant = until;
}

void Conversation::command(const std::string& text) {
  Words words;
  for (const auto word : base::tokenize(text, ' ')) words.emplace_back(word);
  if (words.empty()) return;
  const std::string& verb = words[0];
  if (verb == "recovered") {
    Recovered recovered;
    for (const auto& [key, value] : store_) recovered.entries.push_back({key, value});
    feed(std::move(recovered));
  } else if (verb == "restart") {  // a new process on the same store
    allocator::Options options;
    core_ = std::make_unique<Core>(master_info(words[1]), policy_,
                                   std::make_unique<allocator::Allocator>(options, base::Random(1)), base::Random(2));
    timers_.clear();
    held_.clear();
    command("recovered");
  } else if (verb == "whitelist") {  // whitelist [h1,h2]
    WhitelistChanged event;
    if (words.size() > 1) {
      event.hostnames.emplace();
      for (const auto name : base::tokenize(words[1], ',')) event.hostnames->emplace(name);
    }
    feed(std::move(event));
  } else if (verb == "corrupt") {
    store_[words[1]] = "\xff\xff";
  } else if (verb == "hold") {
    hold_ = true;
  } else if (verb == "release") {
    hold_ = false;
  } else if (verb == "fail") {  // the store refuses what is held
    hold_ = false;
    std::vector<Persist> refused;
    refused.swap(held_);
    for (const Persist& persist : refused) feed(Persisted{persist.ticket, base::Error{base::Code::NoSpace, "disk full"}});
  } else if (verb == "healthy") {
    healthy_ = true;
  } else if (verb == "publish") {
    publish_ = true;
  } else if (verb == "advance") {
    advance(base::parse_duration(words[1]).value_or(base::Duration(0)));
  } else if (verb == "lost") {
    feed(AgentLinkLost{number(words[1])});
  } else if (verb == "closed") {
    feed(SchedulerConnectionClosed{number(words[1])});
  } else if (verb == "agent") {
    agent_command(words);
  } else if (verb == "subscribe") {
    subscribe(words);
  } else if (verb == "operator") {
    operator_command(words);
  } else if (verb[0] == 'C') {
    call(words);
  } else {
    effects_ += "unknown command: " + text + "\n";
  }
  settle();
}

void Conversation::agent_command(const Words& words) {
  const LinkId link = number(words[1]);
  link::AgentMessage message;
  const std::string& verb = words[2];
  if (verb == "register") {
    auto& body = *message.mutable_register_agent();
    *body.mutable_agent_info() =
        agent_info(argument(words, "host", "h1"), static_cast<int>(base::parse_int(argument(words, "port", "5051")).value_or(0)),
                   argument(words, "resources", "cpus:4;mem:1024"));
    body.set_version(argument(words, "version", "1.12.0"));
    add_all_capabilities(body.mutable_capabilities());
  } else if (verb == "reregister") {
    return reregister(link, words);
  } else if (verb == "update") {  // agent L1 update <framework> <task> <STATE> [uuid=]
    auto& body = *message.mutable_status_update();
    body.mutable_framework_id()->set_value(words[3]);
    body.mutable_status()->mutable_task_id()->set_value(words[4]);
    body.mutable_status()->set_state(task_state(words[5]));
    body.mutable_status()->set_source(TaskStatus::SOURCE_EXECUTOR);
    body.mutable_status()->set_timestamp(now_.time.seconds());
    const std::string id = argument(words, "uuid");
    if (!id.empty()) body.mutable_status()->set_uuid(uuid(id));
    const std::string latest = argument(words, "latest");
    if (!latest.empty()) body.set_latest_state(task_state(latest));
  } else if (verb == "operation") {  // agent L1 operation <number of the operation> <STATE> uuid=
    auto& body = *message.mutable_operation_status_update();
    body.mutable_operation_uuid()->set_value(uuid(words[3]));
    body.mutable_status()->set_state(operation_state(words[4]));
    body.mutable_status()->mutable_uuid()->set_value(uuid(argument(words, "uuid")));
  } else if (verb == "pong") {
    message.mutable_pong();
  } else if (verb == "unregister") {
    message.mutable_unregister_agent();
  } else if (verb == "exited") {
    message.mutable_exited_executor()->mutable_framework_id()->set_value(words[3]);
    message.mutable_exited_executor()->mutable_executor_id()->set_value(words[4]);
  } else if (verb == "message") {
    message.mutable_executor_message()->mutable_framework_id()->set_value(words[3]);
    message.mutable_executor_message()->mutable_executor_id()->set_value(words[4]);
    message.mutable_executor_message()->set_data(words[5]);
  }
  feed(AgentMessageReceived{link, argument(words, "ip", "10.0.0.1"), std::move(message)});
}

void Conversation::reregister(LinkId link, const Words& words) {
  link::AgentMessage message;
  auto& body = *message.mutable_reregister_agent();
  *body.mutable_agent_info() =
      agent_info(argument(words, "host", "h1"), static_cast<int>(base::parse_int(argument(words, "port", "5051")).value_or(0)),
                 argument(words, "resources", "cpus:4;mem:1024"));
  const std::string agent = argument(words, "id");
  body.mutable_agent_info()->mutable_id()->set_value(agent);
  body.set_version("1.12.0");
  add_all_capabilities(body.mutable_capabilities());
  std::set<std::string> frameworks;
  for (const std::string& word : words) {  // task=<framework>/<id>/<STATE>/<resources>
    if (word.substr(0, 5) != "task=") continue;
    const auto parts = base::split(std::string_view(word).substr(5), '/');
    auto& task = *body.add_tasks();
    task.set_name(std::string(parts[1]));
    task.mutable_task_id()->set_value(std::string(parts[1]));
    task.mutable_framework_id()->set_value(std::string(parts[0]));
    task.mutable_agent_id()->set_value(agent);
    task.set_state(task_state(std::string(parts[2])));
    write(std::string(parts[3]), task.mutable_resources());
    for (auto& resource : *task.mutable_resources()) resource.mutable_allocation_info()->set_role("*");
    if (!frameworks.insert(std::string(parts[0])).second) continue;
    auto& info = *body.add_frameworks();
    info.set_name("framework");
    info.set_user("nobody");
    info.set_checkpoint(true);
    info.mutable_id()->set_value(std::string(parts[0]));
    info.set_failover_timeout(base::parse_double(argument(words, "failover_timeout", "60")).value_or(0));
    info.add_capabilities()->set_type(FrameworkInfo::Capability::PARTITION_AWARE);
  }
  for (const std::string& word : words) {  // operation=<framework>/<operation id>/<number>
    if (word.substr(0, 10) != "operation=") continue;
    const auto parts = base::split(std::string_view(word).substr(10), '/');
    auto& operation = *body.add_operations();
    operation.mutable_framework_id()->set_value(std::string(parts[0]));
    operation.mutable_agent_id()->set_value(agent);
    operation.mutable_info()->set_type(Operation_::RESERVE);
    operation.mutable_info()->mutable_reserve();
    operation.mutable_info()->mutable_id()->set_value(std::string(parts[1]));
    operation.mutable_latest_status()->set_state(mesos::v1::OPERATION_PENDING);
    operation.mutable_uuid()->set_value(uuid(std::string(parts[2])));
  }
  feed(AgentMessageReceived{link, argument(words, "ip", "10.0.0.1"), std::move(message)});
}

void Conversation::subscribe(const Words& words) {
  SchedulerSubscribed event;
  event.connection = number(words[1]);
  event.stream_id = words[1];
  FrameworkInfo& info = *event.subscribe.mutable_framework_info();
  info.set_name(argument(words, "name", "framework"));
  info.set_user(argument(words, "user", "nobody"));
  info.set_failover_timeout(base::parse_double(argument(words, "failover_timeout", "0")).value_or(0));
  info.set_checkpoint(argument(words, "checkpoint", "true") == "true");
  if (const auto id = argument(words, "id"); !id.empty()) info.mutable_id()->set_value(id);
  if (const auto principal = argument(words, "principal"); !principal.empty()) info.set_principal(principal);
  if (const auto role = argument(words, "role"); !role.empty()) info.set_role(role);
  const std::string capabilities = argument(words, "capabilities"), roles = argument(words, "roles"),
                    suppressed = argument(words, "suppressed");
  for (const auto name : base::tokenize(capabilities, ',')) {
    FrameworkInfo::Capability::Type type{};
    if (FrameworkInfo::Capability::Type_Parse(std::string(name), &type)) info.add_capabilities()->set_type(type);
  }
  for (const auto role : base::tokenize(roles, ',')) info.add_roles(std::string(role));
  for (const auto role : base::tokenize(suppressed, ',')) {
    event.subscribe.add_suppressed_roles(std::string(role));
  }
  feed(std::move(event));
}

void Conversation::accept(SchedulerCall& call, const Words& words) {
  // C1 accept M-O0,M-O1 launch t1=cpus:1;mem:32 launch t2=... agent=M-S0 [refuse=5]
  auto& body = *call.mutable_accept();
  for (const auto id : base::tokenize(words[2], ',')) body.add_offer_ids()->set_value(std::string(id));
  const std::string agent = argument(words, "agent", "M-S0");
  if (const auto refuse = argument(words, "refuse"); !refuse.empty()) {
    body.mutable_filters()->set_refuse_seconds(base::parse_double(refuse).value_or(0));
  }
  const auto fill = [&](const std::string& word, TaskInfo& task) {
    const size_t equals = word.find('=');
    task.set_name(word.substr(0, equals));
    task.mutable_task_id()->set_value(word.substr(0, equals));
    task.mutable_agent_id()->set_value(agent);
    write(word.substr(equals + 1), task.mutable_resources());
  };
  for (size_t i = 3; i + 1 < words.size(); ++i) {
    if (words[i] == "launch" || words[i] == "custom") {
      Operation_& operation = *body.add_operations();
      operation.set_type(Operation_::LAUNCH);
      TaskInfo& task = *operation.mutable_launch()->add_task_infos();
      fill(words[i + 1], task);
      if (words[i] == "launch") {
        task.mutable_command()->set_value("true");
      } else {
        task.mutable_executor()->mutable_executor_id()->set_value("e1");
        task.mutable_executor()->mutable_command()->set_value("run");
        write("cpus:0.5;mem:64", task.mutable_executor()->mutable_resources());
      }
    } else if (words[i] == "group") {
      Operation_& operation = *body.add_operations();
      operation.set_type(Operation_::LAUNCH_GROUP);
      ExecutorInfo& executor = *operation.mutable_launch_group()->mutable_executor();
      executor.set_type(ExecutorInfo::DEFAULT);
      executor.mutable_executor_id()->set_value("e1");
      write("cpus:0.1;mem:32;disk:10", executor.mutable_resources());
      for (const auto word : base::tokenize(words[i + 1], ',')) {
        TaskInfo& task = *operation.mutable_launch_group()->mutable_task_group()->add_tasks();
        fill(std::string(word), task);
        task.mutable_command()->set_value("true");
      }
    } else if (words[i] == "create_disk" || words[i] == "destroy_disk") {  // ... <operation id>
      Operation_& operation = *body.add_operations();
      operation.set_type(words[i] == "create_disk" ? Operation_::CREATE_DISK : Operation_::DESTROY_DISK);
      operation.mutable_id()->set_value(words[i + 1]);
    } else if (words[i] == "reserve" || words[i] == "unreserve") {
      Operation_& operation = *body.add_operations();
      operation.set_type(words[i] == "reserve" ? Operation_::RESERVE : Operation_::UNRESERVE);
      auto* list = words[i] == "reserve" ? operation.mutable_reserve()->mutable_resources()
                                         : operation.mutable_unreserve()->mutable_resources();
      write(words[i + 1], list);
      const std::string role = argument(words, "role", "web");
      for (auto& resource : *list) {
        auto* reservation = resource.add_reservations();
        reservation->set_type(mesos::v1::Resource::ReservationInfo::DYNAMIC);
        reservation->set_role(role);
        if (const auto principal = argument(words, "principal"); !principal.empty()) reservation->set_principal(principal);
      }
      if (const auto id = argument(words, "operation_id"); !id.empty()) operation.mutable_id()->set_value(id);
    }
  }
}

void Conversation::call(const Words& words) {
  SchedulerCallReceived event;
  event.call_id = next_call_++;
  event.stream_id = argument(words, "stream", words[0]);
  SchedulerCall& call = event.call;
  call.mutable_framework_id()->set_value(argument(words, "framework", frameworks_[number(words[0])]));
  const std::string& verb = words[1];
  SchedulerCall::Type type{};
  SchedulerCall::Type_Parse(base::to_upper(verb), &type);
  call.set_type(type);
  if (verb == "accept") {
    accept(call, words);
  } else if (verb == "decline") {
    for (const auto id : base::tokenize(words[2], ',')) call.mutable_decline()->add_offer_ids()->set_value(std::string(id));
    if (const auto refuse = argument(words, "refuse"); !refuse.empty()) {
      call.mutable_decline()->mutable_filters()->set_refuse_seconds(base::parse_double(refuse).value_or(0));
    }
  } else if (verb == "accept_inverse_offers" || verb == "decline_inverse_offers") {
    const auto fill = [&](auto* answer) {
      for (const auto id : base::tokenize(words[2], ',')) answer->add_inverse_offer_ids()->set_value(std::string(id));
      if (const auto refuse = argument(words, "refuse"); !refuse.empty()) {
        answer->mutable_filters()->set_refuse_seconds(base::parse_double(refuse).value_or(0));
      }
    };
    verb == "accept_inverse_offers" ? fill(call.mutable_accept_inverse_offers()) : fill(call.mutable_decline_inverse_offers());
  } else if (verb == "acknowledge") {  // C1 acknowledge t1 uuid=1
    call.mutable_acknowledge()->mutable_agent_id()->set_value(argument(words, "agent", "M-S0"));
    call.mutable_acknowledge()->mutable_task_id()->set_value(words[2]);
    call.mutable_acknowledge()->set_uuid(uuid(argument(words, "uuid", "1")));
  } else if (verb == "acknowledge_operation_status") {  // C1 acknowledge_operation_status op1 uuid=1
    auto& body = *call.mutable_acknowledge_operation_status();
    body.mutable_agent_id()->set_value(argument(words, "agent", "M-S0"));
    body.mutable_operation_id()->set_value(words[2]);
    body.set_uuid(uuid(argument(words, "uuid", "1")));
  } else if (verb == "reconcile_operations") {  // C1 reconcile_operations op1@agent
    for (size_t i = 2; i < words.size(); ++i) {
      const auto parts = base::split(words[i], '@');
      auto& asked = *call.mutable_reconcile_operations()->add_operations();
      asked.mutable_operation_id()->set_value(std::string(parts[0]));
      asked.mutable_agent_id()->set_value(std::string(parts.at(1)));
    }
  } else if (verb == "kill") {
    call.mutable_kill()->mutable_task_id()->set_value(words[2]);
    if (const auto agent = argument(words, "agent"); !agent.empty()) {
      call.mutable_kill()->mutable_agent_id()->set_value(agent);
    }
  } else if (verb == "reconcile") {  // C1 reconcile [t1 [t2@agent]]
    call.mutable_reconcile();
    for (size_t i = 2; i < words.size(); ++i) {
      const auto parts = base::split(words[i], '@');
      auto& task = *call.mutable_reconcile()->add_tasks();
      task.mutable_task_id()->set_value(std::string(parts[0]));
      if (parts.size() > 1) task.mutable_agent_id()->set_value(std::string(parts[1]));
    }
  } else if (verb == "revive" || verb == "suppress") {
    const std::string roles = argument(words, "roles");
    for (const auto role : base::tokenize(roles, ',')) {
      (verb == "revive" ? call.mutable_revive()->add_roles() : call.mutable_suppress()->add_roles())
          ->assign(std::string(role));
    }
  } else if (verb == "message") {
    call.mutable_message()->mutable_agent_id()->set_value(argument(words, "agent", "M-S0"));
    call.mutable_message()->mutable_executor_id()->set_value(words[2]);
    call.mutable_message()->set_data(words[3]);
  } else if (verb == "shutdown") {
    call.mutable_shutdown()->mutable_agent_id()->set_value(argument(words, "agent", "M-S0"));
    call.mutable_shutdown()->mutable_executor_id()->set_value(words[2]);
  } else if (verb == "update_framework") {
    FrameworkInfo& info = *call.mutable_update_framework()->mutable_framework_info();
    info = *core_->state().frameworks.at(call.framework_id().value())->info;
    if (const auto name = argument(words, "name"); !name.empty()) info.set_name(name);
    if (const auto user = argument(words, "user"); !user.empty()) info.set_user(user);
    if (const auto roles = argument(words, "roles"); !roles.empty()) {
      info.clear_roles();
      for (const auto role : base::tokenize(roles, ',')) info.add_roles(std::string(role));
    }
  }
  feed(std::move(event));
}

void Conversation::operator_command(const Words& words) {
  OperatorCallReceived event;
  event.call_id = next_call_++;
  using Call = mesos::v1::master::Call;
  const std::string& verb = words[1];
  if (verb == "teardown") {
    event.call.set_type(Call::TEARDOWN);
    event.call.mutable_teardown()->mutable_framework_id()->set_value(words[2]);
  } else if (verb == "gone") {
    event.call.set_type(Call::MARK_AGENT_GONE);
    event.call.mutable_mark_agent_gone()->mutable_agent_id()->set_value(words[2]);
  } else if (verb == "deactivate") {
    event.call.set_type(Call::DEACTIVATE_AGENT);
    event.call.mutable_deactivate_agent()->mutable_agent_id()->set_value(words[2]);
  } else if (verb == "reactivate") {
    event.call.set_type(Call::REACTIVATE_AGENT);
    event.call.mutable_reactivate_agent()->mutable_agent_id()->set_value(words[2]);
  } else if (verb == "drain") {
    event.call.set_type(Call::DRAIN_AGENT);
    event.call.mutable_drain_agent()->mutable_agent_id()->set_value(words[2]);
    event.call.mutable_drain_agent()->set_mark_gone(argument(words, "mark_gone") == "true");
  } else if (verb == "weight") {
    event.call.set_type(Call::UPDATE_WEIGHTS);
    auto* info = event.call.mutable_update_weights()->add_weight_infos();
    info->set_role(words[2]);
    info->set_weight(base::parse_double(words[3]).value_or(0));
  } else if (verb == "quota") {  // operator quota <role> [cpus=<guarantee>] [limit=<cpus>] [force=yes]
    event.call.set_type(Call::UPDATE_QUOTA);
    auto* config = event.call.mutable_update_quota()->add_quota_configs();
    config->set_role(words[2]);
    if (const auto cpus = argument(words, "cpus"); !cpus.empty()) {
      (*config->mutable_guarantees())["cpus"].set_value(base::parse_double(cpus).value_or(0));
    }
    if (const auto limit = argument(words, "limit"); !limit.empty()) {
      (*config->mutable_limits())["cpus"].set_value(base::parse_double(limit).value_or(0));
    }
    event.call.mutable_update_quota()->set_force(!argument(words, "force").empty());
  } else if (verb == "remove_quota") {
    event.call.set_type(Call::REMOVE_QUOTA);
    event.call.mutable_remove_quota()->set_role(words[2]);
  } else if (verb == "reserve") {
    event.call.set_type(Call::RESERVE_RESOURCES);
    event.call.mutable_reserve_resources()->mutable_agent_id()->set_value(words[2]);
    write(words[3], event.call.mutable_reserve_resources()->mutable_resources());
    for (auto& resource : *event.call.mutable_reserve_resources()->mutable_resources()) {
      auto* reservation = resource.add_reservations();
      reservation->set_type(mesos::v1::Resource::ReservationInfo::DYNAMIC);
      reservation->set_role(argument(words, "role", "web"));
    }
    if (const auto from = argument(words, "from"); !from.empty()) {  // from=<role>/<principal>
      const size_t slash = from.rfind('/');
      *event.call.mutable_reserve_resources()->mutable_source() = event.call.reserve_resources().resources();
      for (auto& resource : *event.call.mutable_reserve_resources()->mutable_source()) {
        resource.mutable_reservations(0)->set_role(from.substr(0, slash));
        if (slash != std::string::npos) resource.mutable_reservations(0)->set_principal(from.substr(slash + 1));
      }
    }
  } else if (verb == "schedule") {  // operator schedule [h1:<start seconds>...]
    event.call.set_type(Call::UPDATE_MAINTENANCE_SCHEDULE);
    auto* schedule = event.call.mutable_update_maintenance_schedule()->mutable_schedule();
    for (size_t i = 2; i < words.size(); ++i) {
      const auto parts = base::split(words[i], ':');
      auto* window = schedule->add_windows();
      window->add_machine_ids()->set_hostname(std::string(parts[0]));
      window->mutable_unavailability()->mutable_start()->set_nanoseconds(
          base::parse_int(parts.at(1)).value_or(0) * 1'000'000'000);
    }
  } else if (verb == "down" || verb == "up") {
    event.call.set_type(verb == "down" ? Call::START_MAINTENANCE : Call::STOP_MAINTENANCE);
    for (size_t i = 2; i < words.size(); ++i) {
      (verb == "down" ? event.call.mutable_start_maintenance()->add_machines() : event.call.mutable_stop_maintenance()->add_machines())
          ->set_hostname(words[i]);
    }
  }
  feed(std::move(event));
}

}  // namespace master::testing
