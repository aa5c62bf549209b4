#include "dns/api/http_v1.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "base/version.hpp"
#include "dns/answer.hpp"

namespace dns::api {
namespace {

using base::http::Response;

std::string text_of(const RecordView& record) {
  if (record.kind == Kind::SRV) return fmt::format("{}.:{}", record.target(), record.port());
  return address_of_wire(record.data).text();
}

std::string_view kind_name(Kind kind) {
  switch (kind) {
    case Kind::A: return "A";
    case Kind::AAAA: return "AAAA";
    case Kind::SRV: return "SRV";
  }
  return "";
}

}  // namespace

std::string normal_name(std::string_view asked) {
  std::string name = base::replace_all(base::to_lower(asked), ".*", "");
  while (name.ends_with('.')) name.pop_back();
  return name;
}

Response version() {
  std::string out;
  base::json::Writer w(out);
  w.begin_object();
  w.field("Service", "Mesos-DNS");
  w.field("Version", base::kVersion);
  w.field("URL", "https://github.com/mesosphere/mesos-dns");
  w.end_object();
  return Response::json(200, std::move(out));
}

Response hosts(const Zone& zone, std::string_view host) {
  const std::string name = normal_name(host);
  std::string out;
  base::json::Writer w(out);
  bool any = false;
  w.begin_array();
  for (const RecordView record : zone.find(name)) {
    if (record.kind == Kind::SRV) continue;
    any = true;
    w.begin_object();
    w.field("host", name + ".");
    w.field("ip", text_of(record));
    w.end_object();
  }
  if (!any) w.raw(R"({"host":"","ip":""})");  // what clients of the original expect for nothing
  w.end_array();
  return Response::json(200, std::move(out));
}

Response services(const Zone& zone, std::string_view service) {
  std::string out;
  base::json::Writer w(out);
  bool any = false;
  w.begin_array();
  for (const RecordView record : zone.find(normal_name(service))) {
    if (record.kind != Kind::SRV) continue;
    const auto write = [&](const std::string& ip) {
      any = true;
      w.begin_object();
      w.field("service", service);
      w.field("host", std::string(record.target()) + ".");
      w.field("ip", ip);
      w.field("port", std::to_string(record.port()));
      w.end_object();
    };
    bool has_address = false;
    for (const RecordView address : zone.find(record.target())) {
      if (address.kind == Kind::SRV) continue;
      has_address = true;
      write(text_of(address));
    }
    if (!has_address) write("");
  }
  if (!any) w.raw(R"({"service":"","host":"","ip":"","port":""})");
  w.end_array();
  return Response::json(200, std::move(out));
}

std::string render_axfr(const Zone& zone, const Config& config) {
  std::map<std::string, std::vector<std::string>> by_kind[3];
  zone.each([&](std::string_view name, RecordView record, uint32_t) {
    if (!is_below(name, config.domain)) return;
    by_kind[static_cast<size_t>(record.kind)][std::string(name) + "."].push_back(text_of(record));
  });
  std::string out;
  base::json::Writer w(out);
  w.begin_object();
  w.field("TTL", config.ttl);
  w.field("Serial", zone.serial);
  w.field("RefreshSeconds", config.refresh_seconds);
  w.field("Mname", config.soa_mname + ".");
  w.field("Rname", config.soa_rname + ".");
  w.field("Domain", config.domain);
  w.key("Records");
  w.begin_object();
  for (const Kind kind : {Kind::A, Kind::AAAA, Kind::SRV}) {
    w.key(std::string(kind_name(kind)) + "s");
    w.begin_object();
    for (const auto& [name, values] : by_kind[static_cast<size_t>(kind)]) {
      w.key(name);
      w.begin_array();
      for (const std::string& value : values) w.value(value);
      w.end_array();
    }
    w.end_object();
  }
  w.end_object();
  w.end_object();
  return out;
}

std::string render_enumeration(const std::vector<Records::Listing>& frameworks, const RecordRules& rules) {
  std::string out;
  base::json::Writer w(out);
  std::set<Record> told;
  w.begin_object();
  w.key("frameworks");
  w.begin_array();
  for (const Records::Listing& framework : frameworks) {
    w.begin_object();
    w.field("name", framework.name);
    w.key("tasks");
    w.begin_array();
    for (const auto& [task, agent] : framework.tasks) {
      w.begin_object();
      w.field("name", task.name);
      w.field("id", task.id);
      w.key("records");
      w.begin_array();
      std::vector<Record> records;
      append_task_records(task, framework.name, agent, rules, records);
      for (const Record& record : records) {
        if (!is_below(record.name, rules.domain) || !told.insert(record).second) continue;
        w.begin_object();
        w.field("name", record.name + ".");
        w.field("host", text_of({record.kind, record.data}));
        w.field("rtype", kind_name(record.kind));
        w.end_object();
      }
      w.end_array();
      w.end_object();
    }
    w.end_array();
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return out;
}

}  // namespace dns::api
