#include "kernel/containerizer/native.hpp"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/isolators/isolators.hpp"
#include "kernel/containerizer/launch/format.hpp"
#include "kernel/containerizer/native_impl.hpp"
#include "kernel/containerizer/plan.hpp"
#include "kernel/containerizer/statistics.hpp"

namespace containerizer {
namespace {

constexpr base::Duration kHelperKillDelay = base::seconds(5);
constexpr unsigned kNetworkThreads = 8;
constexpr base::Duration kNetworkRetry = base::seconds(30);

}  // namespace

NativeContainerizer::Impl::Impl(base::Loop& l, base::Pool& p, NativeOptions o, std::shared_ptr<cgroups::Cgroups> c)
    : loop(l),
      pool(p),
      network_pool(l, o.networks ? kNetworkThreads : 1),
      options(std::move(o)),
      groups(std::move(c)),
      files(l, p,
            fetcher::Fetcher::Options{.helper = options.helper,
                                      .frameworks_home = options.frameworks_home,
                                      .cache_directory = options.fetcher_cache_directory,
                                      .cache_bytes = options.fetcher_cache_bytes,
                                      .stall_timeout = options.fetch_stall_timeout}) {
  if (!options.isolators) options.isolators = basic_isolators(options.isolated);
  if (options.networks)
    network_timer = loop.every(kNetworkRetry, [this] {
      if (options.networks->pending())
        (void)network_pool.run([networks = options.networks] { networks->retry(); }, [] {});
    });
  if (!options.ports.watch) return;
  ports_watch = std::make_shared<network::PortsWatch>(options.ports.isolated);
  ports_timer = loop.every(options.ports.interval, [this] { look_at_ports(); });
}

void NativeContainerizer::Impl::enter(const ContainerPtr& container, Stage stage) {
  container->stage = stage;
  container->since = loop.now().time;
}

void NativeContainerizer::Impl::prepare(const ContainerPtr& container) {
  struct Ready {
    std::optional<launch::UserIds> user;
    std::optional<network::Request> networks;
    std::vector<std::string> logins;
  };
  const auto work = [self = shared_from_this(), container]() -> Result<Ready> {
    const ContainerSpec& spec = container->spec;
    Ready prepared;
    ASSIGN_OR_RETURN(const auto image, wanted_image(spec));
    if (self->options.switch_user && !spec.user.empty()) {
      auto found = launch::find_user(spec.user);
      // An image has users of its own; whether it has this one is seen when it is there.
      if (!found && !image) return found.error();
      if (found) prepared.user = std::move(*found);
    }
    ASSIGN_OR_RETURN(const auto volumes, wanted_volume_images(spec));
    if (!volumes.empty() && !self->options.images)
      return base::unsupported("a volume that is made from an image needs an agent with --image_providers=docker");
    ASSIGN_OR_RETURN(prepared.logins, self->look_up_logins(image, volumes));
    if (!spec.debug) RETURN_IF_ERROR(plan_launch(spec, plan_context(self->options, nullptr)));
    // A container inside another is where its parent is.
    if (spec.parent.empty()) {
      ASSIGN_OR_RETURN(prepared.networks, network::wanted_networks(spec, self->options.networks ? self->options.networks->options().bridge
                                                                                                 : "mesos-bridge"));
    }
    if (prepared.networks && !self->options.networks)
      return base::unsupported("a container network needs an agent that runs as root with the isolator network/cni");
    RETURN_IF_ERROR(base::make_directories(self->runtime(spec.id), 0700));
    if (spec.debug) return prepared;
    RETURN_IF_ERROR(make_sandbox(spec.sandbox, prepared.user));
    return prepared;
  };
  const bool taken = pool.run_for(work, [self = shared_from_this(), container](Result<Ready> prepared) {
    if (self->stopped) return;
    if (!prepared) return self->launch_failed(container, prepared.error());
    container->user = prepared->user;
    container->networks = std::move(prepared->networks);
    container->logins = std::move(prepared->logins);
    // The agent's own address is none of the container's.
    if (container->networks) container->spec.environment["LIBPROCESS_IP"] = "0.0.0.0";
    if (container->destroy_wanted)
      return self->launch_failed(container, Error{base::Code::Cancelled, "destroyed during the launch"});
    container->spec.command.uris_size() > 0 ? self->fetch(container) : self->pull(container);
  });
  if (!taken) launch_failed(container, base::unavailable("too much work waits on this agent"));
}

void NativeContainerizer::Impl::fetch(const ContainerPtr& container) {
  enter(container, Stage::Fetching);
  fetcher::FetchJob job;
  job.id = container->spec.id;
  job.uris.assign(container->spec.command.uris().begin(), container->spec.command.uris().end());
  job.sandbox = container->spec.sandbox;
  job.runtime = runtime(job.id);
  job.user = container->user;
  files.fetch(std::move(job), [self = shared_from_this(), container](Status status) {
    if (self->stopped) return;
    if (!status) return self->launch_failed(container, status.error());
    self->pull(container);
  });
}

void NativeContainerizer::Impl::join(const ContainerPtr& container) {
  if (!container->networks) return start(container);
  enter(container, Stage::Joining);
  const bool taken = network_pool.run_for(
      [networks = options.networks, id = container->spec.id, request = *container->networks] { return networks->attach(id, request); },
      [self = shared_from_this(), container](Result<network::Attachment> attached) {
        if (self->stopped) return;
        if (!attached) return self->launch_failed(container, attached.error());
        container->attached = std::move(*attached);
        if (container->destroy_wanted)
          return self->launch_failed(container, Error{base::Code::Cancelled, "destroyed during the launch"});
        self->start(container);
      });
  if (!taken) launch_failed(container, base::unavailable("too much work waits on this agent"));
}

void NativeContainerizer::Impl::leave(const ContainerPtr& container, std::function<void(Status)> then) {
  if (!container->networks) return then({});
  const bool taken = network_pool.run_for([networks = options.networks, id = container->spec.id] { return networks->detach(id); },
                                          [self = shared_from_this(), then](Status left) {
                                            if (!self->stopped) then(std::move(left));
                                          });
  if (!taken) then(base::unavailable("too much work waits on this agent"));
}

void NativeContainerizer::Impl::start(const ContainerPtr& container) {
  auto around = look_around(options, containers, *container);
  if (!around) return launch_failed(container, around.error());
  enter(container, Stage::Launching);
  const bool taken = pool.run_for(
      [self = shared_from_this(), container, around = std::move(*around)] {
        return launch_now(self->options, self->groups.get(), container->spec, container->user,
                          self->runtime(container->spec.id), container->image, container->volume_images, container->attached,
                          around);
      },
      [self = shared_from_this(), container](Result<Launched> launched) {
        if (self->stopped) return;
        if (!launched) return self->launch_failed(container, launched.error());
        self->started(container, std::move(launched->helper), std::move(launched->oom_events));
      });
  if (!taken) launch_failed(container, base::unavailable("too much work waits on this agent"));
}

void NativeContainerizer::Impl::started(const ContainerPtr& container, launch::Helper helper, base::Fd oom_events) {
  container->pid = helper.pid;
  watch_process(container, std::move(helper.pidfd));
  if (oom_events) watch_oom(container, std::move(oom_events));
  fcntl(helper.sync.get(), F_SETFL, O_NONBLOCK);
  container->sync = std::make_unique<FdWatch>(loop, std::move(helper.sync),
                                              [self = shared_from_this(), container] { self->read_sync(container); });
  if (container->destroy_wanted) kill_tree(container);
}

void NativeContainerizer::Impl::read_sync(const ContainerPtr& container) {
  char text[4096];
  const ssize_t length = read(container->sync->fd(), text, sizeof text);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (length > 0) {
    container->failure.append(text, static_cast<size_t>(length));
    return;
  }
  container->sync.reset();
  // With a failure the helper is about to end, which is when the launch is called failed.
  if (!container->failure.empty() || container->stage != Stage::Launching) return;
  enter(container, Stage::Running);
  if (auto done = std::exchange(container->done, nullptr)) done(started_of(*container));
}

void NativeContainerizer::Impl::watch_process(const ContainerPtr& container, base::Fd pidfd) {
  container->process = std::make_unique<FdWatch>(loop, std::move(pidfd), [self = shared_from_this(), container] {
    // What the helper said before it ended is read first, whatever order the loop saw them in.
    if (container->sync) self->read_sync(container);
    while (container->sync && !container->failure.empty() && container->sync->fd() >= 0) {
      const size_t before = container->failure.size();
      self->read_sync(container);
      if (container->sync && container->failure.size() == before) break;
    }
    siginfo_t info;
    waitid(P_PIDFD, static_cast<id_t>(container->process->fd()), &info, WEXITED | WNOHANG);
    self->ended(container);
  });
}

void NativeContainerizer::Impl::watch_oom(const ContainerPtr& container, base::Fd events) {
  container->oom = std::make_unique<FdWatch>(loop, std::move(events), [self = shared_from_this(), container] {
    char ignored[4096];
    while (read(container->oom->fd(), ignored, sizeof ignored) > 0) {
    }
    // Removing the group wakes the watch too; and the kernel may have found memory after all.
    if (container->stage == Stage::Ending || self->groups->oom_kills(group_of(container->spec)) == 0) return;
    if (!container->out_of_memory) self->kill_tree(container);
    container->out_of_memory = true;
  });
}

void NativeContainerizer::Impl::send(const ContainerPtr& container, int number) {
  if (container->process)
    syscall(SYS_pidfd_send_signal, container->process->fd(), number, nullptr, 0);
}

void NativeContainerizer::Impl::destroy(const ContainerPtr& container) {
  const std::string& id = container->spec.id;
  container->destroy_wanted = true;
  if (container->stage == Stage::Fetching) files.cancel(id);
  if (container->stage == Stage::Pulling) cancel_pulls(*container);
  if (container->stage == Stage::Joining) options.networks->cancel(id);
  destroy_children(id);
  kill_tree(container);
}

void NativeContainerizer::Impl::kill_tree(const ContainerPtr& container) {
  if (!container->process) return;
  send(container, launch::kKillTreeSignal);
  if (container->kill_timer != 0) return;
  // A helper that does not answer (stopped by someone, stuck in the kernel) is killed itself; its namespace dies with it
  // and the groups are emptied by destroy().
  container->kill_timer = loop.after(kHelperKillDelay, [self = shared_from_this(), container] {
    if (self->groups && container->spec.own_group)
      for (const pid_t pid : self->groups->processes(group_of(container->spec))) kill(pid, SIGKILL);
    self->send(container, SIGKILL);
  });
}

void NativeContainerizer::Impl::launch_failed(const ContainerPtr& container, Error error) {
  const std::string id = container->spec.id;
  enter(container, Stage::Ending);
  (void)pool.run(
      [self = shared_from_this(), container, id] {
        self->options.isolators->cleanup(id, self->runtime(id));
        (void)base::remove_tree(self->runtime(id));
        if (self->groups && container->spec.own_group)
          (void)self->groups->destroy(group_of(container->spec), self->options.destroy_timeout);
      },
      [self = shared_from_this(), container, id, error = std::move(error)] {
        if (self->stopped) return;
        self->leave(container, [self, container, id, error](const Status& left) {
          self->containers.erase(id);
          self->release_images(*container);
          Error told = error;
          if (!left) told.message += "; " + left.error().message;
          if (auto done = std::exchange(container->done, nullptr)) done(std::move(told));
          self->child_gone(container->spec.parent);
        });
      });
}

void NativeContainerizer::Impl::ended(const ContainerPtr& container) {
  if (container->stage == Stage::Ending) return;
  if (destroy_children(container->spec.id)) {
    container->ends_with_children = true;
    container->process.reset();
    return;
  }
  const bool was_running = container->stage == Stage::Running;
  const bool no_failure = container->failure.empty();
  enter(container, Stage::Ending);
  container->process.reset();
  container->sync.reset();
  container->oom.reset();
  loop.cancel(container->kill_timer);
  const std::string id = container->spec.id;
  const bool taken = pool.run_for(
      [self = shared_from_this(), id, container, was_running, no_failure] {
        Termination end = collect_end(self->options, self->groups.get(), container->spec);
        // A short task may be over before its start was noticed: a helper forked at the same moment holds the sync pipe
        // open for an instant. The status that its own helper wrote says that it ran.
        const bool ran = was_running || (no_failure && end.status.has_value());
        if (!ran) (void)base::remove_tree(self->runtime(id));
        return std::pair(std::move(end), ran);
      },
      [self = shared_from_this(), container](std::pair<Termination, bool> ended_and_ran) {
        if (self->stopped) return;
        if (container->breach) {
          ended_and_ran.first.disk_used = container->breach->used;
          ended_and_ran.first.message = container->breach->message;
        }
        // Host ports lead nowhere before others may have them: that is when the end is told.
        self->leave(container, [self, container, ended_and_ran = std::move(ended_and_ran)](const Status& left) mutable {
          auto& [end, ran] = ended_and_ran;
          if (!left) {
            LOG_ERROR("container {}: {}", container->spec.id, left.error().message);
            end.message += (end.message.empty() ? "" : "; ") + left.error().message;
            end.incomplete = true;
          }
          self->tell_end(container, end, ran);
        });
      });
  if (!taken) LOG_ERROR("container {}: its end cannot be handled, too much work waits", id);
}

void NativeContainerizer::Impl::watch_later() {
  watch_timer = loop.after(options.watch_interval, [self = weak_from_this()] {
    if (const auto impl = self.lock(); impl && !impl->stopped) impl->watch_now();
  });
}

void NativeContainerizer::Impl::watch_now() {
  std::vector<Watched> running;
  for (const auto& [id, container] : containers)
    if (container->stage == Stage::Running)
      running.push_back({id, container->spec.sandbox, container->spec.disk, container->spec.volumes});
  const bool taken = pool.run_for(
      [isolators = options.isolators, running = std::move(running)] { return isolators->watch(running); },
      [self = shared_from_this()](std::vector<Breach> breaches) {
        if (self->stopped) return;
        for (auto& breach : breaches) {
          const auto found = self->containers.find(breach.container);
          if (found == self->containers.end() || found->second->breach || found->second->stage != Stage::Running) continue;
          found->second->breach = std::move(breach);
          self->kill_tree(found->second);
        }
        self->watch_later();
      });
  if (!taken) watch_later();
}

void NativeContainerizer::Impl::tell_end(const ContainerPtr& container, Termination& end, bool ran) {
  const std::string& id = container->spec.id;
  containers.erase(id);
  release_images(*container);
  if (container->image || !container->volume_images.empty()) empty_trash();
  end.limitation = std::move(container->limitation);
  auto done = std::exchange(container->done, nullptr);
  if (ran && done) done(started_of(*container));
  if (!ran && done) {
    const std::string why = !container->failure.empty() ? container->failure
                            : container->destroy_wanted ? "destroyed during the launch"
                            : !end.message.empty()      ? end.message
                                                        : "the launcher ended before the task could start";
    done(Error{base::Code::Internal, why});
  } else if (exit) {
    exit(id, end);
  }
  child_gone(container->spec.parent);
}

void NativeContainerizer::Impl::empty_trash() {
  (void)pool.run(
      [trash = root_trash(options)] {
        if (Status gone = images::empty_root_trash(trash); !gone) LOG_WARNING("{}: {}", trash, gone.error().message);
      },
      [] {});
}

// --- the interface ---

NativeContainerizer::NativeContainerizer(base::Loop& loop, base::Pool& pool, NativeOptions options,
                                         std::shared_ptr<cgroups::Cgroups> cgroups)
    : impl_(std::make_shared<Impl>(loop, pool, std::move(options), std::move(cgroups))) {
  impl_->watch_later();
}

NativeContainerizer::~NativeContainerizer() {
  impl_->stopped = true;
  impl_->loop.cancel(impl_->watch_timer);
  impl_->loop.cancel(impl_->network_timer);
  impl_->loop.cancel(impl_->ports_timer);
  for (auto& [id, container] : impl_->containers) {
    impl_->loop.cancel(container->kill_timer);
    container->process.reset();
    container->sync.reset();
    container->oom.reset();
    container->done = nullptr;
  }
  impl_->containers.clear();
  impl_->exit = nullptr;
}

void NativeContainerizer::on_exit(Exit exit) { impl_->exit = std::move(exit); }

void NativeContainerizer::launch(ContainerSpec spec, std::function<void(Result<Started>)> done) {
  const std::string id = spec.id;
  if (impl_->containers.contains(id)) {
    impl_->loop.post([done, id] { done(base::conflict("container " + id + " exists already")); });
    return;
  }
  auto container = std::make_shared<Container>();
  container->spec = std::move(spec);
  container->done = std::move(done);
  impl_->containers[id] = container;
  impl_->enter(container, Stage::Starting);
  impl_->prepare(container);
}

void NativeContainerizer::signal(const std::string& id, int number) {
  const auto found = impl_->containers.find(id);
  if (found == impl_->containers.end()) return;
  const auto& container = found->second;
  const auto* image = container->image ? &container->image->config : nullptr;
  impl_->send(container, number == SIGTERM ? stop_signal(container->spec, image) : number);
}

void NativeContainerizer::destroy(const std::string& id) {
  const auto found = impl_->containers.find(id);
  if (found != impl_->containers.end()) impl_->destroy(ContainerPtr(found->second));
}

void NativeContainerizer::update(const std::string& id, const cgroups::Limits& limits,
                                 std::function<void(Status)> done) {
  const auto found = impl_->containers.find(id);
  if (found == impl_->containers.end()) {
    impl_->loop.post([done, id] { done(base::not_found("there is no container " + id)); });
    return;
  }
  found->second->spec.limits = limits;
  if (!found->second->spec.own_group) return impl_->loop.post([done] { done({}); });
  const bool taken = impl_->pool.run_for(
      [groups = impl_->groups, group = group_of(found->second->spec), enforced_limits = enforced(impl_->options, limits)] {
        return groups ? groups->update(group, enforced_limits) : Status();
      },
      [done](Status status) { done(std::move(status)); });
  if (!taken) impl_->loop.post([done] { done(base::unavailable("too much work waits on this agent")); });
}

void NativeContainerizer::forget(const std::string& id) {
  if (impl_->containers.contains(id)) return;
  (void)impl_->pool.run([path = impl_->runtime(id)] { (void)base::remove_tree(path); }, [] {});
}

void NativeContainerizer::recover(std::vector<ContainerSpec> known,
                                  std::function<void(std::map<std::string, Started>)> done) {
  impl_->recovered(std::move(known), std::move(done));
}

void NativeContainerizer::usage(std::function<void(Statistics)> done) {
  struct Wanted {
    cgroups::Limits limits;
    std::string group;
    int64_t networked = 0;  // its first process, when it has networks of its own
  };
  std::map<std::string, Wanted> wanted;
  for (const auto& [id, container] : impl_->containers)
    if (container->stage == Stage::Running && container->spec.own_group)
      wanted[id] = {container->spec.limits, group_of(container->spec),
                    impl_->options.network_metrics && container->attached ? container->pid : 0};
  const bool taken = impl_->pool.run_for(
      [groups = impl_->groups, isolators = impl_->options.isolators, wanted = std::move(wanted)] {
        Statistics statistics;
        const double now = base::system_clock().now().time.seconds();
        for (const auto& [id, container] : wanted) {
          auto& one = statistics[id] =
              make_statistics(container.limits, groups ? groups->usage(container.group) : cgroups::Usage(), now);
          isolators->measure(id, one);
          if (container.networked > 0)
            add_interface_counts(base::read_file("/proc/" + std::to_string(container.networked) + "/net/dev").value_or(""), one);
        }
        return statistics;
      },
      [done](Statistics statistics) { done(std::move(statistics)); });
  if (!taken) impl_->loop.post([done] { done({}); });
}

std::string NativeContainerizer::network_of(const std::string& id) const {
  const auto found = impl_->containers.find(id);
  return found == impl_->containers.end() || !found->second->attached ? "" : found->second->attached->network_file;
}

network::NetworkCounts NativeContainerizer::network_counts() const {
  return impl_->options.networks ? impl_->options.networks->counts() : network::NetworkCounts();
}

size_t NativeContainerizer::running_with_image() const {
  size_t count = 0;
  for (const auto& [id, container] : impl_->containers)
    if (container->stage == Stage::Running && container->image) ++count;
  return count;
}

images::ImageCounts NativeContainerizer::image_counts() const {
  return impl_->options.images ? impl_->options.images->counts() : images::ImageCounts();
}

fetcher::FetcherCounts NativeContainerizer::fetcher_counts() const { return impl_->files.counts(); }

}  // namespace containerizer
