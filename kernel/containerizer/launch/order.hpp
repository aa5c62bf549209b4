#pragma once

// The order sheet as the helper sees it: pointers into one mapping.

#include <stddef.h>
#include <sys/types.h>

#include "kernel/containerizer/launch/format.hpp"

namespace containerizer::launch {

constexpr int kMaxCgroups = 16;
constexpr int kMaxGroups = 256;
constexpr int kMaxMounts = 64;
constexpr int kMaxLimits = 16;
constexpr int kMaxLayers = 256;
constexpr int kMaxVolumes = 16;  // that are made of layers
constexpr int kMaxGroupNames = 32;
constexpr int kMaxSecrets = 64;
constexpr int kMaxSysctls = 64;

struct MountOrder {
  const char* source = nullptr;
  const char* text = nullptr;  // as in format.hpp
  int opened = -1;             // the source of a bind mount, once open_sources() has it
};

/// What overlayfs puts together.
struct LayersOrder {
  const char* path = nullptr;      // where
  const char* writable = nullptr;
  const char** layers = nullptr;   // top first
  int count = 0;
};

struct SecretOrder {
  char* content = nullptr;  // hexadecimal
  const char* target = nullptr;
  int file = -1;            // once it is in place
};

struct Order {
  const char* program = nullptr;
  char** arguments = nullptr;  // ends with a null pointer
  char** variables = nullptr;
  const char* directory = nullptr;
  const char* output = nullptr;
  const char* error_output = nullptr;
  const char* oom_score = nullptr;
  const char* output_limit = nullptr;  // as in format.hpp
  const char* error_limit = nullptr;
  const char* status_file = nullptr;
  const char* pid_file = nullptr;
  const char* cgroups[kMaxCgroups] = {};
  int cgroup_count = 0;
  MountOrder mounts[kMaxMounts] = {};
  int mount_count = 0;
  const char* limits[kMaxLimits] = {};
  int limit_count = 0;
  bool switch_user = false;
  uid_t uid = 0;
  gid_t gid = 0;
  gid_t groups[kMaxGroups] = {};
  size_t group_count = 0;
  unsigned first_id = 0;  // of the machine's, where the container's ids begin; 0: it has the machine's
  int user_space = -1;    // with first_id, once have_ids() has it
  pid_t join = 0;
  const char* network = nullptr;
  const char* host_name = nullptr;
  char* sysctls[kMaxSysctls] = {};  // as in format.hpp
  int sysctl_count = 0;
  int join_kinds = 0;                    // CLONE_NEW*
  bool borrow_proc = false, borrow_shm = false;
  int borrowed_proc = -1, borrowed_shm = -1;  // detached mounts, once borrow_mounts() took them
  bool private_mounts = false, private_pids = false, private_ipc = false, term_first_only = false;
  const char* root = nullptr;
  const char* layers[kMaxLayers] = {};
  int layer_count = 0;
  const char* writable = nullptr;
  const char* volume_layers[kMaxLayers] = {};  // of all of them together
  LayersOrder volumes[kMaxVolumes] = {};
  int volume_count = 0;
  const char* user_name = nullptr;
  const char* group_names[kMaxGroupNames] = {};
  int group_name_count = 0;
  const char* owned = nullptr;
  const char* capabilities = nullptr;
  const char* shm_size = nullptr;
  const char* terminal = nullptr;
  bool session = false;
  bool read_only_root = false, privileged = false, no_new_privileges = false;
  const char* effective_capabilities = nullptr;
  char* filter = nullptr;  // hexadecimal
  const char* secret_stage = nullptr;
  SecretOrder secrets[kMaxSecrets] = {};
  int secret_count = 0;
  char home[512] = {};  // of the user, once resolved
  void* mapping = nullptr;
  size_t mapping_size = 0;
};

/// Null when `order` is filled; otherwise what is wrong.
const char* read_order(int fd, Order& order);

/// Gives the memory back that only the task needed; status_file stays usable.
void release_order(Order& order);

template <class T>
void ignore(const T&) {}

/// The task's user and group as the machine numbers them, for what is no file on a disk.
inline uid_t machine_uid(const Order& order) { return order.first_id + order.uid; }
inline gid_t machine_gid(const Order& order) { return order.first_id + order.gid; }

}  // namespace containerizer::launch
