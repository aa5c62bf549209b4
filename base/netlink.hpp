#pragma once

// Netlink: requests to the kernel's network parts and their answers. Everything blocks, for at most five seconds.

#include <linux/netlink.h>

#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"

namespace base {

class NetlinkMessage {
 public:
  NetlinkMessage(uint16_t type, uint16_t flags) : bytes_(sizeof(nlmsghdr), '\0') {
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = flags;
    std::memcpy(bytes_.data(), &header, sizeof header);
  }

  template <class T>
  void body(const T& value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    pad();
  }
  void attribute(uint16_t type, std::string_view value) {
    const nlattr header{static_cast<uint16_t>(sizeof(nlattr) + value.size()), type};
    body(header);
    bytes_ += value;
    pad();
  }
  void attribute(uint16_t type, uint32_t value) {
    attribute(type, std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
  }

  void attribute(uint16_t type, uint8_t value) {
    attribute(type, std::string_view(reinterpret_cast<const char*>(&value), sizeof value));
  }

  /// An attribute that holds the attributes which follow, up to end() with what this returned.
  size_t begin(uint16_t type) {
    const size_t at = bytes_.size();
    body(nlattr{sizeof(nlattr), static_cast<uint16_t>(type | NLA_F_NESTED)});
    return at;
  }
  void end(size_t at) {
    const auto length = static_cast<uint16_t>(bytes_.size() - at);
    std::memcpy(bytes_.data() + at, &length, sizeof length);
  }

  std::string finish(uint32_t sequence) {
    nlmsghdr header;
    std::memcpy(&header, bytes_.data(), sizeof header);
    header.nlmsg_len = static_cast<uint32_t>(bytes_.size());
    header.nlmsg_seq = sequence;
    std::memcpy(bytes_.data(), &header, sizeof header);
    return bytes_;
  }
  uint16_t flags() const { return reinterpret_cast<const nlmsghdr*>(bytes_.data())->nlmsg_flags; }

 private:
  void pad() { bytes_.resize((bytes_.size() + 3) & ~size_t{3}); }
  std::string bytes_;
};

/// Type and content of the attributes in `bytes`, such as the content of a nested one.
std::vector<std::pair<uint16_t, std::string_view>> attributes(std::string_view bytes);

/// Type and content of the attributes that follow a fixed part of `fixed` bytes.
std::vector<std::pair<uint16_t, std::string_view>> attributes(const nlmsghdr& header, size_t fixed);

class Netlink {
 public:
  /// `network`: file of the namespace that it speaks for; empty: this process's.
  static Result<Netlink> open(int protocol, const std::string& network = {});

  /// Sends and calls `each` for every answer up to the end of the list, or the acknowledgement. Errors of the kernel
  /// are errors here.
  Status ask(NetlinkMessage message, const std::function<void(const nlmsghdr&)>& each);

 private:
  Fd socket_;
  uint32_t sequence_ = 0;
};

}  // namespace base
