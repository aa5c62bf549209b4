#include "kernel/agent/shell.hpp"

#include <signal.h>
#include <sys/statvfs.h>

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/system_stats.hpp"
#include "kernel/agent/checkpoint.hpp"
#include "kernel/agent/layout.hpp"
#include "kernel/agent/link.hpp"
#include "kernel/agent/providers.hpp"
#include "kernel/agent/volume_plugins.hpp"
#include "kernel/storage/claims.hpp"

namespace agent {
namespace {

constexpr base::Duration kHeartbeat = base::minutes(30);
constexpr size_t kMaxExecutorBacklog = size_t{64} << 20;

}  // namespace

Shell::Shell(base::Loop& loop, base::Pool& pool, Core& core, base::Store& store,
             containerizer::Containerizer& containers, base::Metrics& metrics)
    : loop_(loop),
      pool_(pool),
      core_(core),
      store_(store),
      containers_(containers),
      metrics_(metrics),
      prober_(loop, pool, containers) {
  containers_.on_exit([this](const std::string& id, const containerizer::Termination& end) {
    if (volume_plugins_ != nullptr) volume_plugins_->release(id);
    tell(ContainerExited{id, end});
  });
  heartbeat_timer_ = loop_.every(kHeartbeat, [this] { heartbeat(); });
}

Shell::~Shell() {
  *alive_ = false;
  containers_.on_exit(nullptr);
  loop_.cancel(heartbeat_timer_);
  loop_.cancel(disk_timer_);
  loop_.cancel(usage_timer_);
  loop_.cancel(load_timer_);
  for (const auto& [name, timer] : timers_) loop_.cancel(timer);
}

base::Status Shell::start(Link& link, base::Duration disk_watch) {
  link_ = &link;
  disk_timer_ = loop_.every(disk_watch, [this] { measure_disk(); });
  ASSIGN_OR_RETURN(const auto entries, store_.scan(""));
  Loaded loaded = decode_store(entries);
  loaded.sandboxes = list_sandboxes(core_.policy().work_dir);
  tell(std::move(loaded));
  return {};
}

void Shell::measure(base::Duration usage, base::Duration load) {
  if (usage > base::Duration{0})
    usage_timer_ = loop_.every(usage, [this] {
      containers_.usage([this, alive = alive_](const containerizer::Containerizer::Statistics& statistics) {
        if (!*alive) return;
        UsageMeasured event;
        for (const auto& [id, each] : statistics) event.cpu_seconds[id] = each.cpus_user_time_secs() + each.cpus_system_time_secs();
        tell(std::move(event));
      });
    });
  if (load > base::Duration{0})
    load_timer_ = loop_.every(load, [this] {
      const base::SystemStats stats = base::system_stats();
      tell(LoadMeasured{{stats.load_5min, stats.load_15min}});
    });
}

void Shell::tell(Event event) {
  events_.push_back(std::move(event));
  if (busy_) return;
  busy_ = true;
  while (!events_.empty()) {
    Event next = std::move(events_.front());
    events_.pop_front();
    Effects effects;
    core_.on(std::move(next), loop_.now(), effects);
    for (auto& effect : effects.list) perform(std::move(effect));
  }
  busy_ = false;
  if (on_turn_) on_turn_();
}

void Shell::perform(Effect effect) {
  std::visit([this](auto& each) { perform_one(each); }, effect);
}

void Shell::perform_one(SendToMaster& effect) {
  if (link_ != nullptr) link_->send(std::move(effect.message));
}

void Shell::perform_one(Reconnect& effect) {
  if (link_ != nullptr) link_->reconnect(effect.why);
}

void Shell::perform_one(Persist& effect) {
  store_.commit(std::move(effect.batch), [this, alive = alive_](base::Status status) {
    if (*alive) tell(Persisted{std::move(status)});
  });
}

void Shell::perform_one(SetTimer& effect) {
  auto& timer = timers_[effect.timer];
  if (timer != 0) loop_.cancel(timer);
  timer = loop_.at(effect.at, [this, name = effect.timer] {
    timers_.erase(name);
    tell(TimerFired{name});
  });
}

void Shell::perform_one(CancelTimer& effect) {
  const auto found = timers_.find(effect.timer);
  if (found == timers_.end()) return;
  loop_.cancel(found->second);
  timers_.erase(found);
}

void Shell::perform_one(RecoverContainers& effect) {
  containers_.recover(effect.known, [this, alive = alive_, known = effect.known](const auto& running) {
    if (!*alive) return;
    // Not before: a plugin's container that is started meanwhile would be taken for one that nobody knows.
    if (providers_ != nullptr) providers_->start();
    tell(ContainersRecovered{running});
    std::vector<containerizer::ContainerSpec> live;
    for (const auto& spec : known)
      if (running.contains(spec.id)) live.push_back(spec);
    if (volume_plugins_ != nullptr) volume_plugins_->start(live);
  });
}

void Shell::perform_one(ContinueLaunch& effect) {
  auto held = held_.extract(effect.container);
  if (held.empty() || publishing_.erase(effect.container) == 0) return;  // it was given up meanwhile
  if (effect.status) return perform_one(held.mapped());
  tell(ContainerLaunchFailed{effect.container, effect.status.error().message});
}

void Shell::perform_one(LaunchContainer& effect) {
  if (std::exchange(effect.waits, false)) {
    publishing_.insert(effect.spec.id);
    held_.insert_or_assign(effect.spec.id, std::move(effect));
    return;
  }
  if (effect.disks.empty()) return publish_volumes(std::move(effect.spec));
  const std::string id = effect.spec.id;
  publishing_.insert(id);
  const auto published = [this, alive = alive_, spec = std::move(effect.spec)](const base::Status& status) {
    if (!*alive || publishing_.erase(spec.id) == 0) return;  // it was given up meanwhile
    if (status) return publish_volumes(spec);
    tell(ContainerLaunchFailed{spec.id, status.error().message});
  };
  if (providers_ == nullptr) return published(base::unavailable("this agent runs no resource providers"));
  providers_->publish(effect.disks, published);
}

void Shell::publish_volumes(containerizer::ContainerSpec spec) {
  if (volume_plugins_ == nullptr || !spec.container || !storage::wants_volumes(*spec.container)) return launch(std::move(spec));
  const std::string id = spec.id;
  const mesos::v1::ContainerInfo info = *spec.container;
  publishing_.insert(id);
  volume_plugins_->claim(id, info, [this, alive = alive_, spec = std::move(spec)](auto published) mutable {
    if (!*alive || publishing_.erase(spec.id) == 0) return;  // it was given up meanwhile
    if (published) {
      spec.published = std::move(*published);
      return launch(std::move(spec));
    }
    volume_plugins_->release(spec.id);
    tell(ContainerLaunchFailed{spec.id, published.error().message});
  });
}

void Shell::abandon(const std::string& container) {
  publishing_.erase(container);
  held_.erase(container);
  if (volume_plugins_ != nullptr) volume_plugins_->release(container);
  tell(ContainerLaunchFailed{container, "it was ended before its disks were there"});
}

void Shell::launch(containerizer::ContainerSpec spec) {
  const std::string id = spec.id;
  containers_.launch(std::move(spec), [this, alive = alive_, id](base::Result<containerizer::Started> started) {
    if (!*alive) return;
    if (started)
      return tell(ContainerStarted{id, started->pid, std::move(started->networks)});
    if (volume_plugins_ != nullptr) volume_plugins_->release(id);
    tell(ContainerLaunchFailed{id, started.error().message});
  });
}

void Shell::perform_one(TerminateContainer& effect) {
  if (publishing_.contains(effect.container)) return abandon(effect.container);
  containers_.signal(effect.container, SIGTERM);
}
void Shell::perform_one(SignalContainer& effect) { containers_.signal(effect.container, effect.number); }
void Shell::perform_one(DestroyContainer& effect) {
  if (publishing_.contains(effect.container)) return abandon(effect.container);
  containers_.destroy(effect.container);
}

void Shell::perform_one(UpdateContainer& effect) {
  containers_.set_ports(effect.container, std::move(effect.ports));
  containers_.update(effect.container, effect.limits, [id = effect.container](const base::Status& status) {
    if (!status) LOG_WARNING("container {}: new limits not set: {}", id, status.error().message);
  });
}

void Shell::perform_one(AddVolumes& effect) {
  const auto told = [this, alive = alive_, id = effect.container](base::Status status) {
    if (*alive) tell(VolumesAdded{id, std::move(status)});
  };
  if (effect.disks.empty()) return containers_.add_volumes(effect.container, std::move(effect.volumes), told);
  if (providers_ == nullptr) return told(base::unavailable("this agent runs no resource providers"));
  providers_->publish(effect.disks, [this, alive = alive_, effect, told](const base::Status& status) {
    if (!*alive) return;
    if (!status) return told(status);
    containers_.add_volumes(effect.container, effect.volumes, told);
  });
}

void Shell::perform_one(ForgetContainer& effect) { containers_.forget(effect.container); }

void Shell::perform_one(StartProbe& effect) {
  const auto done = [this, alive = alive_, id = effect.container, kind = effect.kind](executor::ProbeResult result) {
    if (*alive) tell(Probed{id, kind, std::move(result)});
  };
  if (effect.kind == executor::ProbeKind::Check)
    prober_.check(effect.container, effect.task.check(), done);
  else
    prober_.health(effect.container, effect.task.health_check(), done);
}

void Shell::subscribe(mesos::v1::executor::Call call, api::ContentType type, base::http::Responder responder) {
  const ConnectionId id = next_connection_++;
  responder.on_disconnect([this, alive = alive_, id] {
    if (*alive && connections_.erase(id) > 0) tell(ExecutorDisconnected{id});
  });
  connections_.emplace(id, Connection{{type, false}, std::move(responder)});
  tell(ExecutorSubscribed{id, std::move(call)});
}

void Shell::call(mesos::v1::executor::Call call, base::http::Responder responder) {
  const ConnectionId id = next_connection_++;
  connections_.emplace(id, Connection{{}, std::move(responder)});
  tell(ExecutorCalled{id, std::move(call)});
}

void Shell::container_call(mesos::v1::agent::Call call, StreamFormat format, base::http::Responder responder) {
  const ConnectionId id = next_connection_++;
  responder.on_disconnect([this, alive = alive_, id] {
    if (*alive && connections_.erase(id) > 0) tell(ExecutorDisconnected{id});
  });
  connections_.emplace(id, Connection{format, std::move(responder)});
  tell(ContainerCalled{id, std::move(call)});
}

void Shell::container_call(mesos::v1::agent::Call call, std::function<void(int, const std::string&)> done) {
  const ConnectionId id = next_connection_++;
  connections_.emplace(id, Connection{{}, base::http::Responder(nullptr), {}, std::move(done)});  // nobody to respond to
  tell(ContainerCalled{id, std::move(call)});
}

void Shell::subscribe_provider(mesos::v1::ResourceProviderInfo info, std::string stream, api::ContentType type,
                               base::http::Responder responder) {
  const ConnectionId id = next_connection_++;
  responder.on_disconnect([this, alive = alive_, id] {
    if (*alive && connections_.erase(id) > 0) tell(ExecutorDisconnected{id});
  });
  Connection connection{{type, false}, std::move(responder)};
  connection.stream_id = stream;
  connections_.emplace(id, std::move(connection));
  tell(ProviderSubscribed{id, std::move(stream), std::move(info)});
}

void Shell::provider_call(mesos::v1::resource_provider::Call call, std::string stream, base::http::Responder responder) {
  const ConnectionId id = next_connection_++;
  connections_.emplace(id, Connection{{}, std::move(responder)});
  tell(ProviderCalled{id, std::move(stream), std::move(call)});
}

void Shell::perform_one(SendToExecutor& effect) { write(effect.connection, effect.event); }
void Shell::perform_one(SendToProvider& effect) { write(effect.connection, effect.event); }

void Shell::write(ConnectionId id, const google::protobuf::Message& event) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  if (!connection.stream) {
    base::http::Response head;
    head.headers.set("Content-Type", std::string(api::media_type(connection.format.type)));
    if (!connection.stream_id.empty()) head.headers.set("Mesos-Stream-Id", connection.stream_id);
    connection.stream = connection.responder.stream(std::move(head));
    connection.stream.on_disconnect([this, alive = alive_, id] {
      if (*alive && connections_.erase(id) > 0) tell(ExecutorDisconnected{id});
    });
  }
  connection.stream.write(api::encode_record(connection.format.type, event));
  if (connection.stream.queued_bytes() > kMaxExecutorBacklog) connection.stream.abort();
}

