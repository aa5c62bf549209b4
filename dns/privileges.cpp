#include "dns/privileges.hpp"

#include <errno.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace dns {

base::Status drop_privileges() {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return base::errno_error("no_new_privs", errno);
  __user_cap_header_struct head{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &head, data) != 0) return base::errno_error("capget", errno);
  // The bounding set needs a right of its own to change; without it there is nothing to give up either.
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability) {
    if (capability != CAP_NET_BIND_SERVICE) (void)::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
  }
  const uint32_t kept = data[0].permitted & (1u << CAP_NET_BIND_SERVICE);
  data[0] = {kept, kept, 0};
  data[1] = {};
  if (::syscall(SYS_capset, &head, data) != 0) return base::errno_error("capset", errno);
  return {};
}

}  // namespace dns
