#pragma once

// Keys and contents of the store.

#include <string>

#include "base/store/store.hpp"
#include "kernel/agent/events.hpp"
#include "kernel/agent/updates.hpp"

namespace agent {

std::string agent_key();
std::string framework_key(const std::string& framework);
std::string executor_key(const std::string& framework, const std::string& executor);
std::string task_key(const TaskKey& task);
std::string update_key(const TaskKey& task, uint64_t number);
std::string gc_key(const std::string& path);
std::string resources_key();
std::string container_key(const std::string& container);
std::string operation_key(const std::string& uuid);
std::string provider_key(const std::string& provider);

/// Sorts the store's entries into records; what does not decode is counted and left out.
Loaded decode_store(const std::vector<base::StoreEntry>& entries);

/// May this id be a file name?
bool valid_id(const std::string& id);

}  // namespace agent
