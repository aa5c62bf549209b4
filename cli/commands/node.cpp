#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "cli/commands.hpp"
#include "cli/json_text.hpp"
#include "cli/mesos.hpp"
#include "cli/table.hpp"

namespace cli {
namespace {

namespace json = boost::json;

std::string status_of(const json::value& agent) {
  std::string drain = text_at(agent, "/drain_info/state");
  if (drain == "DRAINING" || drain == "DRAINED") return drain;
  if (flag_at(agent, "/deactivated")) return "DEACTIVATED";
  return flag_at(agent, "/active", true) ? "ACTIVE" : "DISCONNECTED";
}

// "slave(1)@10.0.0.1:5051" -> "10.0.0.1".
std::string ip_of(const std::string& pid) {
  size_t at = pid.find('@');
  std::string address = at == std::string::npos ? pid : pid.substr(at + 1);
  return address.substr(0, address.rfind(':'));
}

// "--field=gpu" or "--field=gpu:/resources/gpus" or "--field=attributes.rack".
struct ExtraColumn {
  std::string title, pointer;
};

std::vector<ExtraColumn> extra_columns(const Arguments& arguments) {
  std::vector<ExtraColumn> out;
  auto given = arguments.options.find("field");
  if (given == arguments.options.end()) return out;
  for (const std::string& field : given->second) {
    size_t colon = field.find(':');
    std::string title = field.substr(0, colon);
    std::string path = colon == std::string::npos ? field : field.substr(colon + 1);
    if (!path.starts_with('/')) path = "/" + base::replace_all(path, ".", "/");
    out.push_back({base::to_upper(title), path});
  }
  return out;
}

struct NodeRow {
  std::string hostname, ip, public_ips, id, type, status, region, zone;
  json::value detail;
};

base::Result<std::vector<NodeRow>> read_nodes(Client& client) {
  ASSIGN_OR_RETURN(auto agents, client.get_json(client.mesos("/slaves")));
  std::vector<NodeRow> rows;
  each_at(agents, "/slaves", [&](const json::value& agent) {
    NodeRow row;
    row.hostname = text_at(agent, "/hostname");
    row.ip = ip_of(text_at(agent, "/pid"));
    bool is_public = text_at(agent, "/attributes/public_ip") == "true";
    row.public_ips = text_at(agent, "/attributes/public_ips", "N/A");
    row.id = text_at(agent, "/id");
    row.type = is_public ? "agent (public)" : "agent";
    row.status = status_of(agent);
    row.region = region_of(agent);
    row.zone = zone_of(agent);
    row.detail = agent;
    rows.push_back(std::move(row));
  });
  ASSIGN_OR_RETURN(auto summary, client.get_json(client.mesos("/state-summary")));
  NodeRow leader;
  leader.hostname = text_at(summary, "/hostname", "master");
  leader.ip = leader.hostname;
  leader.id = "N/A";
  leader.public_ips = "N/A";
  leader.type = "master (leader)";
  leader.region = "N/A";
  leader.zone = "N/A";
  leader.detail = json::object{{"hostname", leader.hostname}, {"ip", leader.ip}};
  rows.push_back(std::move(leader));
  return rows;
}

}  // namespace

base::Result<int> node_list(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  ASSIGN_OR_RETURN(auto rows, read_nodes(*client));
  if (arguments.has("json")) {
    json::array list;
    for (NodeRow& row : rows) {
      if (row.detail.is_object()) {
        json::object& detail = row.detail.get_object();
        detail["ip"] = row.ip;
        detail["type"] = row.type;
        detail["status"] = row.status;
        detail["region"] = row.region;
        detail["zone"] = row.zone;
      }
      list.push_back(row.detail);
    }
    context.line(base::json::render_pretty(list, 4));
    return 0;
  }
  if (arguments.has("mesos-id")) {
    for (const NodeRow& row : rows)
      if (row.id != "N/A") context.line(row.id);
    return 0;
  }
  auto extra = extra_columns(arguments);
  std::vector<std::string> header{"HOSTNAME", "IP",     "PUBLIC IP(S)", "ID",
                                  "TYPE",     "STATUS", "REGION",       "ZONE"};
  for (const ExtraColumn& column : extra) header.push_back(column.title);
  Table table(header);
  for (const NodeRow& row : rows) {
    std::vector<std::string> cells{row.hostname, row.ip,     row.public_ips, row.id,
                                   row.type,     row.status, row.region,     row.zone};
    for (const ExtraColumn& column : extra)
      cells.push_back(text_at(row.detail, column.pointer, "N/A"));
    table.add(std::move(cells));
  }
  context.out(table.render());
  return 0;
}

}  // namespace cli
