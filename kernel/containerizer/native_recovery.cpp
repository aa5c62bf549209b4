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
    if (Status gone = groups->destroy(id, options.destroy_timeout); !gone) LOG_ERROR("{}", gone.error().message);
  (void)base::remove_tree(runtime);
}

std::vector<Found> find_all(const NativeOptions& options, cgroups::Cgroups* groups,
                            const std::vector<ContainerSpec>& known) {
  std::set<std::string> ids, present;
  for (const auto& container : known) ids.insert(container.id);
  if (groups != nullptr)
    for (auto& name : groups->list()) present.insert(std::move(name));
  if (const auto names = base::list_directory(options.runtime_directory))
    present.insert(names->begin(), names->end());
  for (const auto& id : present)
    if (!ids.contains(id)) end_orphan(options, groups, id);

  std::vector<Found> all;
  for (const auto& container : known) {
    Found found;
    found.spec = container;
    if (options.switch_user && !container.user.empty())
      if (auto user = launch::find_user(container.user)) found.user = std::move(*user);
    const std::string runtime = options.runtime_directory + "/" + container.id;
    auto name = launch::read_pid_file(runtime + "/pid");
    if (!name) {
      // Never started, or a helper is at this moment about to: without its directory it will give up.
      if (!base::exists(runtime + "/status")) (void)base::remove_tree(runtime);
    } else if (auto pidfd = launch::open_process(*name)) {
      found.name = *name;
      found.pidfd = std::move(*pidfd);
      if (groups != nullptr && groups->has_memory())
        if (auto events = groups->oom_events(container.id)) found.oom_events = std::move(*events);
    }
    all.push_back(std::move(found));
  }
  return all;
}

}  // namespace

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
        for (auto& found : all) {
          auto container = std::make_shared<Container>();
          const std::string id = found.spec.id;
          container->spec = std::move(found.spec);
          container->user = std::move(found.user);
          container->stage = Stage::Running;
          self->containers[id] = container;
          if (!found.pidfd) {
            over.push_back(container);
            continue;
          }
          container->pid = found.name.pid;
          running[id] = Started{container->pid};
          self->watch_process(container, std::move(found.pidfd));
          if (found.oom_events) self->watch_oom(container, std::move(found.oom_events));
        }
        done(std::move(running));
        for (const auto& container : over) self->ended(container);
      });
}

void NativeContainerizer::run_inside(const std::string& id, const mesos::v1::CommandInfo& command,
                                     base::Duration timeout, std::function<void(Result<int>)> done) {
  const auto found = impl_->containers.find(id);
  if (found == impl_->containers.end() || found->second->stage != Stage::Running) {
    impl_->loop.post([done, id] { done(base::not_found("container " + id + " does not run")); });
    return;
  }
  static uint64_t number = 0;
  const ContainerSpec& spec = found->second->spec;
  launch::LaunchOrder order;
  auto environment = plan_environment(spec.environment, spec.command);
  Status planned = environment ? plan_program(command, order) : Status(environment.error());
  if (planned) {
    ContainerSpec inside;
    auto merged = plan_environment(*environment, command);
    if (merged) order.environment = std::move(*merged);
    else planned = merged.error();
  }
  if (!planned) {
    impl_->loop.post([done, planned] { done(planned.error()); });
    return;
  }
  order.directory = spec.sandbox;
  order.user = found->second->user;
  order.status_file = impl_->runtime(id) + "/check_" + std::to_string(++number);
  if (impl_->options.isolated) order.join = static_cast<pid_t>(found->second->pid);
  if (impl_->groups) order.cgroups = impl_->groups->entry_files(id);

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
