#include "admin-router/flags.hpp"

#include "base/strings.hpp"

namespace admin_router {

namespace {

bool is_loopback(const std::string& ip) {
  return ip == "::1" || (ip.starts_with("127.") && ip.find_first_not_of("0123456789.") == ip.npos);
}

}  // namespace

void Flags::declare(base::FlagTable& table) {
  table.section("Listening");
  table.add(&ip, "ip", "Address to listen on.");
  table.add(&port, "port", "Port to listen on.");
  table.add(&listen, "listen", "More places to listen on: ip:port, separated by commas.");
  table.add(&https_port, "https_port",
            "Port of --ip to listen on with TLS; needs --ssl_cert_file and --ssl_key_file.");
  table.add(&max_connections, "max_connections",
            "Clients beyond this number are answered 503 and closed.");
  table.section("Cluster");
  table.add(&master, "master",
            "Masters, [https://]host:port separated by commas, the leading one is found among them; "
            "or zk://host:port,.../path, where it is looked up.");
  table.add(&upstream_tls, "upstream_tls",
            "Masters and agents are reached by https; default: when --master says https://.");
  base::FlagTable::Options credential;
  credential.from_file = true;
  credential.secret = true;
  table.add(&upstream_credential, "upstream_credential",
            R"(File with who the gateway is to masters and agents that ask for a login: )"
            R"({"principal":..,"secret":..}.)",
            credential);
  table.add(&marathon, "marathon",
            "Marathon, host:port. Empty: where the framework named \"marathon\" says that it is.");
  table.add(&package, "package",
            "Package manager, host:port. Empty: /package, /capabilities and /cosmos/service are "
            "answered 404.");
  table.add(&mesos_dns, "mesos_dns",
            "HTTP side of the name service, host:port. Empty: /mesos_dns is answered 404.");
  table.add(&net, "net", "The node's load balancer, host:port. Empty: /net is answered 404.");
  table.add(&data_dir, "data_dir",
            "Directory of the file cluster-id, which is made at the first start.");
  table.add(&cluster_id, "cluster_id", "The cluster's id. Empty: what the file in data_dir says.");
  table.add(&public_ip, "public_ip", "Address told by /metadata. Empty: the one listened on.");
  table.add(&dcos_version, "dcos_version",
            "The DC/OS release whose interfaces are offered, told to clients.");
  table.section("Login");
  table.add(&auth, "auth",
            "on: requests need a token of a user. off: everybody may do everything, which is "
            "allowed on loopback addresses only.");
  table.add(&owner, "owner", "The user who gets the password in --owner_password_file.");
  table.add(&owner_password_file, "owner_password_file",
            "File of mode 0600 with a password for the owner, who is made when missing. It is read "
            "at the start, if it is there, and removed.");
  tls.add_to(table);
  table.section("Dashboard");
  table.add(&ui_dir, "ui_dir",
            "Directory of the dashboard's files. Empty: ../dashboard beside this program.");
  base::FlagTable::Options from_file;
  from_file.from_file = true;
  table.add(&ui_config, "ui_config",
            "JSON object told as uiConfiguration by /dcos-metadata/ui-config.json.", from_file);
}

base::Status check_auth(const Flags& flags) {
  if (flags.auth != "on" && flags.auth != "off")
    return base::invalid("--auth=" + flags.auth + ": give on or off");
  if (flags.auth == "on") return {};
  ASSIGN_OR_RETURN(auto places, parse_addresses(flags.listen, flags.port));
  places.push_back({flags.ip, flags.port, false});
  for (const Address& place : places)
    if (!is_loopback(place.host))
      return base::invalid("--auth=off: " + place.host +
                           " can be reached from other machines, where everybody could then do "
                           "everything. Listen on 127.0.0.1 only, or use --auth=on");
  return {};
}

base::Result<std::vector<Address>> parse_addresses(const std::string& text, uint16_t default_port) {
  std::vector<Address> out;
  for (std::string_view piece : base::tokenize(text, ',')) {
    std::string item(base::trim(piece));
    bool https = item.starts_with("https://");
    if (item.find("://") != std::string::npos && !item.starts_with("http://") && !https)
      return base::unsupported("\"" + item + "\": only host:port is understood here");
    if (item.starts_with("http://") || https) item.erase(0, https ? 8 : 7);
    auto url = ServiceUrl::parse("http://" + item);
    if (!url || !url->base.empty()) return base::invalid("\"" + item + "\" is not host:port");
    size_t bracket = item.rfind(']');
    bool has_port = item.find(':', bracket == std::string::npos ? 0 : bracket) != std::string::npos;
    if (!has_port) url->address.port = default_port;
    url->address.tls = https;
    out.push_back(url->address);
  }
  return out;
}

}  // namespace admin_router
