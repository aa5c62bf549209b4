#include "base/netlink.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/netns.hpp"

namespace base {

std::vector<std::pair<uint16_t, std::string_view>> attributes(std::string_view bytes) {
  std::vector<std::pair<uint16_t, std::string_view>> out;
  while (bytes.size() >= sizeof(nlattr)) {
    nlattr attribute;
    std::memcpy(&attribute, bytes.data(), sizeof attribute);
    if (attribute.nla_len < sizeof attribute || attribute.nla_len > bytes.size()) break;
    out.emplace_back(static_cast<uint16_t>(attribute.nla_type & NLA_TYPE_MASK),
                     bytes.substr(sizeof attribute, attribute.nla_len - sizeof attribute));
    bytes.remove_prefix(std::min<size_t>(NLA_ALIGN(attribute.nla_len), bytes.size()));
  }
  return out;
}

std::vector<std::pair<uint16_t, std::string_view>> attributes(const nlmsghdr& header, size_t fixed) {
  const size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(fixed);
  if (header.nlmsg_len < skip) return {};
  return attributes(std::string_view(reinterpret_cast<const char*>(&header) + skip, header.nlmsg_len - skip));
}

Result<Netlink> Netlink::open(int protocol, const std::string& network) {
  Netlink link;
  ASSIGN_OR_RETURN(link.socket_, open_socket(network, AF_NETLINK, SOCK_RAW, protocol));
  if (!link.socket_) return errno_error("cannot open a netlink socket", errno);
  const timeval limit{5, 0};
  ::setsockopt(link.socket_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  return link;
}

Status Netlink::ask(NetlinkMessage message, const std::function<void(const nlmsghdr&)>& each) {
  const bool acknowledged = (message.flags() & NLM_F_ACK) != 0;
  const bool dump = (message.flags() & NLM_F_DUMP) == NLM_F_DUMP;
  const std::string bytes = message.finish(++sequence_);
  if (::send(socket_.get(), bytes.data(), bytes.size(), 0) < 0) return errno_error("netlink send", errno);
  std::vector<char> buffer(256 << 10);
  while (true) {
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      return errno_error("netlink receive", errno);
    }
    auto left = static_cast<unsigned>(got);
    for (const nlmsghdr* header = reinterpret_cast<const nlmsghdr*>(buffer.data()); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_seq != sequence_) continue;
      if (header->nlmsg_type == NLMSG_DONE) return {};
      if (header->nlmsg_type == NLMSG_ERROR) {
        const auto* error = static_cast<const nlmsgerr*>(NLMSG_DATA(header));
        if (error->error == 0) return {};
        return errno_error("netlink", -error->error);
      }
      each(*header);
      if (!dump && !acknowledged) return {};
    }
  }
}

}  // namespace base
