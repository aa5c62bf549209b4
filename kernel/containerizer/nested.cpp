// Containers inside others: what they share with their parent, and the order in which they end.

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/strings.hpp"
#include "kernel/containerizer/launch/format.hpp"
#include "kernel/containerizer/native_impl.hpp"

namespace containerizer {

std::string group_of(const ContainerSpec& spec) { return spec.group.empty() ? spec.id : spec.group; }

std::string group_of_id(const std::string& id) {
  std::string group;
  for (const auto part : base::split(std::string_view(id), '.')) group += (group.empty() ? "" : "/mesos/") + std::string(part);
  return group;
}

std::string id_of_group(const std::string& group) { return base::replace_all(group, "/mesos/", "."); }

namespace {

/// The networks of the outermost container.
std::optional<network::Attachment> attachment_around(const std::map<std::string, ContainerPtr>& containers, ContainerPtr at) {
  while (!at->spec.parent.empty()) {
    const auto outer = containers.find(at->spec.parent);
    if (outer == containers.end()) return std::nullopt;
    at = outer->second;
  }
  return at->attached;
}

}  // namespace

Result<Around> look_around(const NativeOptions& options, const std::map<std::string, ContainerPtr>& containers,
                           const Container& container) {
  Around around;
  const ContainerSpec& spec = container.spec;
  if (spec.parent.empty()) return around;
  const auto parent = containers.find(spec.parent);
  if (parent == containers.end() || parent->second->stage != Stage::Running ||
      parent->second->ends_with_children)
    return base::not_found("the parent container " + spec.parent + " does not run");
  around.pid = static_cast<pid_t>(parent->second->pid);
  around.attached = attachment_around(containers, parent->second);
  if (!spec.debug) return around;
  ASSIGN_OR_RETURN(around.guest, plan_inside(options, *parent->second, spec.command));
  if (spec.command.has_user() && container.user) {
    around.guest->user = container.user;
    around.guest->image_user.clear();
  }
  if (options.isolated) around.guest->join = around.pid;
  around.guest->term_first_only = spec.term_first_only;
  plan_streams(spec, *around.guest);
  return around;
}

void share_parent(const NativeOptions& options, const ContainerSpec& spec, const Around& around, launch::LaunchOrder& order) {
  if (spec.parent.empty() || !options.isolated) return;
  const auto& wishes = spec.container ? spec.container->linux_info() : mesos::v1::LinuxInfo::default_instance();
  order.join = around.pid;
  order.join_kinds = CLONE_NEWNET | CLONE_NEWUTS;
  if (wishes.ipc_mode() != mesos::v1::LinuxInfo::PRIVATE) {
    order.join_kinds |= CLONE_NEWIPC;
    order.private_ipc = false;
    order.borrow_shm = true;
  }
  if (wishes.share_pid_namespace()) {
    order.join_kinds |= CLONE_NEWPID;
    order.private_pids = false;
    order.borrow_proc = true;
  }
}

Result<launch::LaunchOrder> plan_inside(const NativeOptions& options, const Container& container,
                                        const mesos::v1::CommandInfo& command) {
  ASSIGN_OR_RETURN(const launch::LaunchOrder own, plan_launch(container.spec, plan_context(options, container.image.get())));
  launch::LaunchOrder order;
  RETURN_IF_ERROR(plan_program(command, order));
  ASSIGN_OR_RETURN(order.environment, plan_environment(own.environment, command));
  order.environment.erase(kExecutorToken);
  order.directory = own.directory;
  order.image_user = own.image_user;
  order.image_groups = own.image_groups;
  order.capabilities = own.capabilities;
  order.effective_capabilities = own.effective_capabilities;
  order.no_new_privileges = own.no_new_privileges;
  order.seccomp = own.seccomp;
  order.first_id = own.first_id;
  RETURN_IF_ERROR(options.isolators->add_environment(container.spec.command, order.environment));
  RETURN_IF_ERROR(options.isolators->add_environment(command, order.environment));
  if (own.root)
    set_user(options, container.spec, container.user, order);
  else
    order.user = container.user;
  return order;
}

bool NativeContainerizer::Impl::destroy_children(const std::string& id) {
  bool any = false;
  for (const auto& [child_id, child] : std::map(containers)) {
    if (child->spec.parent != id) continue;
    any = true;
    destroy(child);
  }
  return any;
}

void NativeContainerizer::Impl::child_gone(const std::string& parent) {
  if (parent.empty()) return;
  const auto found = containers.find(parent);
  if (found == containers.end() || !found->second->ends_with_children) return;
  for (const auto& [id, container] : containers)
    if (container->spec.parent == parent) return;
  ended(ContainerPtr(found->second));
}

Result<base::Fd> NativeContainerizer::attach(const std::string& id) {
  const auto found = impl_->containers.find(id);
  if (found == impl_->containers.end() || found->second->stage != Stage::Running)
    return base::not_found("container " + id + " does not run");
  const base::Fd directory(open(impl_->runtime(id).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  base::Fd connection(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!directory || !connection) return base::errno_error("cannot attach to container " + id, errno);
  // By descriptor: the path itself may be longer than an address can be.
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory.get(), launch::kBoardName);
  if (connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return connection;
  if (errno == ENOENT)
    return base::unsupported("container " + id + " was launched without a terminal: it takes no input");
  return base::errno_error("cannot attach to container " + id, errno);
}

Result<Outputs> NativeContainerizer::outputs(const std::string& id) const {
  const auto found = impl_->containers.find(id);
  if (found == impl_->containers.end() || found->second->stage != Stage::Running || !found->second->process)
    return base::not_found("container " + id + " does not run");
  if (found->second->spec.session) return base::unsupported("the output of session " + id + " is in no file");
  base::Fd process(fcntl(found->second->process->fd(), F_DUPFD_CLOEXEC, 3));
  if (!process) return base::errno_error("cannot follow container " + id, errno);
  return Outputs{found->second->spec.sandbox, std::move(process)};
}

}  // namespace containerizer