void Shell::perform_one(CloseExecutor& effect) {
  const auto found = connections_.find(effect.connection);
  if (found == connections_.end()) return;
  if (found->second.stream) found->second.stream.close();
  connections_.erase(found);
}

void Shell::perform_one(AnswerExecutor& effect) {
  const auto found = connections_.find(effect.connection);
  if (found == connections_.end()) return;
  found->second.responder.reply(base::http::Response::text(effect.status, effect.message));
  connections_.erase(found);
}

void Shell::perform_one(AnswerContainer& effect) {
  const auto found = connections_.find(effect.connection);
  if (found == connections_.end()) return;
  if (const auto done = std::move(found->second.done)) {
    connections_.erase(found);
    return done(effect.status, effect.message);
  }
  base::http::Response response = base::http::Response::text(effect.status, effect.message);
  if (effect.response.has_type()) {
    response.headers.set("Content-Type", std::string(api::media_type(found->second.format.type)));
    response.body = api::encode(found->second.format.type, effect.response);
  }
  found->second.responder.reply(std::move(response));
  connections_.erase(found);
}

void Shell::perform_one(StreamContainer& effect) {
  const auto found = connections_.find(effect.connection);
  if (found == connections_.end() || streams_ == nullptr) return containers_.destroy(effect.container);
  const Connection connection = std::move(found->second);
  connections_.erase(found);
  // Nobody would end a session that nobody reads.
  if (!streams_->output(effect.container, connection.format, connection.responder)) containers_.destroy(effect.container);
}

