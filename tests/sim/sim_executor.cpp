#include "tests/sim/sim_executor.hpp"

#include <algorithm>

namespace sim {

namespace {

// As the program has them.
constexpr base::Duration kFirstRetry = base::milliseconds(50);
constexpr base::Duration kLastRetry = base::milliseconds(500);
constexpr base::Duration kPatience = base::minutes(15);

constexpr base::Duration kWay = base::milliseconds(1);  // of one message

executor::GroupOptions options_of(const containerizer::ContainerSpec& spec) {
  executor::GroupOptions options;
  options.framework_id.set_value(spec.environment.at("MESOS_FRAMEWORK_ID"));
  options.executor_id.set_value(spec.environment.at("MESOS_EXECUTOR_ID"));
  return options;
}

}  // namespace

SimExecutor::SimExecutor(Context& context, const containerizer::ContainerSpec& spec, Host host)
    : context_(context),
      host_(std::move(host)),
      core_(options_of(spec), base::Random(context.world.random().next())),
      lost_at_(context.world.now().instant),
      retry_(kFirstRetry) {}

void SimExecutor::later(base::Duration delay, std::function<void()> call) {
  context_.world.after(delay, [self = weak_from_this(), call = std::move(call)] {
    const auto alive = self.lock();
    if (alive && !alive->over_) call();
  });
}

void SimExecutor::subscribe() {
  later(kWay, [this] {
    if (!host_.listens() || host_.recovers()) return lost();
    stream_ = host_.connect(*this);
    host_.tell(agent::ExecutorSubscribed{stream_, core_.subscribe()});
  });
}

void SimExecutor::lost() {
  stream_ = 0;
  core_.lost();
  const base::Instant now = context_.world.now().instant;
  if (now - lost_at_ > kPatience) return host_.quit(1);
  later(retry_, [this] { subscribe(); });
  retry_ = std::min(retry_ * 2, kLastRetry);
}

void SimExecutor::agent_died() {
  auto open = std::move(requests_);
  requests_.clear();
  for (auto& [connection, answered] : open)
    later(kWay, [this, answered = std::move(answered)] { answered(0, "", {}); });
  if (stream_ != 0) closed(stream_);
}

void SimExecutor::closed(agent::ConnectionId connection) {
  if (connection != stream_) return;
  stream_ = 0;
  lost_at_ = context_.world.now().instant;
  later(kWay, [this] { lost(); });
}

void SimExecutor::hear(agent::ConnectionId connection, const mesos::v1::executor::Event& event) {
  later(kWay, [this, connection, event] {
    if (connection != stream_) return;
    if (event.type() == mesos::v1::executor::Event::SUBSCRIBED) retry_ = kFirstRetry;
    tell_core([&](auto& out) { core_.on(event, "127.0.0.1", context_.world.now(), out); });
  });
}

void SimExecutor::answer(agent::ConnectionId connection, int status, const std::string& text,
                         const mesos::v1::agent::Response& response) {
  // A subscription is only ever answered by a refusal: the agent does not know this executor, and never will.
  if (connection == stream_) return later(kWay, [this] { host_.quit(1); });
  const auto found = requests_.find(connection);
  if (found == requests_.end()) return;
  Answered answered = std::move(found->second);
  requests_.erase(found);
  later(kWay, [answered = std::move(answered), status, text, response] { answered(status, text, response); });
}

void SimExecutor::request(std::function<agent::Event(agent::ConnectionId)> make, Answered answered) {
  // Connections of their own: one may overtake the other.
  const base::Duration way = kWay + context_.world.random().jitter(kWay);
  later(way, [this, make = std::move(make), answered = std::move(answered)] {
    if (!host_.listens()) return answered(0, "", {});
    if (host_.recovers()) return answered(503, "Agent has not finished recovery", {});
    const agent::ConnectionId connection = host_.connect(*this);
    requests_[connection] = answered;
    host_.tell(make(connection));
  });
}

void SimExecutor::perform(executor::GroupEffects effects) {
  for (auto& effect : effects) {
    if (over_) return;
    std::visit([this](auto& each) { perform_one(each); }, effect);
  }
}

void SimExecutor::perform_one(executor::Say& effect) {
  request([call = std::move(effect.call)](agent::ConnectionId id) { return agent::ExecutorCalled{id, call}; },
          [this](int status, const std::string&, const auto&) {
            tell_core([&](auto& out) { core_.said(status, out); });
          });
}

void SimExecutor::perform_one(executor::Ask& effect) {
  request([call = std::move(effect.call)](agent::ConnectionId id) { return agent::ContainerCalled{id, call}; },
          [this, id = effect.id](int status, const std::string& text, const mesos::v1::agent::Response& response) {
            tell_core([&](auto& out) { core_.answered(id, status, response, text, context_.world.now(), out); });
          });
}

void SimExecutor::perform_one(executor::SetTimerNamed& effect) {
  const uint64_t generation = next_++;
  timers_[effect.name] = generation;
  const base::Duration delay = std::max(effect.at - context_.world.now().instant, base::Duration::zero());
  later(delay, [this, name = effect.name, generation] {
    const auto found = timers_.find(name);
    if (found == timers_.end() || found->second != generation) return;
    timers_.erase(found);
    tell_core([&](auto& out) { core_.timer(name, context_.world.now(), out); });
  });
}

void SimExecutor::perform_one(executor::CancelTimerNamed& effect) { timers_.erase(effect.name); }

void SimExecutor::perform_one(executor::ProbeNetwork& effect) {
  executor::ProbeResult result;
  auto& random = context_.world.random();
  const bool fails = context_.faults_on && random.chance(host_.probes_fail);
  result.http_status = fails ? 500 : 200;
  result.tcp_succeeded = !fails;
  later(kWay + random.jitter(base::milliseconds(20)), [this, task = effect.task, kind = effect.kind, result] {
    tell_core([&](auto& out) { core_.probed(task, kind, result, context_.world.now(), out); });
  });
}

void SimExecutor::perform_one(executor::Quit& effect) { host_.quit(effect.code); }

}  // namespace sim
