// Which devices a container may use. Version 1 keeps a list; version 2 asks a small program (BPF) at each access.

#include <fcntl.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/containerizer/cgroups/controllers.hpp"
#include "kernel/containerizer/cgroups/tree.hpp"

namespace containerizer::cgroups {
namespace {

std::string number(const std::optional<uint32_t>& value) { return value ? std::to_string(*value) : "*"; }

Status limit_v1(const std::string& group, const Limits& limits) {
  if (!limits.devices) return {};
  RETURN_IF_ERROR(write_value(group + "/devices.deny", "a"));
  for (const auto& rule : *limits.devices)
    RETURN_IF_ERROR(write_value(group + "/devices.allow", std::string(1, rule.type) + " " + number(rule.major) + ":" +
                                                              number(rule.minor) + " " + rule.access));
  return {};
}

Status limit_v2(const std::string& group, const Limits& limits) {
  return limits.devices ? attach_device_program(group, *limits.devices) : Status();
}

constexpr bpf_insn instruction(int code, unsigned to, unsigned from, int offset, int32_t value) {
  bpf_insn out{};
  out.code = static_cast<uint8_t>(code);
  out.dst_reg = to & 15;
  out.src_reg = from & 15;
  out.off = static_cast<int16_t>(offset);
  out.imm = value;
  return out;
}
constexpr bpf_insn load(unsigned to, int offset) { return instruction(BPF_LDX | BPF_MEM | BPF_W, to, BPF_REG_1, offset, 0); }
constexpr bpf_insn copy(unsigned to, unsigned from) { return instruction(BPF_ALU | BPF_MOV | BPF_X, to, from, 0, 0); }
constexpr bpf_insn operate(int operation, unsigned to, int32_t value) {
  return instruction(BPF_ALU | operation | BPF_K, to, 0, 0, value);
}
constexpr bpf_insn leave() { return instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

/// Jumps over what is left of a rule, whose length is not known yet: patched when it is.
constexpr bpf_insn skip_unless_equal(unsigned reg, uint32_t value) {
  return instruction(BPF_JMP | BPF_JNE | BPF_K, reg, 0, 0, static_cast<int32_t>(value));
}

int32_t mask(const std::string& access) {
  int32_t bits = 0;
  for (const char c : access) bits |= c == 'm' ? BPF_DEVCG_ACC_MKNOD : c == 'r' ? BPF_DEVCG_ACC_READ : BPF_DEVCG_ACC_WRITE;
  return bits;
}

constexpr int32_t kEveryAccess = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

/// Registers: 2 type, 3 access, 4 major, 5 minor. Allows when a rule fits, else refuses.
std::vector<bpf_insn> make_program(const std::vector<DeviceRule>& rules) {
  std::vector<bpf_insn> out = {load(BPF_REG_2, 0), copy(BPF_REG_3, BPF_REG_2), operate(BPF_AND, BPF_REG_2, 0xffff),
                               operate(BPF_RSH, BPF_REG_3, 16), load(BPF_REG_4, 4), load(BPF_REG_5, 8)};
  for (const auto& rule : rules) {
    const size_t begin = out.size();
    if (rule.type != 'a')
      out.push_back(skip_unless_equal(BPF_REG_2, rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR));
    if (const int32_t allowed = mask(rule.access); allowed != kEveryAccess) {
      out.push_back(copy(BPF_REG_6, BPF_REG_3));
      out.push_back(operate(BPF_AND, BPF_REG_6, kEveryAccess & ~allowed));
      out.push_back(skip_unless_equal(BPF_REG_6, 0));
    }
    if (rule.major) out.push_back(skip_unless_equal(BPF_REG_4, *rule.major));
    if (rule.minor) out.push_back(skip_unless_equal(BPF_REG_5, *rule.minor));
    out.push_back(operate(BPF_MOV, BPF_REG_0, 1));
    out.push_back(leave());
    for (size_t i = begin; i < out.size(); ++i)
      if (out[i].code == (BPF_JMP | BPF_JNE | BPF_K)) out[i].off = static_cast<int16_t>(out.size() - i - 1);
  }
  out.push_back(operate(BPF_MOV, BPF_REG_0, 0));
  out.push_back(leave());
  return out;
}

}  // namespace

Status attach_device_program(const std::string& group, const std::vector<DeviceRule>& rules) {
  const std::vector<bpf_insn> program = make_program(rules);
  bpf_attr load_attributes{};
  load_attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
  load_attributes.insns = reinterpret_cast<uint64_t>(program.data());
  load_attributes.insn_cnt = static_cast<uint32_t>(program.size());
  load_attributes.license = reinterpret_cast<uint64_t>("Apache-2.0");
  const base::Fd loaded(static_cast<int>(syscall(SYS_bpf, BPF_PROG_LOAD, &load_attributes, sizeof load_attributes)));
  if (!loaded) return base::errno_error("cannot load the program that guards devices", errno);
  const base::Fd directory(open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return base::errno_error("open " + group, errno);
  bpf_attr attach{};
  attach.target_fd = static_cast<uint32_t>(directory.get());
  attach.attach_bpf_fd = static_cast<uint32_t>(loaded.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;  // beside what the host's own manager has put there
  if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) != 0)
    return base::errno_error("cannot guard the devices of " + group, errno);
  return {};
}

const Controller kDevices{.isolator = "cgroups/devices", .v1 = "devices", .limit_v1 = limit_v1, .limit_v2 = limit_v2};

}  // namespace containerizer::cgroups
