#include "tests/sim/sim_master.hpp"

#include <fmt/format.h>

namespace sim {

SimMaster::SimMaster(Context& context, std::string process_name, master::Policy policy)
    : Process(context, std::move(process_name)), policy_(std::move(policy)) {}

void SimMaster::make_core() {
  dead_ = false;
  auto& random = context_.world.random();
  mesos::v1::MasterInfo info;
  info.set_id(random.uuid());
  info.set_hostname(name);
  info.set_ip(0x0100007f);
  info.set_port(5050);
  info.set_version("1.12.0");
  auto allocator =
      std::make_unique<allocator::Allocator>(allocator::Options{}, base::Random(random.next()));
  core_ = std::make_unique<master::Core>(info, policy_, std::move(allocator),
                                         base::Random(random.next()));
}

void SimMaster::on_boot() {
  make_core();
  master::Recovered recovered;
  for (const auto& [key, value] : disk_.durable()) recovered.entries.push_back({key, value});
  handle(std::move(recovered));
}

void SimMaster::on_crash() {
  core_.reset();
  links_.clear();
  link_of_stream_.clear();
  connections_.clear();
  calls_.clear();
  timers_.clear();
}

void SimMaster::handle(master::Event event) {
  if (!core_ || dead_) return;
  master::Effects out;
  core_->on(std::move(event), context_.world.now(), out);
  for (master::Effect& effect : out.list()) {
    if (crash_point()) {
      dead_ = true;
      return;
    }
    perform(effect);
  }
  if (after_event) after_event();
}

void SimMaster::operate(mesos::v1::master::Call call, std::function<void(int, const std::string&)> answered) {
  if (!core_) return;
  const master::CallId id = next_++;
  if (answered) calls_[id] = std::move(answered);
  handle(master::OperatorCallReceived{id, std::move(call), ""});
}

void SimMaster::perform(master::Effect& effect) {
  World& world = context_.world;
  if (auto* send = std::get_if<master::SendToAgent>(&effect)) {
    const auto link = links_.find(send->link);
    if (link == links_.end()) return;
    context_.network.send(
        link->second.stream, 1,
        [deliver = link->second.deliver, message = std::move(send->message)] { deliver(message); });
  } else if (auto* close = std::get_if<master::CloseLink>(&effect)) {
    const auto link = links_.find(close->link);
    if (link == links_.end()) return;
    context_.network.close(link->second.stream, 1);
    link_of_stream_.erase(link->second.stream);
    links_.erase(link);
  } else if (auto* event = std::get_if<master::SendToScheduler>(&effect)) {
    const auto connection = connections_.find(event->connection);
    if (connection == connections_.end()) return;
    context_.network.send(connection->second.stream, 1,
                          [deliver = connection->second.deliver,
                           message = std::move(event->event)] { deliver(message); });
  } else if (auto* closing = std::get_if<master::CloseConnection>(&effect)) {
    const auto connection = connections_.find(closing->connection);
    if (connection != connections_.end()) context_.network.close(connection->second.stream, 1);
    connections_.erase(closing->connection);
  } else if (auto* reply = std::get_if<master::Reply>(&effect)) {
    const auto found = calls_.find(reply->call);
    if (found == calls_.end()) return;
    auto answer = std::move(found->second);
    calls_.erase(found);
    answer(reply->status, reply->body);
  } else if (auto* persist = std::get_if<master::Persist>(&effect)) {
    this->persist(*persist);
  } else if (auto* timer = std::get_if<master::SetTimer>(&effect)) {
    const uint64_t generation = next_++;
    timers_[timer->timer] = generation;
    const base::Duration delay = std::max(timer->at - world.now().instant, base::Duration::zero());
    world.after(*this, delay, [this, id = timer->timer, generation] {
      const auto found = timers_.find(id);
      if (found == timers_.end() || found->second != generation) return;
      timers_.erase(found);
      handle(master::TimerFired{id});
    });
  } else if (auto* cancel = std::get_if<master::CancelTimer>(&effect)) {
    timers_.erase(cancel->timer);
  } else if (std::holds_alternative<master::WantTurnEnd>(effect)) {
    world.after(*this, base::Duration::zero(), [this] { handle(master::TurnEnded{}); });
  } else if (auto* trace = std::get_if<master::Trace>(&effect)) {
    world.trace(name, trace->text);
  }
}

void SimMaster::persist(master::Persist& effect) {
  Disk::Writes writes;
  for (auto& write : effect.writes) writes.emplace_back(write.key, write.value);
  disk_.commit(std::move(writes), [this, ticket = effect.ticket](base::Status status) {
    handle(master::Persisted{ticket, std::move(status)});
  });
}

StreamId SimMaster::dial_agent(
    Node& agent, std::function<void(const dcos::internal::v1::MasterMessage&)> from_master,
    std::function<void()> closed) {
  const master::LinkId link = next_++;
  const StreamId stream = context_.network.open(agent, *this, std::move(closed), [this, link] {
    const auto found = links_.find(link);
    if (found == links_.end()) return;
    link_of_stream_.erase(found->second.stream);
    links_.erase(found);
    handle(master::AgentLinkLost{link});
  });
  links_[link] = {stream, std::move(from_master)};
  link_of_stream_[stream] = link;
  return stream;
}

void SimMaster::send_from_agent(StreamId stream, dcos::internal::v1::AgentMessage message) {
  context_.network.send(stream, 0, [this, stream, message = std::move(message)] {
    const auto link = link_of_stream_.find(stream);
    if (link != link_of_stream_.end())
      handle(master::AgentMessageReceived{link->second, "127.0.0.1", message});
  });
}

SimMaster::Subscription SimMaster::subscribe(
    Node& scheduler, const mesos::v1::scheduler::Call& call,
    std::function<void(const mesos::v1::scheduler::Event&)> on_event,
    std::function<void()> closed) {
  const master::ConnectionId connection = next_++;
  const std::string stream_id = context_.world.random().uuid();
  const StreamId stream =
      context_.network.open(scheduler, *this, std::move(closed), [this, connection] {
        if (connections_.erase(connection) > 0)
          handle(master::SchedulerConnectionClosed{connection});
      });
  context_.network.send(stream, 0,
                        [this, connection, stream, stream_id, subscribe = call.subscribe(),
                         on_event = std::move(on_event)] {
                          connections_[connection] = {stream, on_event};
                          handle(master::SchedulerSubscribed{connection, stream_id, subscribe, ""});
                        });
  return {stream, stream_id};
}

StreamId SimMaster::dial_calls(Node& scheduler, std::function<void()> closed) {
  return context_.network.open(scheduler, *this, std::move(closed), nullptr);
}

void SimMaster::call(StreamId calls, const std::string& stream_id,
                     const mesos::v1::scheduler::Call& call,
                     std::function<void(int, const std::string&)> answered) {
  context_.network.send(calls, 0, [this, calls, stream_id, call, answered = std::move(answered)] {
    const master::CallId id = next_++;
    calls_[id] = [this, calls, answered](int status, const std::string& text) {
      context_.network.send(calls, 1, [answered, status, text] { answered(status, text); });
    };
    handle(master::SchedulerCallReceived{id, stream_id, call, ""});
  });
}

}  // namespace sim
