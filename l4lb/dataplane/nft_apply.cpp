#include "l4lb/dataplane/nft_apply.hpp"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

#include <cstring>

#include "base/netlink.hpp"


namespace l4lb {

using base::attributes;
using base::Netlink;
using base::NetlinkMessage;

base::Status Nft::run(const std::string& script) {
  const auto done = nft_.run(script);
  if (!done) return done.error();
  return {};
}

base::Result<std::string> Nft::structure(const std::string& table) {
  return nft_.run("list table inet " + table, base::Nft::Print::Terse);
}

namespace {

/// Reads a key or value of our maps and sets: fields one after the other, each padded to four bytes.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : bytes_(bytes) {}

  Fields& address(bool v6) {
    Address out;
    out.family = v6 ? 6 : 4;
    const std::string_view raw = take(out.size());
    std::memcpy(out.bytes.data(), raw.data(), raw.size());
    return add(render(out));
  }
  Fields& protocol() {
    const auto number = static_cast<uint8_t>(take(1)[0]);
    return add(number == 6 ? "tcp" : number == 17 ? "udp" : std::to_string(number));
  }
  Fields& port() {
    const std::string_view raw = take(2);
    return add(std::to_string(static_cast<uint8_t>(raw[0]) << 8 | static_cast<uint8_t>(raw[1])));
  }
  Fields& slot() {
    uint32_t number = 0;
    std::memcpy(&number, take(4).data(), 4);
    return add(std::to_string(number));
  }
  std::string text() const { return ok_ ? text_ : "?"; }

 private:
  std::string_view take(size_t size) {
    static constexpr char kNothing[16] = {};
    const size_t padded = (size + 3) & ~size_t{3};
    if (bytes_.size() < padded) {
      ok_ = false;
      return {kNothing, size};
    }
    const std::string_view out = bytes_.substr(0, size);
    bytes_.remove_prefix(padded);
    return out;
  }
  Fields& add(std::string_view field) {
    if (!text_.empty()) text_ += " . ";
    text_ += field;
    return *this;
  }

  std::string_view bytes_;
  std::string text_;
  bool ok_ = true;
};

std::string key_text(std::string_view name, std::string_view bytes) {
  const bool v6 = name.ends_with('6');
  Fields fields(bytes);
  fields.address(v6);
  if (name.starts_with("hair")) return fields.address(v6).text();
  if (name.starts_with("failed")) return fields.port().text();
  fields.protocol().port();
  if (name.starts_with("known")) return fields.text();
  return fields.slot().text();
}

std::string_view data_value(std::string_view nested) {
  for (const auto& [type, value] : attributes(nested))
    if (type == NFTA_DATA_VALUE) return value;
  return {};
}

}  // namespace

/// By netlink and not by the library: a list of 160,000 elements takes the library's JSON ten seconds.
base::Result<std::map<std::string, std::string>> Nft::elements(const std::string& table, const std::string& name, bool is_map) {
  ASSIGN_OR_RETURN(Netlink link, Netlink::open(NETLINK_NETFILTER));
  NetlinkMessage message(static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM), NLM_F_REQUEST | NLM_F_DUMP);
  message.body(nfgenmsg{NFPROTO_INET, NFNETLINK_V0, 0});
  message.attribute(NFTA_SET_ELEM_LIST_TABLE, std::string_view(table.c_str(), table.size() + 1));
  message.attribute(NFTA_SET_ELEM_LIST_SET, std::string_view(name.c_str(), name.size() + 1));
  std::map<std::string, std::string> out;
  const bool v6 = name.ends_with('6');
  RETURN_IF_ERROR(link.ask(message, [&](const nlmsghdr& header) {
    for (const auto& [type, list] : attributes(header, sizeof(nfgenmsg))) {
      if (type != NFTA_SET_ELEM_LIST_ELEMENTS) continue;
      for (const auto& [item, element] : attributes(list)) {
        std::string key, value;
        for (const auto& [part, content] : attributes(element)) {
          if (part == NFTA_SET_ELEM_KEY) key = key_text(name, data_value(content));
          if (part == NFTA_SET_ELEM_DATA && is_map) value = Fields(data_value(content)).address(v6).port().text();
        }
        if (!key.empty()) out.insert_or_assign(out.end(), std::move(key), std::move(value));
      }
    }
  }));
  return out;
}

base::Result<uint32_t> Nft::generation() {
  ASSIGN_OR_RETURN(Netlink link, Netlink::open(NETLINK_NETFILTER));
  NetlinkMessage message(static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN), NLM_F_REQUEST);
  message.body(nfgenmsg{AF_UNSPEC, NFNETLINK_V0, 0});
  uint32_t generation = 0;
  RETURN_IF_ERROR(link.ask(message, [&](const nlmsghdr& header) {
    for (const auto& [type, value] : attributes(header, sizeof(nfgenmsg)))
      if (type == NFTA_GEN_ID && value.size() == 4)
        for (const char byte : value) generation = generation << 8 | static_cast<uint8_t>(byte);
  }));
  return generation;
}

}  // namespace l4lb
