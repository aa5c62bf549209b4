#pragma once

// A conversation with a container's input and output through the gateway: `task exec`, `task attach`. Speaks the agent's
// streaming calls with JSON records; runs a loop of its own until the container or the user ends it.

#include <boost/json/fwd.hpp>

#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/client.hpp"

namespace cli {

struct SessionRequest {
  std::string agent_id;
  std::string container;               // JSON of the ContainerID to attach to, or to run the command beside
  std::vector<std::string> command{};  // program and arguments; empty: attach to the container itself
  std::string user{};                  // empty: that of the container
  bool input = false;                  // standard input is handed on
  bool terminal = false;               // the command gets a terminal (for an attachment: the container has one)
};

struct SessionOutput {
  std::function<void(std::string_view)> out, err;
};

/// The exit code: of the command, 128 and the signal's number when one ended it; 0 when the user left an attachment
/// (ctrl-p, ctrl-q). The terminal of this process is as before when it returns.
base::Result<int> run_session(const ClientSettings& settings, const SessionRequest& request, const SessionOutput& output);

}  // namespace cli
