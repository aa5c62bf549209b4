#include "kernel/containerizer/isolators/seccomp_profile.hpp"

#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <set>
#include <vector>

#include "base/file.hpp"
#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/isolators/capability_names.hpp"

namespace containerizer {
namespace {

using base::json::Value;

struct Filter {
  scmp_filter_ctx context;
  explicit Filter(uint32_t action) : context(seccomp_init(action)) {}
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;
  ~Filter() {
    if (context != nullptr) seccomp_release(context);
  }
};

Error library_error(const std::string& what, int code) { return base::errno_error(what, -code); }

const Value* member(const Value& object, std::string_view name) {
  return object.is_object() ? object.as_object().if_contains(name) : nullptr;
}

std::string text_of(const Value& object, std::string_view name) {
  const Value* value = member(object, name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

uint64_t number_of(const Value& object, std::string_view name, uint64_t otherwise) {
  const Value* value = member(object, name);
  uint64_t number = otherwise;
  if (value != nullptr && !base::json::to_uint(*value, number)) return otherwise;
  return number;
}

std::vector<std::string> words_of(const Value& object, std::string_view name) {
  std::vector<std::string> out;
  const Value* value = member(object, name);
  if (value != nullptr && value->is_array())
    for (const auto& word : value->as_array())
      if (word.is_string()) out.emplace_back(word.as_string());
  return out;
}

Result<uint32_t> action_of(const Value& object, std::string_view name, std::string_view errno_name) {
  const std::string text = text_of(object, name);
  const auto number = static_cast<uint16_t>(number_of(object, errno_name, EPERM));
  if (text == "SCMP_ACT_ALLOW") return SCMP_ACT_ALLOW;
  if (text == "SCMP_ACT_LOG") return SCMP_ACT_LOG;
  if (text == "SCMP_ACT_ERRNO") return SCMP_ACT_ERRNO(number);
  if (text == "SCMP_ACT_TRACE") return SCMP_ACT_TRACE(number);
  if (text == "SCMP_ACT_TRAP") return SCMP_ACT_TRAP;
  if (text == "SCMP_ACT_KILL" || text == "SCMP_ACT_KILL_THREAD") return SCMP_ACT_KILL_THREAD;
  if (text == "SCMP_ACT_KILL_PROCESS") return SCMP_ACT_KILL_PROCESS;
  return base::invalid(std::string(name) + " '" + base::valid_utf8(text) + "' is not supported by this build");
}

Result<scmp_compare> comparison_of(const std::string& text) {
  static const std::map<std::string, scmp_compare> kAll = {
      {"SCMP_CMP_NE", SCMP_CMP_NE}, {"SCMP_CMP_LT", SCMP_CMP_LT}, {"SCMP_CMP_LE", SCMP_CMP_LE},
      {"SCMP_CMP_EQ", SCMP_CMP_EQ}, {"SCMP_CMP_GE", SCMP_CMP_GE}, {"SCMP_CMP_GT", SCMP_CMP_GT},
      {"SCMP_CMP_MASKED_EQ", SCMP_CMP_MASKED_EQ}};
  const auto found = kAll.find(text);
  if (found == kAll.end()) return base::invalid("op '" + base::valid_utf8(text) + "' is unknown");
  return found->second;
}

/// "SCMP_ARCH_X86_64" as libseccomp wants it.
uint32_t architecture(const std::string& name) {
  return name.starts_with("SCMP_ARCH_") ? seccomp_arch_resolve_name(base::to_lower(name.substr(10)).c_str()) : 0;
}

/// How Go, whose users wrote these profiles, calls the machine.
std::string machine_in_profiles() {
  utsname name{};
  uname(&name);
  const std::string machine = name.machine;
  return machine == "x86_64" ? "amd64" : machine == "aarch64" ? "arm64" : machine;
}

bool kernel_is_at_least(const std::string& wanted) {
  utsname name{};
  int major = 0, minor = 0, wanted_major = 0, wanted_minor = 0;
  if (uname(&name) != 0 || sscanf(name.release, "%d.%d", &major, &minor) != 2) return true;
  if (sscanf(wanted.c_str(), "%d.%d", &wanted_major, &wanted_minor) < 1) return false;
  return major > wanted_major || (major == wanted_major && minor >= wanted_minor);
}

/// Has the container one of these capabilities (any) or all of them?
bool has_capabilities(const std::vector<std::string>& names, uint64_t held, bool any) {
  bool all = true, some = false;
  for (const auto& name : names) {
    mesos::v1::CapabilityInfo::Capability capability{};
    const bool known = name.starts_with("CAP_") && mesos::v1::CapabilityInfo::Capability_Parse(name.substr(4), &capability);
    const bool has = known && (held >> (capability - mesos::v1::CapabilityInfo::CHOWN) & 1) != 0;
    all = all && has;
    some = some || has;
  }
  return any ? some : all;
}

/// Does this part of the profile count here? As in Docker: everything in "includes" must hold, nothing in "excludes".
bool applies(const Value& rule, uint64_t capabilities) {
  const std::string machine = machine_in_profiles();
  const auto lists = [&machine](const std::vector<std::string>& arches) {
    return std::find(arches.begin(), arches.end(), machine) != arches.end();
  };
  if (const Value* includes = member(rule, "includes")) {
    if (!has_capabilities(words_of(*includes, "caps"), capabilities, false)) return false;
    if (const auto arches = words_of(*includes, "arches"); !arches.empty() && !lists(arches)) return false;
    if (const auto kernel = text_of(*includes, "minKernel"); !kernel.empty() && !kernel_is_at_least(kernel)) return false;
  }
  if (const Value* excludes = member(rule, "excludes")) {
    if (has_capabilities(words_of(*excludes, "caps"), capabilities, true)) return false;
    if (lists(words_of(*excludes, "arches"))) return false;
    if (const auto kernel = text_of(*excludes, "minKernel"); !kernel.empty() && kernel_is_at_least(kernel)) return false;
  }
  return true;
}

Result<std::vector<scmp_arg_cmp>> comparisons_of(const Value& rule) {
  std::vector<scmp_arg_cmp> out;
  const Value* args = member(rule, "args");
  if (args == nullptr || !args->is_array()) return out;
  for (const auto& arg : args->as_array()) {
    const uint64_t index = number_of(arg, "index", 99);
    if (index > 5) return base::invalid("index must be 0 to 5");
    ASSIGN_OR_RETURN(const scmp_compare op, comparison_of(text_of(arg, "op")));
    const uint64_t value = number_of(arg, "value", 0), second = number_of(arg, "valueTwo", 0);
    out.push_back(scmp_arg_cmp{static_cast<unsigned>(index), op, value, second});
  }
  return out;
}

Status add_rule(const Filter& filter, uint32_t action, const std::string& name, const std::vector<scmp_arg_cmp>& args) {
  const int number = seccomp_syscall_resolve_name(name.c_str());
  if (number == __NR_SCMP_ERROR) return {};  // of another kernel or machine
  std::set<unsigned> indexes;
  for (const auto& arg : args) indexes.insert(arg.arg);
  const auto add = [&](const scmp_arg_cmp* first, size_t count) {
    return seccomp_rule_add_array(filter.context, action, number, static_cast<unsigned>(count), first);
  };
  if (indexes.size() == args.size()) {
    if (const int code = add(args.data(), args.size()); code != 0) return library_error(name, code);
    return {};
  }
  // The library takes one comparison per argument and rule; several of one argument mean any of them, as in Docker.
  for (const auto& arg : args)
    if (const int code = add(&arg, 1); code != 0) return library_error(name, code);
  return {};
}

Status add_architectures(const Filter& filter, const Value& profile) {
  std::vector<std::string> names = words_of(profile, "architectures");
  if (const Value* map = member(profile, "archMap"); map != nullptr && map->is_array())
    for (const auto& entry : map->as_array()) {
      if (architecture(text_of(entry, "architecture")) != seccomp_arch_native()) continue;
      for (auto& name : words_of(entry, "subArchitectures")) names.push_back(std::move(name));
    }
  for (const auto& name : names) {
    const uint32_t token = architecture(name);
    if (token == 0) return base::invalid("architectures: '" + base::valid_utf8(name) + "' is unknown");
    const int code = seccomp_arch_add(filter.context, token);
    if (code != 0 && code != -EEXIST) return library_error("architectures: " + name, code);
  }
  return {};
}

Result<std::string> export_program(const Filter& filter) {
  const base::Fd file(memfd_create("seccomp", MFD_CLOEXEC));
  if (!file) return base::errno_error("memfd_create", errno);
  if (const int code = seccomp_export_bpf(filter.context, file.get()); code != 0)
    return library_error("the profile cannot be made into a program", code);
  const off_t size = lseek(file.get(), 0, SEEK_END);
  std::string program(size > 0 ? static_cast<size_t>(size) : 0, '\0');
  if (program.empty() || pread(file.get(), program.data(), program.size(), 0) != size)
    return base::errno_error("reading the program", errno);
  return program;
}

}  // namespace

Result<std::string> compile_seccomp(std::string_view text, uint64_t capabilities) {
  ASSIGN_OR_RETURN(const Value profile, base::json::parse(text, {.max_bytes = size_t{4} << 20}));
  ASSIGN_OR_RETURN(const uint32_t otherwise, action_of(profile, "defaultAction", "defaultErrnoRet"));
  const Filter filter(otherwise);
  if (filter.context == nullptr) return base::invalid("defaultAction is not supported by this kernel");
  RETURN_IF_ERROR(add_architectures(filter, profile));
  seccomp_attr_set(filter.context, SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree instead of a list
  const Value* rules = member(profile, "syscalls");
  if (rules == nullptr || !rules->is_array()) return base::invalid("syscalls must be an array");
  size_t position = 0;
  for (const auto& rule : rules->as_array()) {
    const std::string where = "syscalls/" + std::to_string(position++);
    if (!applies(rule, capabilities)) continue;
    auto action = action_of(rule, "action", "errnoRet");
    if (!action) return action.error().with_context(where);
    if (*action == otherwise) continue;
    auto args = comparisons_of(rule);
    if (!args) return args.error().with_context(where + "/args");
    auto names = words_of(rule, "names");
    if (names.empty()) names.push_back(text_of(rule, "name"));
    for (const auto& name : names)
      if (Status added = add_rule(filter, *action, name, *args); !added) return added.error().with_context(where);
  }
  return export_program(filter);
}

}  // namespace containerizer
