#pragma once

// Where an agent keeps what, by its flags. The agent leaves those flags in its work directory, so that an audit needs to be
// told nothing else.

#include <string>

#include "kernel/agent/flags.hpp"
#include "kernel/containerizer/container_dns.hpp"
#include "kernel/containerizer/network/networks.hpp"

namespace agent {

std::string runtime_directory(const Flags& flags);
std::string containers_directory(const Flags& flags);
std::string image_store(const Flags& flags);

/// The lock of the work directory: held for as long as an agent runs there.
std::string lock_path(const std::string& work_dir);
std::string store_path(const std::string& work_dir);

base::Result<containerizer::network::NetworkOptions> network_options(const Flags& flags, containerizer::ContainerDns dns);

/// Writes down the flags that say where things are.
base::Status keep_places(const Flags& flags);

/// The flags of the agent that ran, or runs, with this work directory, those of `words` over them. NotFound when there never
/// was one.
base::Status read_places(const std::string& work_dir, const std::vector<std::string>& words, Flags& flags);

}  // namespace agent
