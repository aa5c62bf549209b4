#include "tests/sim/sim_agent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <csignal>

#include "base/strings.hpp"
#include "kernel/agent/checkpoint.hpp"
#include "kernel/resources/parse.hpp"
#include "kernel/resources/proto.hpp"

namespace sim {

namespace {

constexpr const char* kExecutor = "default-executor";

int to_number(std::string_view text) {
  int value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::string task_of(const containerizer::ContainerSpec& spec,
                    const std::vector<std::string_view>& words) {
  if (words.size() > 3) return std::string(words[3]);
  for (const auto& variable : spec.command.environment().variables()) {
    if (variable.name() == "MESOS_TASK_ID") return variable.value();
  }
  UNREACHABLE();
}

}  // namespace

SimAgent::SimAgent(Context& context, std::string process_name, unsigned index, SimMaster& master,
                   PlacementChecker& placement, const std::string& resources_text)
    : SimAgent(context, std::move(process_name), index, [&master] { return &master; }, placement,
               resources_text) {}

SimAgent::SimAgent(Context& context, std::string process_name, unsigned index, FindMaster find,
                   PlacementChecker& placement, const std::string& resources_text)
    : Process(context, std::move(process_name)), find_(std::move(find)), placement_(placement) {
  policy_.info.set_hostname(name);
  policy_.info.set_port(static_cast<int>(5051 + index));
  resources::to_proto(resources::must_parse(resources_text), resources::Format::Post,
                      policy_.info.mutable_resources());
  policy_.version = "1.12.0";
  policy_.boot_id = "boot";
  policy_.ip = "127.0.0.1";
  policy_.port = static_cast<uint16_t>(5051 + index);
  policy_.work_dir = "/sim/" + name;
  policy_.default_executor = kExecutor;
}

void SimAgent::replace_machine() {
  context_.world.trace(name, "is another machine from now on");
  disk_.wipe();
  promised_.clear();
  volumes_.clear();
}

void SimAgent::add_attribute(const std::string& attribute) {
  auto* added = policy_.info.add_attributes();
  added->set_name(attribute);
  added->set_type(mesos::v1::Value::TEXT);
  added->mutable_text()->set_value("x");
}

size_t SimAgent::running_containers() const {
  return static_cast<size_t>(std::count_if(containers_.begin(), containers_.end(),
                                           [](const auto& c) { return c.second.running; }));
}

void SimAgent::on_boot() {
  dead_ = false;
  core_ = std::make_unique<agent::Core>(policy_, base::Random(context_.world.random().next()));
  std::vector<base::StoreEntry> entries;
  for (const auto& [key, value] : disk_.durable()) entries.push_back({key, value});
  handle(agent::decode_store(entries));
  check_volumes();
  dial();
}

void SimAgent::on_crash() {
  core_.reset();
  connections_.clear();
  for (auto& [id, container] : containers_) {
    if (container.executor) container.executor->agent_died();
  }
  timers_.clear();
  stream_ = 0;
}

void SimAgent::note_told(const dcos::internal::v1::AgentMessage& message) {
  const auto& update = message.operation_status_update();
  if (update.status().state() != mesos::v1::OPERATION_FINISHED) return;
  const auto found = core_->state().operations.find(update.operation_uuid().value());
  if (found == core_->state().operations.end()) return;
  for (const auto& volume : found->second.proto.info().create().volumes()) {
    // Told again after it was destroyed, it is no new promise.
    const std::string& id = volume.disk().persistence().id();
    const auto& total = core_->state().total;
    const bool held = std::any_of(total.begin(), total.end(), [&](const auto& r) {
      return r.kind.persistent_volume() && r.kind.data().disk->persistence_id == id;
    });
    if (held && promised_.insert(id).second) ++told_;
  }
}

void SimAgent::note_asked(const dcos::internal::v1::MasterMessage& message) {
  for (const auto& volume : message.apply_operation().operation().destroy().volumes())
    promised_.erase(volume.disk().persistence().id());
  // What ends on this order ends without a word, also when the agent dies over it.
  if (message.has_shutdown()) placement_.given_up(name);
  if (!on_acknowledged || !core_) return;
  if (message.has_acknowledge_status_update()) on_acknowledged(message.acknowledge_status_update().uuid());
  if (message.has_acknowledge_operation_status()) {
    const auto& operations = core_->state().operations;
    const auto found = operations.find(message.acknowledge_operation_status().operation_uuid().value());
    if (found != operations.end() && found->second.proto.info().has_id())
      on_acknowledged(message.acknowledge_operation_status().status_uuid().value());
  }
}

void SimAgent::check_volumes() const {
  if (!core_) return;
  std::set<std::string> held;
  for (const auto& resource : core_->state().total.persistent_volumes()) {
    const auto place = agent::volume_place(policy_.work_dir, resource.kind);
    if (place && volumes_.count(place->path)) held.insert(*resource.kind.data().disk->persistence_id);
  }
  for (const std::string& id : promised_) {
    if (!held.count(id)) context_.world.fail(fmt::format("{} lost the volume {} that it had told as created", name, id));
  }
}

std::string SimAgent::difference_of_volumes() const {
  std::set<std::string> told;
  for (const auto& resource : core_->state().total.persistent_volumes()) {
    const auto place = agent::volume_place(policy_.work_dir, resource.kind);
    if (place) told.insert(place->path);
  }
  for (const std::string& path : volumes_) {
    if (told.count(path) == 0) return fmt::format("{} keeps {}, which is no volume any more", name, path);
  }
  for (const std::string& path : told) {
    if (volumes_.count(path) == 0) return fmt::format("{} has no {} for a volume", name, path);
  }
  return {};
}

void SimAgent::handle(agent::Event event) {
  if (!core_ || dead_) return;
  agent::Effects out;
  core_->on(std::move(event), context_.world.now(), out);
  for (agent::Effect& effect : out.list) {
    if (crash_point()) {
      dead_ = true;
      return;
    }
    perform(effect);
  }
}

void SimAgent::dial() {
  World& world = context_.world;
  if (!alive) return;
  const uint64_t dialing = ++dialing_;
  // The real one looks for the leading master first: a round trip.
  world.after(*this, base::milliseconds(1) + world.random().jitter(base::milliseconds(20)), [this, dialing] {
    if (dialing != dialing_) return;
    SimMaster* found = find_();
    if (found == nullptr || !found->serves() || context_.network.blocked(*this, *found)) {
      context_.world.after(
          *this, base::milliseconds(200) + context_.world.random().jitter(base::seconds(1)),
          [this, dialing] {
            if (dialing == dialing_) dial();
          });
      return;
    }
    master_ = found;
    const StreamId opened = master_->dial_agent(
        *this,
        [this, dialing](const dcos::internal::v1::MasterMessage& message) {
          if (dialing != dialing_) return;
          note_asked(message);
          handle(agent::MasterSaid{message});
        },
        [this, dialing] {
          if (dialing != dialing_) return;
          stream_ = 0;
          handle(agent::LinkDisconnected{"the stream broke"});
          dial();
        });
    stream_ = opened;
    handle(agent::LinkConnected{});
  });
}

void SimAgent::leader_changed() {
  if (!core_ || find_() == master_) return;
  if (stream_ == 0) return dial();
  context_.network.close(stream_, 0);
  stream_ = 0;
  ++dialing_;
  handle(agent::LinkDisconnected{"another master leads"});
  dial();
}

void SimAgent::perform(agent::Effect& effect) {
  World& world = context_.world;
  if (auto* send = std::get_if<agent::SendToMaster>(&effect)) {
    note_told(send->message);
    if (stream_ != 0) master_->send_from_agent(stream_, std::move(send->message));
  } else if (std::holds_alternative<agent::Reconnect>(effect)) {
    if (stream_ != 0) context_.network.close(stream_, 0);
    stream_ = 0;
    world.after(*this, base::Duration::zero(), [this] {
      handle(agent::LinkDisconnected{"asked to"});
      dial();
    });
  } else if (auto* persist = std::get_if<agent::Persist>(&effect)) {
    Disk::Writes writes;
    for (auto& write : persist->batch.writes)
      writes.emplace_back(std::move(write.key), std::move(write.value));
    disk_.commit(std::move(writes),
                 [this](base::Status status) { handle(agent::Persisted{std::move(status)}); });
  } else if (auto* timer = std::get_if<agent::SetTimer>(&effect)) {
    const uint64_t generation = next_++;
    timers_[timer->timer] = generation;
    const base::Duration delay = std::max(timer->at - world.now().instant, base::Duration::zero());
    world.after(*this, delay, [this, key = timer->timer, generation] {
      const auto found = timers_.find(key);
      if (found == timers_.end() || found->second != generation) return;
      timers_.erase(found);
      handle(agent::TimerFired{key});
    });
  } else if (auto* cancel = std::get_if<agent::CancelTimer>(&effect)) {
    timers_.erase(cancel->timer);
  } else if (auto* remove = std::get_if<agent::RemovePath>(&effect)) {
    world.after(*this, base::milliseconds(1), [this, path = remove->path] {
      handle(agent::PathRemoved{path, {}});
    });
  } else if (auto* make = std::get_if<agent::MakeVolumes>(&effect)) {
    for (const auto& place : make->volumes) {
      volumes_.insert(place.path);
      if (volume_checker) volume_checker->made(name, place.path);
    }
    world.after(*this, base::Duration::zero(), [this, operation = make->operation] {
      handle(agent::VolumesChanged{operation, {}});
    });
  } else if (auto* removal = std::get_if<agent::RemoveVolumes>(&effect)) {
    world.after(*this, world.random().jitter(base::milliseconds(50)), [this, done = *removal] {
      for (const auto& place : done.volumes) {
        if (volumes_.erase(place.path) > 0 && volume_checker) volume_checker->removed(name, place.path);
      }
      handle(agent::VolumesChanged{done.operation, {}});
    });
  } else if (auto* exit = std::get_if<agent::Exit>(&effect)) {
    world.trace(name, "exits: " + exit->message);
    dead_ = true;
    placement_.given_up(name);
    const bool gone = exit->message.find("marked gone") != std::string::npos;
    world.after(base::Duration::zero(), [this, gone] {
      crash();
      if (gone) replace_machine();
    });
  } else if (auto* trace = std::get_if<agent::Trace>(&effect)) {
    world.trace(name, trace->text);
  } else {
    perform_container(effect);
  }
}

void SimAgent::perform_container(agent::Effect& effect) {
  World& world = context_.world;
  if (auto* known = std::get_if<agent::RecoverContainers>(&effect)) {
    world.after(*this, base::milliseconds(5), [this, list = known->known] { recover(list); });
  } else if (auto* start = std::get_if<agent::LaunchContainer>(&effect)) {
    launch(start->spec);
  } else if (auto* terminate = std::get_if<agent::TerminateContainer>(&effect)) {
    signal(terminate->container, SIGTERM);
  } else if (auto* sent = std::get_if<agent::SignalContainer>(&effect)) {
    signal(sent->container, sent->number);
  } else if (auto* destroy = std::get_if<agent::DestroyContainer>(&effect)) {
    signal(destroy->container, SIGKILL);
  } else if (auto* forget = std::get_if<agent::ForgetContainer>(&effect)) {
    const auto found = containers_.find(forget->container);
    if (found != containers_.end() && !found->second.running) containers_.erase(found);
  } else if (auto* probe = std::get_if<agent::StartProbe>(&effect)) {
    executor::ProbeResult result;
    result.exit_code = 0;
    result.http_status = 200;
    result.tcp_succeeded = true;
    world.after(*this, base::milliseconds(10),
                [this, container = probe->container, kind = probe->kind, result] {
                  handle(agent::Probed{container, kind, result});
                });
  } else if (auto* said = std::get_if<agent::SendToExecutor>(&effect)) {
    if (SimExecutor* executor = peer(said->connection, false)) executor->hear(said->connection, said->event);
  } else if (auto* close = std::get_if<agent::CloseExecutor>(&effect)) {
    if (SimExecutor* executor = peer(close->connection, true)) executor->closed(close->connection);
  } else if (auto* answer = std::get_if<agent::AnswerExecutor>(&effect)) {
    if (SimExecutor* executor = peer(answer->connection, true))
      executor->answer(answer->connection, answer->status, answer->message, {});
  } else if (auto* reply = std::get_if<agent::AnswerContainer>(&effect)) {
    if (SimExecutor* executor = peer(reply->connection, true))
      executor->answer(reply->connection, reply->status, reply->message, reply->response);
  }
}

SimExecutor* SimAgent::peer(agent::ConnectionId connection, bool forget) {
  const auto found = connections_.find(connection);
  if (found == connections_.end()) return nullptr;
  const auto executor = found->second.lock();
  if (forget) connections_.erase(found);
  return executor.get();  // its container holds it
}

void SimAgent::start_executor(const containerizer::ContainerSpec& spec) {
  SimExecutor::Host host;
  host.listens = [this] { return alive && core_ && !dead_; };
  host.recovers = [this] { return core_->state().phase == agent::Phase::Recovering; };
  host.connect = [this](SimExecutor& executor) {
    const agent::ConnectionId id = next_++;
    connections_[id] = executor.weak_from_this();
    return id;
  };
  host.tell = [this](agent::Event event) {
    context_.world.after(*this, base::Duration::zero(), [this, event = std::move(event)] { handle(event); });
  };
  host.quit = [this, id = spec.id](int code) {
    // Not within the executor's own call.
    context_.world.after(base::Duration::zero(), [this, id, code] {
      const auto found = containers_.find(id);
      if (found != containers_.end() && found->second.running) ended(id, code << 8);
    });
  };
  host.probes_fail = probes_fail;
  auto& executor = containers_.at(spec.id).executor;
  executor = std::make_shared<SimExecutor>(context_, spec, std::move(host));
  executor->start();
}

void SimAgent::signal(const std::string& id, int number) {
  auto& random = context_.world.random();
  if (number == SIGKILL) return end_container(id, random.jitter(base::milliseconds(20)), SIGKILL);
  // One in eight ignores SIGTERM.
  if (number == SIGTERM && random.below(8) != 0) end_container(id, random.jitter(base::milliseconds(500)), SIGTERM);
}

void SimAgent::launch(const containerizer::ContainerSpec& spec) {
  const bool executor = spec.command.value() == kExecutor;
  const auto words = base::tokenize(spec.command.value(), ' ');
  CHECK(executor || words.size() >= 3);
  const int run_for = executor ? 0 : to_number(words[1]), exit_code = executor ? 0 : to_number(words[2]);
  World& world = context_.world;
  const base::Duration delay =
      base::milliseconds(1) + world.random().jitter(base::milliseconds(30));
  // Not bound to the agent's life: a launch that was under way at its death may have come to run.
  const uint64_t asked_in = epoch;
  containers_[spec.id].task = executor ? "" : task_of(spec, words);
  containers_[spec.id].parent = spec.parent;
  world.after(delay, [this, spec, executor, id = spec.id, asked_in, run_for, exit_code] {
    const auto found = containers_.find(id);
    if (found == containers_.end() || found->second.running || found->second.end.status) return;
    if (epoch != asked_in && context_.world.random().chance(0.5)) {
      containers_.erase(found);  // died with the agent before it came to run
      return;
    }
    Container& container = found->second;
    if (!spec.parent.empty()) {
      const auto around = containers_.find(spec.parent);
      if (around == containers_.end() || !around->second.running) {
        containers_.erase(found);
        if (epoch == asked_in) handle(agent::ContainerLaunchFailed{id, "the parent container does not run"});
        return;
      }
    }
    container.running = true;
    container.pid = next_pid_++;
    if (volume_checker && spec.parent.empty())
      volume_checker->started(name, id, spec.environment.at("MESOS_EXECUTOR_ID"), spec.volumes);
    if (executor) {
      start_executor(spec);
    } else {
      if (volume_checker) volume_checker->wrote(name, spec.parent.empty() ? id : spec.parent);
      placement_.container_started(name, container.task);
    }
    if (run_for > 0) {
      const uint64_t generation = ++container.generation;
      context_.world.after(base::seconds(run_for), [this, id, generation, exit_code] {
        const auto it = containers_.find(id);
        if (it != containers_.end() && it->second.running && it->second.generation == generation)
          ended(id, exit_code << 8);
      });
    }
    if (epoch == asked_in) handle(agent::ContainerStarted{id, container.pid});
  });
}

void SimAgent::end_container(const std::string& id, base::Duration delay, int wait_status) {
  context_.world.after(delay, [this, id, wait_status] {
    const auto found = containers_.find(id);
    if (found == containers_.end()) return;
    if (found->second.running) {
      ended(id, wait_status);
    } else if (!found->second.end.status) {
      // Destroyed while it was being made: that is a launch that failed.
      containers_.erase(found);
      handle(agent::ContainerLaunchFailed{id, "destroyed during launch"});
    }
  });
}

void SimAgent::ended(const std::string& id, int wait_status) {
  // What is inside it is over first.
  std::vector<std::string> inside;
  for (const auto& [other, child] : containers_) {
    if (child.parent == id && child.running) inside.push_back(other);
  }
  for (const std::string& child : inside) ended(child, SIGKILL);
  Container& container = containers_.at(id);
  container.running = false;
  container.end.status = wait_status;
  if (container.executor) container.executor->end();
  if (volume_checker) volume_checker->ended(name, id);
  if (!container.task.empty()) placement_.container_ended(name, container.task, wait_status == 0);
  const containerizer::Termination end = container.end;
  if (alive) handle(agent::ContainerExited{id, end});
}

void SimAgent::recover(const std::vector<containerizer::ContainerSpec>& known) {
  std::map<std::string, containerizer::Started> running;
  std::vector<std::pair<std::string, containerizer::Termination>> over;
  std::set<std::string> names;
  // Those whose executor ended while nobody looked go with it.
  for (const auto& container : known) {
    const auto found = containers_.find(container.id);
    if (container.parent.empty() || found == containers_.end() || !found->second.running) continue;
    const auto around = containers_.find(container.parent);
    if (around == containers_.end() || !around->second.running) {
      found->second.running = false;
      found->second.end.status = SIGKILL;
      placement_.container_ended(name, found->second.task, false);
    }
  }
  for (const auto& container : known) {
    names.insert(container.id);
    const auto found = containers_.find(container.id);
    if (found != containers_.end() && found->second.running)
      running[container.id] = {found->second.pid};
    else
      over.emplace_back(container.id, found == containers_.end() ? containerizer::Termination{}
                                                                 : found->second.end);
  }
  // A launch that was under way counts as never happened: the real launcher's record is not there
  // yet.
  for (const auto& [id, end] : over) {
    if (!end.status) containers_.erase(id);
  }
  std::vector<std::string> orphans;
  for (const auto& [id, container] : containers_) {
    if (names.count(id) == 0) orphans.push_back(id);
  }
  for (const std::string& id : orphans) {
    Container& orphan = containers_.at(id);
    if (orphan.executor) orphan.executor->end();
    if (volume_checker) volume_checker->ended(name, id);
    if (orphan.running && !orphan.task.empty()) placement_.container_ended(name, orphan.task, false);
    containers_.erase(id);
  }
  handle(agent::ContainersRecovered{running});
  for (const auto& [id, end] : over) handle(agent::ContainerExited{id, end});
}

}  // namespace sim
