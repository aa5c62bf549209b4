#include "kernel/containerizer/launch/order.hpp"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace containerizer::launch {
namespace {

bool parse_number(const char* text, long& out) {
  char* end = nullptr;
  out = strtol(text, &end, 10);
  return *text != '\0' && *end == '\0' && out >= 0;
}

struct Lists {
  size_t arguments = 0, variables = 0;
  const char* pending_source = nullptr;
  char* pending_content = nullptr;
  int volume_layers = 0;
  LayersOrder pending_volume{};
};

/// Null, or what is wrong with this entry.
const char* take(Key key, char* text, Order& order, Lists& lists) {
  long number = 0;
  switch (key) {
    case Key::Program: order.program = text; return nullptr;
    case Key::Argument: order.arguments[lists.arguments++] = text; return nullptr;
    case Key::Variable: order.variables[lists.variables++] = text; return nullptr;
    case Key::Directory: order.directory = text; return nullptr;
    case Key::Output: order.output = text; return nullptr;
    case Key::ErrorOutput: order.error_output = text; return nullptr;
    case Key::OomScore: order.oom_score = text; return nullptr;
    case Key::OutputLimit: order.output_limit = text; return nullptr;
    case Key::ErrorLimit: order.error_limit = text; return nullptr;
    case Key::StatusFile: order.status_file = text; return nullptr;
    case Key::PidFile: order.pid_file = text; return nullptr;
    case Key::PrivateMounts: order.private_mounts = true; return nullptr;
    case Key::PrivatePids: order.private_pids = true; return nullptr;
    case Key::PrivateIpc: order.private_ipc = true; return nullptr;
    case Key::TermFirstOnly: order.term_first_only = true; return nullptr;
    case Key::MountSource: lists.pending_source = text; return nullptr;
    case Key::Cgroup:
      if (order.cgroup_count == kMaxCgroups) return "too many cgroups";
      order.cgroups[order.cgroup_count++] = text;
      return nullptr;
    case Key::Limit:
      if (order.limit_count == kMaxLimits) return "too many limits";
      order.limits[order.limit_count++] = text;
      return nullptr;
    case Key::Mount:
      if (order.mount_count == kMaxMounts) return "too many mounts";
      order.mounts[order.mount_count++] = {lists.pending_source, text, -1};
      lists.pending_source = nullptr;
      return nullptr;
    case Key::User:
      if (!parse_number(text, number)) return "bad uid";
      order.uid = static_cast<uid_t>(number);
      order.switch_user = true;
      return nullptr;
    case Key::Group:
      if (!parse_number(text, number)) return "bad gid";
      order.gid = static_cast<gid_t>(number);
      return nullptr;
    case Key::ExtraGroup:
      if (!parse_number(text, number)) return "bad group";
      if (order.group_count == kMaxGroups) return "too many groups";
      order.groups[order.group_count++] = static_cast<gid_t>(number);
      return nullptr;
    case Key::Join: {
      int pid = 0;
      unsigned kinds = 0;
      if (sscanf(text, "%d %x", &pid, &kinds) != 2 || pid <= 0) return "bad process to join";
      order.join = pid;
      order.join_kinds = static_cast<int>(kinds);
      return nullptr;
    }
    case Key::Borrow:
      (strcmp(text, "/proc") == 0 ? order.borrow_proc : order.borrow_shm) = true;
      return nullptr;
    case Key::Network: order.network = text; return nullptr;
    case Key::HostName: order.host_name = text; return nullptr;
    case Key::Sysctl:
      if (order.sysctl_count == kMaxSysctls) return "too many sysctls";
      order.sysctls[order.sysctl_count++] = text;
      return nullptr;
    case Key::Root: order.root = text; return nullptr;
    case Key::RootWritable: order.writable = text; return nullptr;
    case Key::RootReadOnly: order.read_only_root = true; return nullptr;
    case Key::Privileged: order.privileged = true; return nullptr;
    case Key::ShmSize: order.shm_size = text; return nullptr;
    case Key::FirstId:
      if (!parse_number(text, number) || number == 0) return "bad first id";
      order.first_id = static_cast<unsigned>(number);
      return nullptr;
    case Key::UserName: order.user_name = text; return nullptr;
    case Key::Owned: order.owned = text; return nullptr;
    case Key::Capabilities: order.capabilities = text; return nullptr;
    case Key::Terminal: order.terminal = text; return nullptr;
    case Key::Session: order.session = true; return nullptr;
    case Key::NoNewPrivileges: order.no_new_privileges = true; return nullptr;
    case Key::EffectiveCapabilities: order.effective_capabilities = text; return nullptr;
    case Key::Filter: order.filter = text; return nullptr;
    case Key::SecretStage: order.secret_stage = text; return nullptr;
    case Key::SecretContent: lists.pending_content = text; return nullptr;
    case Key::Secret:
      if (order.secret_count == kMaxSecrets) return "too many secrets";
      if (lists.pending_content == nullptr || order.secret_stage == nullptr) return "a secret without content or place";
      order.secrets[order.secret_count++] = {lists.pending_content, text};
      lists.pending_content = nullptr;
      return nullptr;
    case Key::RootLayer:
      if (order.layer_count == kMaxLayers) return "too many layers";
      order.layers[order.layer_count++] = text;
      return nullptr;
    case Key::VolumeLayer:
      if (order.volume_count == kMaxVolumes || lists.volume_layers == kMaxLayers)
        return "more than 16 volumes, or more than 256 layers in all of them";
      if (lists.pending_volume.count++ == 0) lists.pending_volume.layers = order.volume_layers + lists.volume_layers;
      order.volume_layers[lists.volume_layers++] = text;
      return nullptr;
    case Key::VolumeWritable: lists.pending_volume.writable = text; return nullptr;
    case Key::VolumeFiles:
      if (lists.pending_volume.count == 0 || lists.pending_volume.writable == nullptr) return "a volume without layers";
      lists.pending_volume.path = text;
      order.volumes[order.volume_count++] = lists.pending_volume;
      lists.pending_volume = {};
      return nullptr;
    case Key::GroupName:
      if (order.group_name_count == kMaxGroupNames) return "too many groups";
      order.group_names[order.group_name_count++] = text;
      return nullptr;
    case Key::End: return nullptr;
  }
  return "unknown key: the helper and the agent are of different builds";
}

}  // namespace

