// dcos-admin-router: the one door of a cluster. README.md has the picture, gateway.cpp what happens
// to a request, table.cpp what is known of the cluster.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin-router/flags.hpp"
#include "admin-router/gateway.hpp"
#include "admin-router/login/login.hpp"
#include "admin-router/proxy.hpp"
#include "admin-router/sources.hpp"
#include "base/environment.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "base/spdlog_sink.hpp"
#include "base/strings.hpp"
#include "kernel/auth/credentials.hpp"

namespace {

using namespace admin_router;

// Each client needs two descriptors.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// The id in data_dir, made at the first start. Without one (a directory that cannot be written)
// /metadata tells none.
std::string cluster_id(const Flags& flags) {
  if (!flags.cluster_id.empty()) return flags.cluster_id;
  std::string path = flags.data_dir + "/cluster-id";
  if (auto known = base::read_file(path, 4096)) return std::string(base::trim(*known));
  std::string id = base::Random::from_os().uuid();
  base::Status made = base::make_directories(flags.data_dir);
  if (made) made = base::write_file_atomic(path, id + "\n");
  if (made) return id;
  LOG_WARNING(
      "no cluster id: {}. Give --data_dir a directory that can be written, or --cluster_id.",
      made.error().message);
  return "";
}

std::string ui_directory(const Flags& flags) {
  if (!flags.ui_dir.empty()) return flags.ui_dir;
  std::error_code ignored;
  auto self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return (self.parent_path().parent_path() / "dashboard").string();
}

base::Status listen_everywhere(const Flags& flags, Proxy& proxy) {
  ASSIGN_OR_RETURN(auto more, parse_addresses(flags.listen, flags.port));
  std::vector<Address> places{{flags.ip, flags.port, false}};
  places.insert(places.end(), more.begin(), more.end());
  for (const Address& place : places) {
    ASSIGN_OR_RETURN(uint16_t port, proxy.listen(place.host, place.port));
    LOG_INFO("listening on http://{}:{}", place.host, port);
  }
  if (flags.https_port) {
    ASSIGN_OR_RETURN(uint16_t port, proxy.listen(flags.ip, *flags.https_port, true));
    LOG_INFO("listening on https://{}:{}", flags.ip, port);
  }
  return {};
}

base::Status read_backends(const Flags& flags, Backends& out) {
  struct Row {
    const char* flag;
    const std::string& text;
    uint16_t port;
    std::optional<Address>& address;
  };
  for (const Row& row : {Row{"--package", flags.package, 7070, out.package},
                         Row{"--mesos_dns", flags.mesos_dns, 8123, out.mesos_dns},
                         Row{"--net", flags.net, 62080, out.net}}) {
    auto addresses = parse_addresses(row.text, row.port);
    if (!addresses) return addresses.error().with_context(row.flag);
    if (addresses->size() > 1)
      return base::invalid(std::string(row.flag) + "=" + row.text + ": give one host:port");
    if (!addresses->empty()) row.address = addresses->front();
  }
  return {};
}

// Two plugins of the original's dashboard make its login page.
constexpr char kUiWithLogin[] =
    R"({"plugins":{"authentication":{"enabled":true},"organization":{"enabled":true}}})";

LoginOptions login_options(const Flags& flags, const GatewayConfig& config) {
  LoginOptions options;
  options.directory = flags.data_dir + "/login";
  options.owner = flags.owner;
  options.owner_password_file = flags.owner_password_file;
  options.facts.cluster_id = config.cluster_id;
  options.facts.ui_config = flags.ui_config.empty() ? kUiWithLogin : flags.ui_config;
  return options;
}

int usage_error(const base::Error& error) {
  fmt::print(stderr, "dcos-admin-router: {}\nTry --help.\n", error.message);
  return 2;
}

// Who the gateway is to masters and agents, as a header; empty: nobody in particular.
base::Result<std::string> upstream_authorization(const Flags& flags) {
  if (!flags.upstream_credential) return std::string();
  auto credential = auth::parse_credential(*flags.upstream_credential);
  if (!credential) return credential.error().with_context("--upstream_credential");
  return "Basic " + base::base64_encode(credential->principal + ":" + credential->secret);
}

base::Result<base::TlsSettings> tls_settings(const Flags& flags,
                                             const base::FlagTable::Environment& environment) {
  ASSIGN_OR_RETURN(base::TlsSettings settings, flags.tls.settings(environment));
  settings.enabled = flags.https_port.has_value();
  if (settings.enabled && settings.cert_file.empty())
    return base::invalid("--https_port needs --ssl_cert_file and --ssl_key_file");
  return settings;
}

base::Status find_masters(const Flags& flags, Sources::Options& where) {
  if (base::zk::is_url(flags.master)) {
    ASSIGN_OR_RETURN(where.zookeeper, base::zk::parse_url(flags.master));
  } else {
    ASSIGN_OR_RETURN(where.masters, parse_addresses(flags.master, 5050));
  }
  bool https = false;
  for (const Address& master : where.masters) https = https || master.tls;
  where.tls = flags.upstream_tls.value_or(https);
  return {};
}

int serve(const Flags& flags, TablePolicy policy, Sources::Options where, Backends backends,
          base::TlsSettings tls_settings) {
  base::log::use_spdlog();
  raise_descriptor_limit();
  if (flags.auth == "on") {
    ::umask(077);  // what the login stores is nobody else's
    // A password is hashed in 19 MiB, which go back to the system when it is done.
    ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  }
  base::Loop loop;
  base::Metrics metrics;
  auto tls = base::http::Tls::for_daemon(loop, std::move(tls_settings));
  auto unchecked = base::http::Tls::open(base::TlsSettings{});
  if (!tls || !unchecked) {
    LOG_ERROR("{}", (tls ? unchecked : tls).error().message);
    return 1;
  }
  where.client.tls = *tls;
  Table table(std::move(policy));
  OpenAuthorizer everybody;
  StaticFiles files(ui_directory(flags));
  GatewayConfig config;
  config.backends = std::move(backends);
  config.cluster_id = cluster_id(flags);
  config.public_ip = flags.public_ip.empty() ? flags.ip : flags.public_ip;
  config.version = flags.dcos_version;
  config.ui_config = flags.ui_config;
  config.cluster_tls = where.tls;
  config.cluster_authorization = where.authorization;
  std::unique_ptr<Login> login;
  if (flags.auth == "on") {
    auto opened = Login::open(loop, metrics, login_options(flags, config));
    if (!opened) {
      LOG_ERROR("no login: {}", opened.error().message);
      return 1;
    }
    login = std::move(*opened);
    config.backends.login = Address{login->socket(), 0};
  }
  Authorizer& authorizer = login ? login->authorizer() : everybody;
  Gateway gateway(std::move(config), table, authorizer, files, metrics, loop.now());
  ProxyOptions options;
  options.max_connections = flags.max_connections;
  options.tls = *tls;
  options.unchecked_tls = *unchecked;
  Proxy proxy(loop, gateway, metrics, options);
  if (auto status = listen_everywhere(flags, proxy); !status) {
    LOG_ERROR("{}", status.error().message);
    return 1;
  }
  Sources sources(loop, table, std::move(where), [&proxy] { proxy.wake(); });
  sources.start();
  auto stop = [&] { proxy.drain(base::seconds(2), [&loop] { loop.stop(0); }); };
  loop.on_signal(SIGTERM, stop);
  loop.on_signal(SIGINT, stop);
  return loop.run();
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  base::FlagTable table("dcos-admin-router",
                        "The gateway of a cluster: one port for its masters, agents, services "
                        "and the dashboard.",
                        "ADMINROUTER_");
  flags.declare(table);
  base::FlagTable::Environment environment = base::process_environment();
  // The original's switch: nothing but this one word turns the login off.
  if (environment["ADMINROUTER_ACTIVATE_AUTH_MODULE"] == "false") flags.auth = "off";
  auto read = [](const std::string& path) { return base::read_file(path); };
  if (auto status = table.parse(argc, argv, environment, read); !status)
    return usage_error(status.error());
  if (table.help_requested()) {
    fmt::print("{}", table.help());
    return 0;
  }
  TablePolicy policy;
  Sources::Options where;
  if (auto status = find_masters(flags, where); !status)
    return usage_error(status.error().with_context("--master"));
  auto authorization = upstream_authorization(flags);
  if (!authorization) return usage_error(authorization.error());
  where.authorization = *authorization;
  auto settings = tls_settings(flags, environment);
  if (!settings) return usage_error(settings.error());
  auto marathon = parse_addresses(flags.marathon, 8080);
  if (!marathon) return usage_error(marathon.error().with_context("--marathon"));
  if (!marathon->empty()) policy.marathon = marathon->front();
  if (auto status = check_auth(flags); !status) return usage_error(status.error());
  Backends backends;
  if (auto status = read_backends(flags, backends); !status) return usage_error(status.error());
  return serve(flags, std::move(policy), std::move(where), std::move(backends), std::move(*settings));
}
