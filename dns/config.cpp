#include "dns/config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <functional>
#include <set>

#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace dns {
namespace {

using base::json::Value;
using Reader = std::function<base::Status(const Value&)>;
using Fields = std::map<std::string, Reader>;  // by key in lower case

base::Error wrong(std::string_view expected, const Value& value) {
  return base::invalid(fmt::format("must be {}, not {}", expected, base::json::kind_name(value)));
}

template <class T>
Reader number(T& target, uint64_t min, uint64_t max) {
  return [&target, min, max](const Value& value) -> base::Status {
    uint64_t read = 0;
    if (!base::json::to_uint(value, read) || read < min || read > max) {
      return base::invalid(fmt::format("must be a number from {} to {}", min, max));
    }
    target = static_cast<T>(read);
    return {};
  };
}

Reader truth(bool& target) {
  return [&target](const Value& value) -> base::Status {
    if (!value.is_bool()) return wrong("true or false", value);
    target = value.get_bool();
    return {};
  };
}

Reader text(std::string& target) {
  return [&target](const Value& value) -> base::Status {
    if (!value.is_string()) return wrong("a string", value);
    target = std::string(value.get_string());
    return {};
  };
}

base::Status read_texts(const Value& value, std::vector<std::string>& target) {
  if (!value.is_array()) return wrong("a list of strings", value);
  target.clear();
  for (const Value& element : value.get_array()) {
    if (!element.is_string()) return wrong("a list of strings", element);
    target.emplace_back(element.get_string());
  }
  return {};
}

Reader texts(std::vector<std::string>& target) {
  return [&target](const Value& value) { return read_texts(value, target); };
}

Reader object(std::function<base::Status(std::string_view, const Value&)> member) {
  return [member = std::move(member)](const Value& value) -> base::Status {
    if (!value.is_object()) return wrong("an object", value);
    for (const auto& pair : value.get_object()) {
      auto status = member(std::string_view(pair.key()), pair.value());
      if (!status) return status.error().with_context(std::string_view(pair.key()));
    }
    return {};
  };
}

Fields fields_of(Config& c) {
  constexpr uint64_t kDay = 86400, kTtlMax = 2147483647;
  Fields fields;
  const auto add = [&](std::string_view key, Reader reader) { fields.emplace(base::to_lower(key), std::move(reader)); };
  add("refreshSeconds", number(c.refresh_seconds, 1, kDay));
  add("port", number(c.port, 0, 65535));
  add("timeout", number(c.timeout, 1, 300));
  add("stateTimeoutSeconds", number(c.state_timeout_seconds, 1, kDay));
  add("zkDetectionTimeout", number(c.zk_detection_timeout, 0, kDay));
  add("httpport", number(c.http_port, 0, 65535));
  add("ttl", number(c.ttl, 0, kTtlMax));
  add("srvRecordDefaultWeight", number(c.srv_record_default_weight, 0, 65535));
  add("SOARefresh", number(c.soa_refresh, 0, kTtlMax));
  add("SOARetry", number(c.soa_retry, 0, kTtlMax));
  add("SOAExpire", number(c.soa_expire, 0, kTtlMax));
  add("SOAMinttl", number(c.soa_minttl, 0, kTtlMax));
  add("SOAMname", text(c.soa_mname));
  add("SOARname", text(c.soa_rname));
  add("masters", texts(c.masters));
  add("resolvers", texts(c.resolvers));
  add("IPSources", texts(c.ip_sources));
  add("zk", text(c.zk));
  add("domain", text(c.domain));
  add("listener", text(c.listener));
  add("httplistener", text(c.http_listener));
  add("recurseon", truth(c.recurse_on));
  add("dnson", truth(c.dns_on));
  add("httpon", truth(c.http_on));
  add("externalon", truth(c.external_on));
  add("EnforceRFC952", truth(c.enforce_rfc952));
  add("SetTruncateBit", truth(c.set_truncate_bit));
  add("EnumerationOn", truth(c.enumeration_on));
  add("MesosHTTPSOn", truth(c.mesos_https_on));
  add("caCertFile", text(c.ca_cert_file));
  add("certFile", text(c.cert_file));
  add("keyFile", text(c.key_file));
  add("iamConfigFile", text(c.iam_config_file));
  add("mesosAuthentication", text(c.mesos_authentication));
  add("l4lb", text(c.l4lb));
  add("udpThreads", number(c.udp_threads, 0, 64));
  add("rateLimit", number(c.rate_limit, 0, 1'000'000'000));
  add("forwardLimit", number(c.forward_limit, 1, 10'000));
  add("cacheBytes", number(c.cache_bytes, 0, uint64_t{1} << 30));
  add("zoneResolvers", object([&c](std::string_view zone, const Value& list) {
        return read_texts(list, c.zone_resolvers[base::to_lower(zone)]);
      }));
  add("mesosCredentials", object([&c](std::string_view key, const Value& value) -> base::Status {
        if (base::iequals(key, "principal")) return text(c.credentials_principal)(value);
        if (base::iequals(key, "secret")) return text(c.credentials_secret)(value);
        return {};
      }));
  return fields;
}

bool is_domain(std::string_view name) {
  return is_valid_name(name) && name.find('_') == std::string_view::npos;
}

/// A mailbox or a name, as it stands in a SOA record: no '@', no final dot, lower case.
std::string soa_name(std::string_view text) {
  std::string name = base::to_lower(base::replace_all(text, "@", "."));
  while (name.ends_with('.')) name.pop_back();
  return name;
}

base::Status check_resolvers(const std::string& field, const std::vector<std::string>& resolvers) {
  std::set<Endpoint> seen;
  for (const std::string& resolver : resolvers) {
    const auto endpoint = parse_endpoint(resolver, 53);
    if (!endpoint) return base::invalid(field + ": '" + resolver + "' is neither an address nor address:port");
    if (!seen.insert(*endpoint).second) return base::invalid(field + ": '" + resolver + "' is given twice");
  }
  return {};
}

base::Status check_zones(const Config& c) {
  std::vector<std::string> zones{c.domain};
  for (const auto& [zone, resolvers] : c.zone_resolvers) {
    if (!is_domain(zone)) return base::invalid("zoneResolvers: '" + zone + "' is no domain name");
    if (resolvers.empty()) return base::invalid("zoneResolvers: '" + zone + "' has no resolvers");
    RETURN_IF_ERROR(check_resolvers("zoneResolvers: " + zone, resolvers));
    for (const std::string& other : zones) {
      if (is_below(zone, other) || is_below(other, zone)) {
        return base::invalid("zoneResolvers: '" + zone + "' overlaps '" + other + "'; give domains that do not contain each other");
      }
    }
    zones.push_back(zone);
  }
  return {};
}

base::Status check_master_access(const Config& c) {
  if (c.cert_file.empty() != c.key_file.empty()) return base::invalid("certFile and keyFile: give both or neither");
  if (!c.cert_file.empty()) return base::unsupported("certFile: client certificates are not supported; leave it out");
  const std::string& kind = c.mesos_authentication;
  if (kind == "iam" || !c.iam_config_file.empty()) {
    return base::unsupported("mesosAuthentication: 'iam' is not supported; use 'basic' with mesosCredentials");
  }
  if (!kind.empty() && kind != "basic") return base::invalid("mesosAuthentication: '" + kind + "' is neither '' nor 'basic'");
  if (kind == "basic" && c.credentials_principal.empty()) {
    return base::invalid("mesosCredentials: 'basic' authentication needs a principal and a secret");
  }
  return {};
}

std::optional<IpSource> source_of(const std::string& name) {
  if (name == "netinfo") return IpSource::NetInfo;
  if (name == "mesos") return IpSource::Mesos;
  if (name == "docker") return IpSource::Docker;
  if (name == "host") return IpSource::Host;
  return std::nullopt;
}

}  // namespace

std::vector<std::string> resolvers_of(std::string_view resolv_conf) {
  std::vector<std::string> resolvers;
  for (std::string_view line : base::split(resolv_conf, '\n')) {
    line = base::trim(line);
    if (!line.starts_with("nameserver")) continue;
    std::string_view value = base::trim(line.substr(10));
    value = value.substr(0, value.find('%'));  // the interface of a link-local address
    const auto address = parse_address(value);
    const std::string text(value);
    if (!address || address->is_loopback()) continue;
    if (std::find(resolvers.begin(), resolvers.end(), text) == resolvers.end()) resolvers.push_back(text);
  }
  return resolvers;
}

base::Result<Config> Config::parse(std::string_view json) {
  Config config;
  auto document = base::json::parse(json, {.max_bytes = 1 << 20});
  if (!document) return document.error();
  if (!document->is_object()) return base::invalid("the configuration must be a JSON object");
  Fields fields = fields_of(config);
  for (const auto& pair : document->get_object()) {
    const std::string key(std::string_view(pair.key()));
    const auto field = fields.find(base::to_lower(key));
    if (field == fields.end() || pair.value().is_null()) continue;
    if (auto status = field->second(pair.value()); !status) return base::invalid(key + ": " + status.error().message);
  }
  return config;
}

base::Status Config::finish(const std::string& resolv_conf) {
  domain = base::to_lower(domain);
  while (domain.ends_with('.')) domain.pop_back();
  if (!is_domain(domain)) return base::invalid("domain: '" + domain + "' is no domain name");
  soa_mname = soa_name(soa_mname);
  soa_rname = soa_name(soa_rname);
  if (!is_valid_name(soa_mname)) return base::invalid("SOAMname: '" + soa_mname + "' is no name");
  if (!is_valid_name(soa_rname)) return base::invalid("SOARname: '" + soa_rname + "' is no mailbox or name");
  if (!dns_on && !http_on) return base::invalid("dnson and httpon: both are off, nothing would be served");
  if (masters.empty()) {
    if (!zk.empty()) {
      return base::unsupported("zk: finding masters in ZooKeeper is not supported; name them in masters: [\"host:port\"]");
    }
    return base::invalid("masters: name at least one, as host:port");
  }
  std::set<std::string> seen;
  for (const std::string& master : masters) {
    if (!seen.insert(master).second) return base::invalid("masters: '" + master + "' is given twice");
  }
  if (!parse_address(listener)) return base::invalid("listener: '" + listener + "' is no address");
  if (!parse_address(http_listener)) return base::invalid("httplistener: '" + http_listener + "' is no address");
  if (ip_sources.empty()) return base::invalid("IPSources: name at least one of netinfo, mesos, docker, host");
  seen.clear();
  for (const std::string& source : ip_sources) {
    if (!source_of(source)) return base::invalid("IPSources: '" + source + "' is none of netinfo, mesos, docker, host");
    if (!seen.insert(source).second) return base::invalid("IPSources: '" + source + "' is given twice");
  }
  if (external_on && resolvers.empty()) resolvers = resolvers_of(resolv_conf);
  RETURN_IF_ERROR(check_resolvers("resolvers", resolvers));
  RETURN_IF_ERROR(check_zones(*this));
  return check_master_access(*this);
}

RecordsOptions Config::records(const std::vector<Address>& local_addresses) const {
  RecordsOptions options;
  options.rules.domain = domain;
  options.rules.labels = enforce_rfc952 ? LabelRules::Rfc952 : LabelRules::Rfc1123;
  options.rules.sources.clear();
  for (const std::string& source : ip_sources) options.rules.sources.push_back(*source_of(source));
  for (const std::string& master : masters) {
    if (const auto endpoint = parse_endpoint(master, 5050)) options.masters.push_back(*endpoint);
  }
  options.soa_mname = soa_mname;
  const Address address = *parse_address(listener);
  const bool everywhere = address == *parse_address("0.0.0.0") || address == *parse_address("::");
  options.listeners = everywhere ? local_addresses : std::vector<Address>{address};
  return options;
}

AnswerOptions Config::answers() const {
  AnswerOptions options;
  options.recursion_available = recurse_on;
  options.set_truncate_bit = set_truncate_bit;
  const auto inner = [](std::string_view apex, std::string_view stored, bool Zone::*loaded) {
    ServedZone zone;
    zone.apex = apex;
    zone.stored = stored;
    zone.loaded = loaded;
    zone.ttl = 5;
    zone.ns_ttl = 3600;
    zone.srv_priority = zone.srv_weight = 1;
    zone.mname = "ns.spartan";
    zone.rname = "hostmaster.ns.spartan";
    zone.retry = 180;
    zone.minimum = 1;
    return zone;
  };
  // Each of the directory's domains under both of its ends; the older name of virtual addresses too.
  for (const char* end : {"directory", "global"}) {
    const std::string tail = std::string("thisdcos.") + end;
    options.zones.push_back(inner(std::string(kMirrorDomain.substr(0, 5)) + "." + tail, domain, &Zone::cluster_loaded));
    options.zones.push_back(inner("dcos." + tail, kDcosDomain, &Zone::cluster_loaded));
    for (const char* name : {"l4lb.", "dclb."}) {
      options.zones.push_back(inner(name + tail, kVipDomain, l4lb.empty() ? nullptr : &Zone::vips_loaded));
    }
    options.zones.push_back(inner(tail, "thisdcos.directory", nullptr));
  }
  ServedZone own;
  own.apex = own.stored = domain;
  own.loaded = &Zone::cluster_loaded;
  own.ttl = own.ns_ttl = own.minimum = ttl;
  own.srv_weight = srv_record_default_weight;
  own.mname = soa_mname;
  own.rname = soa_rname;
  own.refresh = soa_refresh;
  own.retry = soa_retry;
  own.expire = soa_expire;
  options.zones.push_back(std::move(own));
  options.zones.push_back(inner("spartan", "spartan", nullptr));
  options.zones.push_back(inner("zk", "zk", &Zone::cluster_loaded));
  options.zones.push_back(inner("localhost", "localhost", nullptr));
  return options;
}

ForwardRules Config::forwarding() const {
  const auto endpoints = [](const std::vector<std::string>& list) {
    std::vector<Endpoint> out;
    for (const std::string& text : list) {
      if (const auto endpoint = parse_endpoint(text, 53)) out.push_back(*endpoint);
    }
    return out;
  };
  ForwardRules rules;
  rules.external = external_on;
  rules.resolvers = endpoints(resolvers);
  for (const auto& [zone, list] : zone_resolvers) rules.zones.push_back({zone, endpoints(list)});
  return rules;
}

std::string Config::render(uint32_t serial) const {
  std::string out;
  base::json::Writer w(out);
  const auto list = [&](const char* name, const std::vector<std::string>& values) {
    w.key(name);
    w.begin_array();
    for (const std::string& value : values) w.value(value);
    w.end_array();
  };
  w.begin_object();
  w.field("RefreshSeconds", refresh_seconds);
  w.field("Port", port);
  w.field("Timeout", timeout);
  w.field("StateTimeoutSeconds", state_timeout_seconds);
  w.field("ZkDetectionTimeout", zk_detection_timeout);
  w.field("HttpPort", http_port);
  w.field("TTL", ttl);
  w.field("SRVRecordDefaultWeight", srv_record_default_weight);
  w.field("SOASerial", serial);
  w.field("SOARefresh", soa_refresh);
  w.field("SOARetry", soa_retry);
  w.field("SOAExpire", soa_expire);
  w.field("SOAMinttl", soa_minttl);
  w.field("SOAMname", soa_mname + ".");
  w.field("SOARname", soa_rname + ".");
  list("Masters", masters);
  w.key("ZoneResolvers");
  w.begin_object();
  for (const auto& [zone, values] : zone_resolvers) list(zone.c_str(), values);
  w.end_object();
  list("Resolvers", resolvers);
  list("IPSources", ip_sources);
  w.field("Zk", zk);
  w.field("Domain", domain);
  w.field("File", file);
  w.field("Listener", listener);
  w.field("HTTPListener", http_listener);
  w.field("RecurseOn", recurse_on);
  w.field("DnsOn", dns_on);
  w.field("HttpOn", http_on);
  w.field("ExternalOn", external_on);
  w.field("EnforceRFC952", enforce_rfc952);
  w.field("SetTruncateBit", set_truncate_bit);
  w.field("EnumerationOn", enumeration_on);
  w.field("MesosHTTPSOn", mesos_https_on);
  w.field("CACertFile", ca_cert_file);
  w.field("CertFile", cert_file);
  w.field("KeyFile", key_file);
  w.key("MesosCredentials");
  w.begin_object();
  w.field("Principal", credentials_principal);
  w.field("Secret", "");
  w.end_object();
  w.field("IAMConfigFile", iam_config_file);
  w.field("MesosAuthentication", mesos_authentication);
  w.end_object();
  return out;
}

}  // namespace dns
