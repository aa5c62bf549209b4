#pragma once

// What this machine is: address, name, resources.

#include <string>

#include "base/result.hpp"
#include "kernel/agent/flags.hpp"
#include "kernel/agent/policy.hpp"

namespace agent {

/// The policy from the flags and the machine. Blocking; at start only.
base::Result<Policy> make_policy(const Flags& flags);

/// The address to listen on: --ip, the command's output, or what the host name stands for.
base::Result<std::string> listen_address(const Flags& flags);

}  // namespace agent
