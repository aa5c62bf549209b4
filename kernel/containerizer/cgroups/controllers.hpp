#pragma once

// The kernel's controllers, one file each (cpu.cpp, memory.cpp, ...): what is written for a container's limits and what is
// read of its use, in both versions. All functions block for as long as the kernel takes; `group` is a directory.

#include <span>
#include <string>
#include <string_view>

#include "kernel/containerizer/cgroups/cgroups.hpp"

namespace containerizer::cgroups {

struct Controller {
  std::string_view isolator;   // of --isolation, that asks for it
  const char* v1 = nullptr;    // its tree in version 1; null: no such tree
  const char* v2 = nullptr;    // its name in version 2; null: works without being handed down
  bool basic = false;          // used without being asked for
  bool in_v2 = true;
  Status (*limit_v1)(const std::string& group, const Limits& limits) = nullptr;
  Status (*limit_v2)(const std::string& group, const Limits& limits) = nullptr;
  void (*read_v1)(const std::string& group, Usage& usage) = nullptr;
  void (*read_v2)(const std::string& group, Usage& usage) = nullptr;
};

extern const Controller kFreezer, kMemory, kCpu, kCpuacct, kPids, kDevices, kBlkio, kCpuset, kHugetlb, kNetCls, kNetPrio,
    kPerfEvent;

/// In the order in which processes enter their groups: the freezer first.
std::span<const Controller* const> controllers();

/// Is `controller` to be used with these wishes?
bool is_wanted(const Controller& controller, const Wanted& wanted);

/// May it not be missing?
bool is_demanded(const Controller& controller, const Wanted& wanted);

/// The group's processes may use these devices and no others (version 2 has a program in place of a list).
Status attach_device_program(const std::string& group, const std::vector<DeviceRule>& rules);

}  // namespace containerizer::cgroups
