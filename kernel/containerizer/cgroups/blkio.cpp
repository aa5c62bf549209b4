// What a container reads from and writes to block devices: measured, not limited, as in the original.

#include "base/file.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/cgroups/controllers.hpp"

namespace containerizer::cgroups {
namespace {

constexpr size_t kMaxDevices = 64;

/// The entry of "major:minor"; null when the text is none, or there are too many.
Usage::Device* device_of(std::string_view text, Usage& usage) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return nullptr;
  const auto major = base::parse_uint(text.substr(0, colon)), minor = base::parse_uint(text.substr(colon + 1));
  if (!major || !minor) return nullptr;
  for (auto& device : usage.devices)
    if (device.major == *major && device.minor == *minor) return &device;
  if (usage.devices.size() == kMaxDevices) return nullptr;
  usage.devices.push_back({.major = static_cast<uint32_t>(*major), .minor = static_cast<uint32_t>(*minor)});
  return &usage.devices.back();
}

/// Lines "8:0 Read 4096".
void read_operations(const std::string& path, uint64_t Usage::Device::*reads, uint64_t Usage::Device::*writes, Usage& usage) {
  const std::string text = base::read_file(path, 1 << 16).value_or("");
  for (const auto line : base::tokenize(text, '\n')) {
    const auto words = base::tokenize(line, ' ');
    if (words.size() != 3 || (words[1] != "Read" && words[1] != "Write")) continue;
    const auto value = base::parse_uint(words[2]);
    if (auto* device = device_of(words[0], usage); device != nullptr && value)
      device->*(words[1] == "Read" ? reads : writes) = *value;
  }
}

void read_v1(const std::string& group, Usage& usage) {
  read_operations(group + "/blkio.throttle.io_service_bytes", &Usage::Device::read_bytes, &Usage::Device::written_bytes, usage);
  read_operations(group + "/blkio.throttle.io_serviced", &Usage::Device::reads, &Usage::Device::writes, usage);
}

/// Lines "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0".
void read_v2(const std::string& group, Usage& usage) {
  const std::string text = base::read_file(group + "/io.stat", 1 << 16).value_or("");
  for (const auto line : base::tokenize(text, '\n')) {
    const auto words = base::tokenize(line, ' ');
    auto* device = words.size() < 2 ? nullptr : device_of(words[0], usage);
    if (device == nullptr) continue;
    for (const auto word : words) {
      const size_t equals = word.find('=');
      if (equals == std::string_view::npos) continue;
      const auto value = base::parse_uint(word.substr(equals + 1));
      const auto name = word.substr(0, equals);
      if (!value) continue;
      if (name == "rbytes") device->read_bytes = *value;
      if (name == "wbytes") device->written_bytes = *value;
      if (name == "rios") device->reads = *value;
      if (name == "wios") device->writes = *value;
    }
  }
}

}  // namespace

const Controller kBlkio{
    .isolator = "cgroups/blkio", .v1 = "blkio", .v2 = "io", .read_v1 = read_v1, .read_v2 = read_v2};

}  // namespace containerizer::cgroups
