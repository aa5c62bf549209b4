// GET /registrar(1)/registry: what the registry holds, in the shape of the original's.

#include "base/json/proto.hpp"
#include "base/json/writer.hpp"
#include "kernel/api/names.hpp"
#include "kernel/master/api/state_json.hpp"

namespace master {

namespace {

using base::json::Writer;

void field_message(Writer& out, std::string_view name, const google::protobuf::Message& message) {
  out.key(name);
  base::json::write_proto(out, message, api::v0_dialect());
}

void begin_list(Writer& out, const char* name, const char* inner) {
  out.key(name);
  out.begin_object();
  out.key(inner);
  out.begin_array();
}

void end_list(Writer& out) {
  out.end_array();
  out.end_object();
}

void write_drain(Writer& out, const std::optional<mesos::v1::DrainInfo>& drain, bool deactivated) {
  if (drain) field_message(out, "drain_info", *drain);
  if (deactivated) out.field("deactivated", true);
}

void write_absent(Writer& out, const std::string& id, base::Time since) {
  out.key("id");
  out.begin_object();
  out.field("value", id);
  out.end_object();
  out.key("timestamp");
  out.begin_object();
  out.field("nanoseconds", since.nanos());
  out.end_object();
}

void write_agents(Writer& out, const State& state) {
  begin_list(out, "slaves", "slaves");
  for (const auto& [id, agent] : state.agents) {
    out.begin_object();
    field_message(out, "info", *agent->info);
    write_drain(out, agent->drain, agent->deactivated);
    out.end_object();
  }
  for (const auto& [id, agent] : state.recovered_agents) {
    out.begin_object();
    field_message(out, "info", *agent.info);
    write_drain(out, agent.drain, agent.deactivated);
    out.end_object();
  }
  end_list(out);
  begin_list(out, "unreachable", "slaves");
  for (const auto& [id, agent] : state.unreachable_agents) {
    out.begin_object();
    write_absent(out, id, agent.since);
    write_drain(out, agent.drain, agent.deactivated);
    out.end_object();
  }
  end_list(out);
  begin_list(out, "gone", "slaves");
  for (const auto& [id, since] : state.gone_agents) {
    out.begin_object();
    write_absent(out, id, since);
    out.end_object();
  }
  end_list(out);
}

}  // namespace

std::string registry_json(const State& state) {
  std::string text;
  Writer out(text);
  out.begin_object();
  out.key("master");
  out.begin_object();
  field_message(out, "info", state.master);
  out.end_object();
  write_agents(out, state);
  begin_list(out, "machines", "machines");
  for (const auto& [key, machine] : state.machines) {
    out.begin_object();
    field_message(out, "info", machine);
    out.end_object();
  }
  end_list(out);
  out.key("schedules");
  out.begin_array();
  if (state.schedule.windows_size() > 0) base::json::write_proto(out, state.schedule, api::v0_dialect());
  out.end_array();
  out.key("weights");
  out.begin_array();
  for (const auto& [role, weight] : state.weights) {
    out.begin_object();
    out.key("info");
    out.begin_object();
    out.field("role", role);
    out.field("weight", weight);
    out.end_object();
    out.end_object();
  }
  out.end_array();
  out.key("quota_configs");
  out.begin_array();
  for (const auto& [role, quota] : state.quotas) base::json::write_proto(out, quota, api::v0_dialect());
  out.end_array();
  out.end_object();
  return text;
}

}  // namespace master
