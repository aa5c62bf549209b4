#include "cli/context.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "base/numbers.hpp"

namespace cli {
namespace {

std::string absolute(const std::string& path) {
  if (path.starts_with('/')) return path;
  char buffer[4096];
  return ::getcwd(buffer, sizeof buffer) != nullptr ? std::string(buffer) + "/" + path : path;
}

std::string dcos_directory(const Environment& environment) {
  auto dir = environment.find("DCOS_DIR");
  if (dir != environment.end() && !dir->second.empty()) return absolute(dir->second);
  auto home = environment.find("HOME");
  return (home == environment.end() ? std::string("/root") : home->second) + "/.dcos";
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

}  // namespace

void set_tls(const Cluster& cluster, ClientSettings& settings) {
  std::string verify = cluster.settings.get("core.ssl_verify").value_or("true");
  settings.verify_tls = verify != "false";
  if (verify != "false" && verify != "true" && !verify.empty()) settings.ca_file = verify;
}

Context::Context(Environment environment, Io io)
    : environment_(std::move(environment)),
      io_(std::move(io)),
      store_(dcos_directory(environment_)) {
  std::string level = env("DCOS_VERBOSITY");
  if (level == "1" || level == "2") verbosity = level[0] - '0';
}

Context::~Context() = default;

void Context::line(std::string_view text) {
  io_.out(std::string(text) + "\n");
}

void Context::note(std::string_view text) {
  io_.err(std::string(text) + "\n");
}

std::string Context::env(const std::string& name) const {
  auto it = environment_.find(name);
  return it == environment_.end() ? "" : it->second;
}

// The environment wins over the file, key by key.
base::Result<Cluster> Context::cluster() {
  Cluster cluster;
  auto current = store_.current(env("DCOS_CLUSTER"));
  if (current) {
    cluster = *std::move(current);
  } else if (env("DCOS_URL").empty() || !env("DCOS_CLUSTER").empty()) {
    return current.error();
  }
  struct Override {
    const char* variable;
    const char* key;
  };
  static constexpr Override kOverrides[] = {
      {"DCOS_URL", "core.dcos_url"},
      {"DCOS_ACS_TOKEN", "core.dcos_acs_token"},
      {"DCOS_SSL_VERIFY", "core.ssl_verify"},
      {"DCOS_TIMEOUT", "core.timeout"},
      {"DCOS_JOB_URL", "job.url"},
  };
  for (const Override& each : kOverrides)
    if (!env(each.variable).empty()) cluster.settings.set(each.key, env(each.variable));
  return cluster;
}

std::unique_ptr<Client> Context::client_for(const std::string& url, const std::string& token) {
  Cluster cluster;
  cluster.settings.set("core.dcos_url", url);
  return client_for(cluster, token);
}

std::unique_ptr<Client> Context::client_for(const Cluster& cluster, const std::string& token,
                                            base::Duration timeout) {
  ClientSettings settings;
  settings.url = cluster.url();
  settings.token = token;
  settings.timeout = timeout;
  set_tls(cluster, settings);
  if (verbosity > 0) settings.trace = [this](std::string_view text) { note(text); };
  return std::make_unique<Client>(std::move(settings));
}

base::Result<Client*> Context::client() {
  if (client_) return client_.get();
  ASSIGN_OR_RETURN(Cluster cluster, this->cluster());
  ClientSettings settings;
  settings.url = cluster.url();
  if (settings.url.empty())
    return base::invalid(
        "the cluster has no address. Please run `dcos config set core.dcos_url <url>`");
  settings.token = cluster.token();
  settings.mesos = without_slash(cluster.settings.get("core.mesos_master_url").value_or(""));
  settings.marathon = without_slash(cluster.settings.get("marathon.url").value_or(""));
  settings.job = without_slash(cluster.settings.get("job.url").value_or(""));
  set_tls(cluster, settings);
  if (auto timeout = cluster.settings.get("core.timeout")) {
    ASSIGN_OR_RETURN(int64_t seconds, base::parse_int(*timeout));
    settings.timeout = seconds <= 0 ? base::Duration(base::hours(24 * 365))
                                    : base::Duration(base::seconds(seconds));
  }
  if (verbosity > 0) settings.trace = [this](std::string_view text) { note(text); };
  client_ = std::make_unique<Client>(std::move(settings));
  return client_.get();
}

}  // namespace cli