void Shell::heartbeat() {
  mesos::v1::executor::Event event;
  event.set_type(mesos::v1::executor::Event::HEARTBEAT);
  for (auto& [id, connection] : connections_)
    if (connection.stream && connection.stream_id.empty()) connection.stream.write(api::encode_record(connection.format.type, event));
}

void Shell::perform_one(RememberAgent& effect) {
  (void)pool_.run_for([work_dir = core_.policy().work_dir, id = effect.agent_id] { return link_agent(work_dir, id); },
                      [](const base::Status& status) {
                        if (!status) LOG_WARNING("{}", status.error().message);
                      });
}

void Shell::perform_one(LinkSandbox& effect) {
  (void)pool_.run_for([path = effect.directory] { return link_run(path); },
                      [](const base::Status& status) {
                        if (!status) LOG_WARNING("{}", status.error().message);
                      });
}

void Shell::perform_one(RemovePath& effect) {
  (void)pool_.run_for([path = effect.path] { return remove_sandbox(path); },
                      [this, alive = alive_, path = effect.path](base::Status status) {
                        if (*alive) tell(PathRemoved{path, std::move(status)});
                      });
}

void Shell::perform_one(MakeVolumes& effect) {
  // At once and not on the pool: the launch that may follow must find them. A few system calls, once in a volume's life.
  base::Status made;
  for (const VolumePlace& place : effect.volumes)
    if (made) made = make_volume(place);
  tell(VolumesChanged{effect.operation, std::move(made)});
}

