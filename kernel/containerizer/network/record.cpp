#include "kernel/containerizer/network/record.hpp"

#include <boost/json.hpp>

#include "base/json/proto.hpp"
#include "base/json/value.hpp"
#include "base/json/writer.hpp"

namespace containerizer::network {

std::string render_record(const Record& record) {
  std::string out;
  base::json::Writer w(out);
  w.begin_object();
  w.field("container", record.container);
  w.field("host_name", record.host_name);
  w.key("links");
  w.begin_array();
  for (const Link& link : record.links) {
    w.begin_object();
    w.field("interface", link.interface);
    w.field("config", link.config.text);
    w.field("result", link.result);
    w.field("mac", link.wish.mac);
    w.key("network_info");
    base::json::write_proto(w, link.wish.info);
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return out;
}

Result<Record> parse_record(std::string_view text) {
  ASSIGN_OR_RETURN(const base::json::Value value, base::json::parse(text));
  Record out;
  ASSIGN_OR_RETURN(out.container, base::json::get_string(value, "/container"));
  ASSIGN_OR_RETURN(out.host_name, base::json::get_string(value, "/host_name"));
  const auto* links = base::json::find(value, "/links");
  if (links == nullptr || !links->is_array()) return base::invalid("/links is missing");
  for (const auto& each : links->get_array()) {
    Link link;
    link.container = out.container;
    ASSIGN_OR_RETURN(link.interface, base::json::get_string(each, "/interface"));
    ASSIGN_OR_RETURN(const std::string config, base::json::get_string(each, "/config"));
    ASSIGN_OR_RETURN(link.config, parse_network_config(config));
    ASSIGN_OR_RETURN(link.result, base::json::get_string(each, "/result"));
    ASSIGN_OR_RETURN(link.wish.mac, base::json::get_string(each, "/mac"));
    const auto* info = base::json::find(each, "/network_info");
    if (info == nullptr) return base::invalid("/network_info is missing");
    RETURN_IF_ERROR(base::json::proto_from_json(*info, link.wish.info));
    out.links.push_back(std::move(link));
  }
  return out;
}

mesos::v1::NetworkInfo network_info(const Link& link) {
  mesos::v1::NetworkInfo out = link.wish.info;
  out.clear_ip_addresses();
  const auto result = parse_cni_result(link.result, link.interface);
  if (!result) return out;
  for (const auto& given : result->addresses) {
    auto* address = out.add_ip_addresses();
    address->set_protocol(given.v6 ? mesos::v1::NetworkInfo::IPv6 : mesos::v1::NetworkInfo::IPv4);
    address->set_ip_address(given.address);
  }
  return out;
}

}  // namespace containerizer::network
