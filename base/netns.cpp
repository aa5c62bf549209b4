#include "base/netns.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/socket.h>

#include "base/check.hpp"

namespace base {

Result<InNetwork> InNetwork::enter(const std::string& path) {
  Fd before(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!before) return errno_error("cannot open this thread's network namespace", errno);
  const Fd wanted(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!wanted) return errno_error("cannot open the network namespace " + path, errno);
  if (setns(wanted.get(), CLONE_NEWNET) != 0) return errno_error("cannot enter the network namespace " + path, errno);
  return InNetwork(std::move(before));
}

InNetwork::~InNetwork() {
  if (before_) CHECK(setns(before_.get(), CLONE_NEWNET) == 0);
}

Result<Fd> open_socket(const std::string& network, int family, int type, int protocol) {
  if (network.empty()) return Fd(::socket(family, type | SOCK_CLOEXEC, protocol));
  ASSIGN_OR_RETURN(const InNetwork inside, InNetwork::enter(network));
  return Fd(::socket(family, type | SOCK_CLOEXEC, protocol));
}

}  // namespace base