const char* read_order(int fd, Order& order) {
  struct stat info;
  if (fstat(fd, &info) != 0 || info.st_size < 2) return "empty";
  order.mapping_size = static_cast<size_t>(info.st_size);
  order.mapping = mmap(nullptr, order.mapping_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (order.mapping == MAP_FAILED) return "cannot be mapped";
  char* text = static_cast<char*>(order.mapping);
  if (text[order.mapping_size - 1] != '\0' || static_cast<Key>(text[order.mapping_size - 2]) != Key::End)
    return "cut off";

  size_t arguments = 0, variables = 0;
  for (char* at = text; at < text + order.mapping_size; at += strlen(at) + 1) {
    if (static_cast<Key>(*at) == Key::Argument) ++arguments;
    if (static_cast<Key>(*at) == Key::Variable) ++variables;
  }
  if (arguments == 0) return "no program";
  order.arguments = static_cast<char**>(calloc(arguments + 1, sizeof(char*)));
  order.variables = static_cast<char**>(calloc(variables + 2, sizeof(char*)));  // HOME may come on top
  if (order.arguments == nullptr || order.variables == nullptr) return "no memory";

  Lists lists;
  for (char* at = text; at < text + order.mapping_size; at += strlen(at) + 1) {
    if (*at == '\0') return "an empty entry";
    if (const char* problem = take(static_cast<Key>(*at), at + 1, order, lists)) return problem;
  }
  if (order.program == nullptr) order.program = order.arguments[0];
  if (order.status_file == nullptr) return "no status file";
  // Whoever is not told who to be is the container's root.
  order.switch_user = order.switch_user || order.first_id != 0;
  return nullptr;
}

void release_order(Order& order) {
  order.status_file = strdup(order.status_file);
  free(order.arguments);
  free(order.variables);
  munmap(order.mapping, order.mapping_size);
  order.arguments = order.variables = nullptr;
}

}  // namespace containerizer::launch
