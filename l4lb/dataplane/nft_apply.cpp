#include "l4lb/dataplane/nft_apply.hpp"

#include <fmt/format.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "l4lb/dataplane/netlink.hpp"

namespace l4lb {

struct Nft::Impl {
  nft_ctx* context = nft_ctx_new(NFT_CTX_DEFAULT);

  Impl() {
    CHECK(context != nullptr);
    nft_ctx_buffer_output(context);
    nft_ctx_buffer_error(context);
  }
  ~Impl() { nft_ctx_free(context); }

  base::Result<std::string> run(const std::string& script, unsigned flags) {
    nft_ctx_output_set_flags(context, flags);
    const int code = nft_run_cmd_from_buffer(context, script.c_str());
    std::string output = nft_ctx_get_output_buffer(context);
    const std::string errors = nft_ctx_get_error_buffer(context);
    if (code == 0) return output;
    const bool missing = errors.find("No such file or directory") != std::string::npos;
    const std::string text = "nftables: " + errors.substr(0, 500);
    return missing ? base::not_found(text) : base::internal(text);
  }
};

Nft::Nft() : impl_(std::make_unique<Impl>()) {}
Nft::~Nft() = default;

base::Status Nft::run(const std::string& script) {
  if (script.empty()) return {};
  const auto done = impl_->run(script, NFT_CTX_OUTPUT_NUMERIC_ALL);
  if (!done) return done.error();
  return {};
}

base::Result<std::string> Nft::structure(const std::string& table) {
  return impl_->run("list table inet " + table, NFT_CTX_OUTPUT_NUMERIC_ALL | NFT_CTX_OUTPUT_TERSE);
}

namespace {

std::string piece(const boost::json::value& value) {
  if (value.is_string()) return std::string(value.as_string());
  if (uint64_t number = 0; base::json::to_uint(value, number)) return std::to_string(number);
  return "?";
}

/// {"concat":["11.0.0.1","tcp",80,3]} -> "11.0.0.1 . tcp . 80 . 3"; an element with a timeout is wrapped once more.
std::string joined(const boost::json::value& value) {
  const auto* object = value.if_object();
  if (!object) return piece(value);
  if (const auto* wrapped = object->if_contains("elem"); wrapped && wrapped->is_object())
    if (const auto* inner = wrapped->as_object().if_contains("val")) return joined(*inner);
  const auto* list = object->if_contains("concat");
  if (!list || !list->is_array()) return "?";
  std::string out;
  size_t index = 0;
  for (const auto& each : list->as_array()) {
    if (index > 0) out += " . ";
    std::string text = piece(each);
    if (index == 1 && text == "6") text = "tcp";
    if (index == 1 && text == "17") text = "udp";
    out += text;
    ++index;
  }
  return out;
}

}  // namespace

base::Result<std::map<std::string, std::string>> Nft::elements(const std::string& table, const std::string& name,
                                                               bool is_map) {
  ASSIGN_OR_RETURN(const std::string text,
                   impl_->run(fmt::format("list {} inet {} {}", is_map ? "map" : "set", table, name),
                              NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_NUMERIC_ALL));
  base::json::ParseOptions options;
  options.max_bytes = size_t{512} << 20;
  ASSIGN_OR_RETURN(const auto parsed, base::json::parse(text, options));
  std::map<std::string, std::string> out;
  const auto* items = base::json::find(parsed, "/nftables");
  if (!items || !items->is_array()) return base::internal("nftables: its JSON has no list");
  for (const auto& item : items->as_array()) {
    const auto* elements = base::json::find(item, is_map ? "/map/elem" : "/set/elem");
    if (!elements || !elements->is_array()) continue;
    for (const auto& element : elements->as_array()) {
      if (!is_map) {
        out[joined(element)];
      } else if (element.is_array() && element.as_array().size() == 2) {
        out[joined(element.as_array()[0])] = joined(element.as_array()[1]);
      }
    }
  }
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
