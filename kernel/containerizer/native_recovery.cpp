// Finding containers again after the agent was restarted, killing those that nobody knows, and running commands inside.

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "base/log.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/isolators/isolators.hpp"
#include "kernel/containerizer/launch/format.hpp"
#include "kernel/containerizer/native_impl.hpp"
#include "kernel/containerizer/plan.hpp"

namespace containerizer {
namespace {

constexpr base::Duration kOrphanPatience = base::seconds(5);

struct Found {
  ContainerSpec spec;
  std::optional<launch::UserIds> user;
  launch::ProcessName name;
  base::Fd pidfd;       // of a running one
  base::Fd oom_events;
  std::string image;    // id; empty: none
  std::vector<std::string> volume_images{};  // ids
  bool networked = false;  // networks of its own were at least begun
  std::optional<network::Attachment> attached{};
};

void wait_for(const base::Fd& pidfd, base::Duration limit) {
  pollfd wait{pidfd.get(), POLLIN, 0};
  poll(&wait, 1, static_cast<int>(std::chrono::duration_cast<base::milliseconds>(limit).count()));
}

void end_orphan(const NativeOptions& options, cgroups::Cgroups* groups, const std::string& id) {
  LOG_WARNING("container {} is not known to this agent: ending it", id);
  const std::string runtime = options.runtime_directory + "/" + id;
  if (const auto name = launch::read_pid_file(runtime + "/pid")) {
    if (const auto pidfd = launch::open_process(*name)) {
      syscall(SYS_pidfd_send_signal, pidfd->get(), launch::kKillTreeSignal, nullptr, 0);
      wait_for(*pidfd, kOrphanPatience);
      syscall(SYS_pidfd_send_signal, pidfd->get(), SIGKILL, nullptr, 0);
    }
  }
  if (groups != nullptr)
    if (Status gone = groups->destroy(group_of_id(id), options.destroy_timeout); !gone) LOG_ERROR("{}", gone.error().message);
  options.isolators->cleanup(id, runtime);
  (void)base::remove_tree(runtime);
}

std::vector<Found> find_all(const NativeOptions& options, cgroups::Cgroups* groups,
                            const std::vector<ContainerSpec>& known) {
  std::set<std::string> ids;
  for (const auto& container : known) ids.insert(container.id);
  for (const auto& id : orphans_of(options, groups, ids)) end_orphan(options, groups, id);

  std::set<std::string> networked;
  if (options.networks)
    for (auto& id : options.networks->list()) networked.insert(std::move(id));

  std::vector<Found> all;
  for (const auto& container : known) {
    Found found;
    found.spec = container;
    if (options.switch_user && !container.user.empty())
      if (auto user = launch::find_user(container.user)) found.user = std::move(*user);
    const std::string runtime = options.runtime_directory + "/" + container.id;
    found.image = images::read_image_id(runtime).value_or("");
    for (;;) {
      const auto id = images::read_image_id(runtime, "." + std::to_string(found.volume_images.size()));
      if (!id) break;
      found.volume_images.push_back(*id);
    }
    if (networked.contains(container.id)) {
      found.networked = true;
      if (auto attached = options.networks->find(container.id)) found.attached = std::move(*attached);
    }
    auto name = launch::read_pid_file(runtime + "/pid");
    if (!name) {
      // Never started, or a helper is at this moment about to: without its directory it will give up.
      if (!base::exists(runtime + "/status")) (void)base::remove_tree(runtime);
    } else if (auto pidfd = launch::open_process(*name)) {
      found.name = *name;
      found.pidfd = std::move(*pidfd);
      options.isolators->recover(container, runtime);
      if (groups != nullptr && groups->has_memory() && container.own_group)
        if (auto events = groups->oom_events(group_of(container))) found.oom_events = std::move(*events);
    }
    all.push_back(std::move(found));
  }
  if (!options.networks) return all;
  std::set<std::string> alive;
  for (const auto& found : all)
    if (found.pidfd && found.attached) alive.insert(found.spec.id);
  if (Status rules = options.networks->recover(alive); !rules)
    LOG_ERROR("The rules of containers' networks could not be renewed: {}", rules.error().message);
  return all;
}

}  // namespace

std::vector<std::string> orphans_of(const NativeOptions& options, const cgroups::Cgroups* groups, const std::set<std::string>& known) {
  std::set<std::string> present;
  if (groups != nullptr)
    for (const auto& name : groups->list()) present.insert(id_of_group(name));
  if (const auto names = base::list_directory(options.runtime_directory)) present.insert(names->begin(), names->end());
  for (const auto& id : known) present.erase(id);
  // Backwards: a container inside another goes before it.
  return {present.rbegin(), present.rend()};
}

void NativeContainerizer::Impl::recovered(std::vector<ContainerSpec> known,
                                          std::function<void(std::map<std::string, Started>)> done) {
  (void)pool.run_for(
      [self = shared_from_this(), known = std::move(known)] {
        (void)base::make_directories(self->options.runtime_directory, 0700);
        return find_all(self->options, self->groups.get(), known);
      },
      [self = shared_from_this(), done = std::move(done)](std::vector<Found> all) {
        if (self->stopped) return;
        std::map<std::string, Started> running;
        std::vector<ContainerPtr> over;
        std::set<std::string> known_ids;
        for (auto& found : all) {
          auto container = std::make_shared<Container>();
          const std::string id = found.spec.id;
          container->spec = std::move(found.spec);
          container->user = std::move(found.user);
          self->enter(container, Stage::Running);
          if (found.networked) container->networks.emplace();
          container->attached = std::move(found.attached);
          self->containers[id] = container;
          known_ids.insert(id);
          if (self->options.images && !found.image.empty()) {
            if (auto image = self->options.images->hold(id, found.image)) container->image = std::move(*image);
            else LOG_WARNING("container {}: {}", id, image.error().message);
          }
          for (const auto& image : found.volume_images) {
            if (!self->options.images) break;
            const size_t number = container->volume_images.size();
            auto held = self->options.images->hold(holder_of_volume(id, number), image);
            if (!held) LOG_WARNING("container {}: {}", id, held.error().message);
            container->volume_images.push_back(held.value_or(nullptr));
          }
          if (!found.pidfd) {
            over.push_back(container);
            continue;
          }
          container->pid = found.name.pid;
          running[id] = started_of(*container);
          self->watch_process(container, std::move(found.pidfd));
          if (found.oom_events) self->watch_oom(container, std::move(found.oom_events));
        }
        if (self->options.images) self->options.images->start_collection();
        self->empty_trash();
        self->recover_networks(running, known_ids);
        done(std::move(running));
        for (const auto& container : over) self->ended(container);
      });
}

void NativeContainerizer::Impl::recover_networks(const std::map<std::string, Started>& running, const std::set<std::string>& known) {
  if (!options.networks) return;
  for (const auto& id : options.networks->list()) {
    if (!known.contains(id)) {
      // Nobody waits: what it had is in nobody's way but for its addresses.
      (void)network_pool.run(
          [networks = options.networks, id] {
            LOG_WARNING("the networks of container {} are not known to this agent: undoing them", id);
            if (Status left = networks->detach(id); !left) LOG_ERROR("container {}: {}", id, left.error().message);
          },
          [] {});
    } else if (running.contains(id)) {
      (void)network_pool.run(
          [networks = options.networks, id] {
            if (Status good = networks->check(id); !good) LOG_WARNING("container {}: {}", id, good.error().message);
          },
          [] {});
    }
  }
}

void NativeContainerizer::run_inside(const std::string& id, const mesos::v1::CommandInfo& command,
                                     base::Duration timeout, std::function<void(Result<int>)> done) {
  const auto found = impl_->containers.find(id);
  if (found == impl_->containers.end() || found->second->stage != Stage::Running) {
    impl_->loop.post([done, id] { done(base::not_found("container " + id + " does not run")); });
    return;
  }
  static uint64_t number = 0;
  auto planned = plan_inside(impl_->options, *found->second, command);
  if (!planned) {
    impl_->loop.post([done, error = planned.error()] { done(error); });
    return;
  }
  launch::LaunchOrder order = std::move(*planned);
  order.status_file = impl_->runtime(id) + "/check_" + std::to_string(++number);
  if (impl_->options.isolated) order.join = static_cast<pid_t>(found->second->pid);
  if (impl_->groups) order.cgroups = impl_->groups->entry_files(group_of(found->second->spec));

  const bool taken = impl_->pool.run_for(
      [helper = impl_->options.helper, order] { return launch::start_helper(helper, order); },
      [impl = impl_, done, timeout, path = order.status_file](Result<launch::Helper> started) {
        if (!started) return done(started.error());
        struct Run {
          std::unique_ptr<FdWatch> process;
          base::Loop::TimerId timer = 0;
          bool timed_out = false;
        };
        auto run = std::make_shared<Run>();
        run->process = std::make_unique<FdWatch>(impl->loop, std::move(started->pidfd), [impl, run, done, path] {
          siginfo_t info;
          waitid(P_PIDFD, static_cast<id_t>(run->process->fd()), &info, WEXITED | WNOHANG);
          impl->loop.cancel(run->timer);
          const auto watch = std::move(run->process);
          const auto text = base::read_file(path, 64);
          unlink(path.c_str());
          if (run->timed_out) return done(Error{base::Code::Timeout, "the command takes too long"});
          if (!text) return done(base::internal("the command could not be started"));
          const auto status = base::parse_int(base::trim(*text));
          if (!status) return done(base::internal("the command's status cannot be read"));
          done(static_cast<int>(*status));
        });
        if (timeout <= base::Duration::zero()) return;
        run->timer = impl->loop.after(timeout, [run] {
          run->timed_out = true;
          if (run->process)
            syscall(SYS_pidfd_send_signal, run->process->fd(), launch::kKillTreeSignal, nullptr, 0);
        });
      });
  if (!taken) impl_->loop.post([done] { done(base::unavailable("too much work waits on this agent")); });
}

}  // namespace containerizer