void Shell::perform_one(RemoveVolumes& effect) {
  std::vector<storage::DiskName> disks;
  for (VolumePlace& place : effect.volumes)
    if (auto disk = std::exchange(place.disk, std::nullopt)) disks.push_back(std::move(*disk));
  if (!disks.empty() && providers_ != nullptr)
    return providers_->publish(disks, [this, alive = alive_, effect](const base::Status& status) mutable {
      if (!*alive) return;
      if (status) return perform_one(effect);
      tell(VolumesChanged{effect.operation, status});
    });
  const bool taken = pool_.run_for(
      [volumes = effect.volumes] {
        base::Status removed;
        for (const VolumePlace& place : volumes)
          if (removed) removed = remove_volume(place);
        return removed;
      },
      [this, alive = alive_, operation = effect.operation](base::Status status) {
        if (*alive) tell(VolumesChanged{operation, std::move(status)});
      });
  if (!taken) tell(VolumesChanged{effect.operation, base::unavailable("too much work waits on this agent")});
}

void Shell::measure_disk() {
  (void)pool_.run_for([path = core_.policy().work_dir] { return used_fraction(path); },
                      [this, alive = alive_](double used) {
                        if (*alive) tell(DiskMeasured{used});
                      });
  // A sandbox that somebody removed, or that a crash kept from being made, is not waited for.
  std::vector<std::string> paths;
  for (const auto& [path, expires] : core_.garbage().paths()) paths.push_back(path);
  (void)pool_.run_for(
      [paths = std::move(paths)]() mutable {
        std::erase_if(paths, [](const std::string& path) { return base::exists(path); });
        return paths;
      },
      [this, alive = alive_](const std::vector<std::string>& gone) {
        for (const auto& path : gone)
          if (*alive) tell(PathRemoved{path, {}});
      });
}

void Shell::perform_one(RunProvider& effect) {
  if (providers_ != nullptr) providers_->run(effect.info);
}

void Shell::perform_one(StopProvider& effect) {
  if (providers_ != nullptr) providers_->stop(effect.provider, effect.forget);
}

void Shell::perform_one(ChangeDisk& effect) {
  if (providers_ != nullptr) providers_->change(effect);
}

void Shell::perform_one(Exit& effect) {
  if (effect.code == 0)
    LOG_INFO("{}", effect.message);
  else
    LOG_ERROR("{}", effect.message);
  // What was sent last is given a moment to leave.
  loop_.after(base::milliseconds(100), [this, code = effect.code] { loop_.stop(code); });
}

void Shell::perform_one(Trace& effect) {
  switch (effect.level) {
    case Trace::Level::Info: LOG_INFO("{}", effect.text); return;
    case Trace::Level::Warning: LOG_WARNING("{}", effect.text); return;
    case Trace::Level::Error: LOG_ERROR("{}", effect.text); return;
  }
}

void Shell::perform_one(Count& effect) { metrics_.counter(effect.metric).increment(); }

}  // namespace agent
