#include "kernel/api/master_info.hpp"

#include <algorithm>

#include "base/json/proto.hpp"
#include "base/numbers.hpp"

namespace api {

namespace {

using mesos::v1::MasterInfo;

/// The number is the four bytes in network order, read as an integer of a little-endian machine.
std::string dotted(uint32_t ip) {
  std::string out;
  for (int i = 0; i < 4; ++i) out += (i == 0 ? "" : ".") + std::to_string((ip >> (8 * i)) & 0xff);
  return out;
}

/// "master@10.0.0.1:5050"
base::Result<MasterInfo> parse_pid(std::string_view pid) {
  const size_t at = pid.find('@'), colon = pid.rfind(':');
  if (at == std::string_view::npos || colon == std::string_view::npos || colon < at) {
    return base::invalid("a master's node does not say where the master is");
  }
  ASSIGN_OR_RETURN(const uint64_t port, base::parse_uint(pid.substr(colon + 1)));
  if (port == 0 || port > 65'535) return base::invalid("a master's node has a port out of range");
  MasterInfo info;
  info.set_id(std::string(pid));
  info.set_ip(0);
  info.set_port(static_cast<uint32_t>(port));
  info.set_pid(std::string(pid));
  info.mutable_address()->set_ip(std::string(pid.substr(at + 1, colon - at - 1)));
  info.mutable_address()->set_port(static_cast<int32_t>(port));
  return info;
}

}  // namespace

std::string render_master_info(const MasterInfo& info) { return base::json::proto_to_json(info); }

base::Result<MasterInfo> parse_master_info(std::string_view label, std::string_view data) {
  MasterInfo info;
  if (label == kMasterLabel) {
    if (auto read = base::json::proto_from_json(data, info); !read) return std::move(read).error().with_context("a master's node");
  } else if (label == "info") {
    if (!info.ParsePartialFromArray(data.data(), static_cast<int>(data.size())) || !info.IsInitialized()) {
      return base::invalid("a master's node does not decode as MasterInfo");
    }
  } else if (label.empty()) {
    ASSIGN_OR_RETURN(info, parse_pid(data));
  } else {
    return base::invalid("a master's node has the unknown label '" + std::string(label) + "'");
  }
  auto* address = info.mutable_address();
  if (address->ip().empty()) address->set_ip(dotted(info.ip()));
  if (address->port() <= 0) address->set_port(static_cast<int32_t>(info.port()));
  if (address->port() <= 0 || address->port() > 65'535) return base::invalid("a master's node has a port out of range");
  // Both are dialled and written to logs.
  for (const std::string* name : {&address->ip(), &address->hostname(), &info.hostname()}) {
    const auto odd = [](unsigned char c) { return c <= ' ' || c >= 0x7f; };
    if (std::any_of(name->begin(), name->end(), odd)) return base::invalid("a master's node has an address that is none");
  }
  if (info.hostname().empty() && !address->hostname().empty()) info.set_hostname(address->hostname());
  return info;
}

std::string master_address(const MasterInfo& info) {
  return info.address().ip() + ":" + std::to_string(info.address().port());
}

std::string master_name(const MasterInfo& info) {
  const std::string& host = info.hostname().empty() ? info.address().ip() : info.hostname();
  return host + ":" + std::to_string(info.address().port());
}

}  // namespace api
