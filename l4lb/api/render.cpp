#include "l4lb/api/render.hpp"

#include <openssl/sha.h>

#include <array>

#include "base/json/writer.hpp"
#include "base/strings.hpp"

namespace l4lb {
namespace {

using base::json::Writer;

void write_record(Writer& out, const Record& record) {
  out.begin_object();
  out.field("name", record.name);
  out.field("host", render(record.address));
  out.field("rtype", record.address.v6() ? "AAAA" : "A");
  out.end_object();
}

void write_records(Writer& out, const std::vector<Record>& records) {
  out.begin_array();
  for (const Record& record : records) write_record(out, record);
  out.end_array();
}

const char* state_name(MemberState state) {
  switch (state) {
    case MemberState::Alive:
      return "alive";
    case MemberState::Suspect:
      return "suspect";
    case MemberState::Dead:
      return "dead";
    case MemberState::Left:
      return "left";
  }
  return "?";
}

void write_node(Writer& out, const MemberInfo& member, const std::string& updated) {
  out.begin_object();
  out.field("private_ip", render(member.ip));
  out.key("public_ips");
  out.begin_array();
  out.end_array();
  out.field("hostname", member.hostname);
  out.field("updated", updated);
  out.field("id", render_node(member.id));
  out.field("gossip", render(member.at));
  out.field("state", state_name(member.state));
  out.end_object();
}

}  // namespace

std::string render_vips(const Core& core) {
  std::string text;
  Writer out(text);
  out.begin_array();
  for (const auto& [vip, owners] : core.replica().vips()) {
    out.begin_object();
    const auto literal = parse_address(vip.host);
    out.field("vip", literal ? render(Endpoint{*literal, vip.port}) : render(vip));
    out.field("protocol", name_of(vip.protocol));
    out.key("backend");
    out.begin_array();
    for (const auto& [owner, entry] : owners)
      for (const Backend& backend : entry->backends) {
        out.begin_object();
        out.field("ip", render(backend.endpoint.address));
        out.field("port", backend.endpoint.port);
        out.end_object();
      }
    out.end_array();
    out.end_object();
  }
  out.end_array();
  return text;
}

std::string vips_etag(const Core& core) {
  std::string versions;
  for (const NodeId owner : core.replica().owners())
    versions += render_node(owner) + ":" + std::to_string(core.replica().complete(owner)) + ",";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(versions.data()), versions.size(), digest.data());
  return base::base64_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string render_nodes(const Core& core, base::Now now) {
  std::string text;
  Writer out(text);
  out.begin_array();
  write_node(out, core.swim().self(), base::render_iso8601(now.time));
  for (const auto& [id, member] : core.swim().members()) {
    if (member.info.state == MemberState::Left) continue;
    // For one that is there: now; for one that is not: since when.
    const base::Duration age = member.reachable() ? base::Duration{0} : now.instant - member.changed;
    write_node(out, member.info, base::render_iso8601(now.time - age));
  }
  out.end_array();
  return text;
}

std::string render_records(const std::vector<Record>& records) {
  std::string text;
  Writer out(text);
  write_records(out, records);
  return text;
}

std::string render_delta(const RecordsChanged& changed) {
  std::string text;
  Writer out(text);
  out.begin_object();
  out.key("added");
  write_records(out, changed.added);
  out.key("removed");
  write_records(out, changed.removed);
  out.end_object();
  return text;
}

std::string render_host(const Core& core, std::string_view host) {
  std::string name = base::to_lower(host);
  while (name.ends_with('.')) name.pop_back();
  std::string text;
  Writer out(text);
  out.begin_array();
  for (const Record& record : core.records())
    if (record.name == name && record.address.v4()) {
      out.begin_object();
      out.field("host", host);
      out.field("ip", render(record.address));
      out.end_object();
    }
  out.end_array();
  return text;
}

std::string render_explain(const Core& core, std::string_view what, base::Instant now) {
  std::string text;
  Writer out(text);
  out.begin_array();
  for (const VipId& vip : core.find(what)) {
    out.begin_object();
    out.field("vip", render(vip));
    out.field("protocol", name_of(vip.protocol));
    out.key("addresses");
    out.begin_array();
    for (const Address& address : core.addresses(vip)) out.value(render(address));
    out.end_array();
    if (const std::string obstacle = core.obstacle(vip); !obstacle.empty()) out.field("not_served_because", obstacle);
    out.key("backends");
    out.begin_array();
    for (const Candidate& each : core.candidates(vip, now)) {
      out.begin_object();
      out.field("ip", render(each.backend.endpoint.address));
      out.field("port", each.backend.endpoint.port);
      if (each.endpoint != each.backend.endpoint) out.field("used_as", render(each.endpoint));
      out.field("agent", render(each.backend.agent));
      out.field("node", render_node(each.owner));
      out.field("weight", each.backend.weight);
      out.field("node_reachable", each.reachable);
      out.field("refused_lately", each.failed);
      out.field("used", each.used);
      if (!each.why.empty()) out.field("because", each.why);
      out.end_object();
    }
    out.end_array();
    out.end_object();
  }
  out.end_array();
  return text;
}

std::string zbase32(std::string_view bytes) {
  static constexpr std::string_view kAlphabet = "ybndrfg8ejkmcpqxot1uwisza345h769";
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    count += 8;
    while (count >= 5) {
      count -= 5;
      out.push_back(kAlphabet[bits >> count & 31]);
    }
  }
  if (count > 0) out.push_back(kAlphabet[bits << (5 - count) & 31]);
  return out;
}

}  // namespace l4lb
