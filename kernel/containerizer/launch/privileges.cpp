// Who the task is, and what it may do: groups, user, capabilities, no_new_privs, system calls. For its own process, last
// before its program.

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/containerizer/launch/steps.hpp"

namespace containerizer::launch {
namespace {

constexpr unsigned kLastCapability = 63;

Failure bound_capabilities(unsigned long long kept) {
  for (unsigned capability = 0; capability <= kLastCapability; ++capability) {
    if ((kept >> capability & 1) != 0) continue;
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0) continue;
    if (errno == EINVAL) break;  // the kernel knows no more of them
    return {"cannot drop a capability", "", errno};
  }
  return {};
}

/// Called as the task's user, with the powers that keepcaps has saved. Ambient ones survive the program's start, for
/// root too, since root by itself gains nothing any more.
Failure set_capabilities(unsigned long long wanted) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {};
  if (syscall(SYS_capget, &header, data) != 0) return {"cannot read the capabilities", "", errno};
  for (int half = 0; half < 2; ++half) {
    // What the kernel does not know cannot be had, and is not missed.
    const unsigned bits = static_cast<unsigned>(wanted >> (32 * half)) & data[half].permitted;
    data[half].effective = data[half].permitted = data[half].inheritable = bits;
  }
  if (syscall(SYS_capset, &header, data) != 0) return {"cannot set the capabilities", "", errno};
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  for (unsigned capability = 0; capability <= kLastCapability; ++capability) {
    const unsigned held = data[capability / 32].permitted >> (capability % 32) & 1;
    if (held != 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0)
      return {"cannot keep a capability for the program", "", errno};
  }
  return {};
}

Failure set_filter(char* hexadecimal) {
  const long count = decode_hexadecimal(hexadecimal);
  if (count <= 0 || static_cast<size_t>(count) % sizeof(struct sock_filter) != 0)
    return {"the filter of system calls is damaged", "", 0};
  struct sock_fprog program = {static_cast<unsigned short>(static_cast<size_t>(count) / sizeof(struct sock_filter)),
                               static_cast<struct sock_filter*>(aligned_copy(hexadecimal, static_cast<size_t>(count)))};
  if (program.filter == nullptr) return {"no memory", "", ENOMEM};
  // Without SPEC_ALLOW the kernel slows the whole process down against speculation, which programs do not expect.
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) != 0)
    return {"cannot filter system calls", "", errno};
  return {};
}

Failure switch_user(const Order& order) {
  if (!order.switch_user) return {};
  if (order.first_id == 0 && geteuid() == order.uid && getegid() == order.gid && order.uid != 0) return {};
  if (setgroups(order.group_count, order.groups) != 0) return {"cannot set the groups", "", errno};
  if (setresgid(order.gid, order.gid, order.gid) != 0) return {"cannot switch the group", "", errno};
  if (setresuid(order.uid, order.uid, order.uid) != 0) return {"cannot switch the user", "", errno};
  return {};
}

}  // namespace

Failure take_identity(const Order& order) {
  Failure failure;
  const bool chosen = order.effective_capabilities != nullptr;
  unsigned long long bounding = ~0ULL, effective = 0;
  if (order.capabilities != nullptr) bounding = strtoull(order.capabilities, nullptr, 16);
  if (chosen) {
    effective = strtoull(order.effective_capabilities, nullptr, 16);
    const bool root = order.switch_user ? order.uid == 0 : geteuid() == 0;
    if (root && effective != bounding && prctl(PR_SET_SECUREBITS, SECBIT_NOROOT, 0, 0, 0) != 0)
      return {"cannot take root's powers away", "", errno};
    if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return {"cannot keep capabilities", "", errno};
  }
  if (order.capabilities != nullptr) failure = bound_capabilities(bounding);
  if (failure.step != nullptr) return failure;
  if (order.no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return {"cannot set no_new_privs", "", errno};
  // A filter needs no_new_privs or the powers that are about to go.
  if (order.filter != nullptr && !order.no_new_privileges) failure = set_filter(order.filter);
  if (failure.step == nullptr) failure = switch_user(order);
  if (failure.step == nullptr && chosen) failure = set_capabilities(effective);
  if (failure.step == nullptr && order.filter != nullptr && order.no_new_privileges) failure = set_filter(order.filter);
  return failure;
}

}  // namespace containerizer::launch
