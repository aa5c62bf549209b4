#include "dns/flags.hpp"

#include <optional>

#include "base/strings.hpp"

namespace dns {
namespace {

constexpr const char* kDefaultFile = "config.json";

struct Given {
  std::optional<std::string> config, masters, domain, listener, http_listener, resolvers, ip_sources, l4lb, soa_mname;
  std::optional<uint16_t> port, http_port;
  std::optional<uint32_t> ttl, udp_threads, rate_limit;
  uint32_t verbose = 0;
};

void add_flags(base::FlagTable& t, Given& g, std::string& level) {
  t.section("Configuration");
  t.add(&g.config, "config", "The configuration file (default: config.json, which need not exist when --masters is given).");
  t.section("Over the configuration file");
  t.add(&g.masters, "masters", "The masters, host:port, several separated by commas.", {.aliases = {"master"}});
  t.add(&g.domain, "domain", "The domain of the cluster's names.");
  t.add(&g.listener, "listener", "The address to answer DNS on.");
  t.add(&g.port, "port", "The port to answer DNS on, UDP and TCP; 0 takes a free one.");
  t.add(&g.http_listener, "http_listener", "The address of the HTTP API.", {.aliases = {"http_address"}});
  t.add(&g.http_port, "http_port", "The port of the HTTP API; 0 takes a free one.");
  t.add(&g.resolvers, "resolvers", "Whom to ask for other names, address or address:port, separated by commas; empty: "
                                   "the machine's resolvers that are not its own.");
  t.add(&g.ip_sources, "ip_sources", "Where tasks' addresses come from, first one wins: netinfo, mesos, docker, host.");
  t.add(&g.ttl, "ttl", "Seconds for which answers may be kept.");
  t.add(&g.soa_mname, "soa_mname", "The name of this server in its own zone.");
  t.add(&g.l4lb, "l4lb", "The load balancer that tells virtual addresses: http://host:port.");
  t.add(&g.udp_threads, "udp_threads", "Threads that answer over UDP; 0: one for each processor, four at most.");
  t.add(&g.rate_limit, "rate_limit", "Queries a second that one address gets answers to; 0: no limit.");
  t.section("Log");
  t.add(&level, "logging_level", "debug, info, warning or error.");
  t.add(&g.verbose, "v", "1 and 2: more in the log, as in the original.");
}

template <class T>
void set(T& target, const std::optional<T>& given) {
  if (given) target = *given;
}

void set_list(std::vector<std::string>& target, const std::optional<std::string>& given) {
  if (!given) return;
  target.clear();
  for (const std::string_view piece : base::tokenize(*given, ',')) target.emplace_back(base::trim(piece));
}

void override(Config& c, const Given& g) {
  set_list(c.masters, g.masters);
  set(c.domain, g.domain);
  set(c.listener, g.listener);
  set(c.port, g.port);
  set(c.http_listener, g.http_listener);
  set(c.http_port, g.http_port);
  set_list(c.resolvers, g.resolvers);
  set_list(c.ip_sources, g.ip_sources);
  set(c.ttl, g.ttl);
  set(c.soa_mname, g.soa_mname);
  set(c.l4lb, g.l4lb);
  set(c.udp_threads, g.udp_threads);
  set(c.rate_limit, g.rate_limit);
}

}  // namespace

base::Result<Flags> Flags::parse(int argc, const char* const* argv, const base::FlagTable::Environment& environment,
                                 const base::FlagTable::FileReader& read, Outcome& outcome) {
  Flags flags;
  Given given;
  base::FlagTable table("dcos-dns", "Names for everything that runs in the cluster.", "MESOS_DNS_");
  add_flags(table, given, flags.logging_level);
  // The original's words: one dash, and a value that may stand alone.
  std::vector<std::string> words;
  for (int i = 0; i < argc; ++i) {
    std::string word = argv[i];
    if (i > 0 && word.size() > 1 && word[0] == '-' && word[1] != '-') word.insert(0, "-");
    const bool bare = i > 0 && word.starts_with("--") && word.find('=') == std::string::npos;
    if (bare && i + 1 < argc && argv[i + 1][0] != '-') word += "=" + std::string(argv[++i]);
    words.push_back(std::move(word));
  }
  std::vector<const char*> arguments;
  for (const std::string& word : words) arguments.push_back(word.c_str());
  const auto parsed = table.parse(static_cast<int>(arguments.size()), arguments.data(), environment, read);
  outcome = {table.help(), table.help_requested(), table.version_requested()};
  if (outcome.wants_help || outcome.wants_version) return flags;
  if (!parsed) return parsed.error();

  const std::string file = given.config.value_or(kDefaultFile);
  const auto text = read(file);
  if (!text && (given.config || !given.masters)) return text.error().with_context("--config");
  if (text && (given.config || !given.masters)) {
    auto config = Config::parse(*text);
    if (!config) return config.error().with_context(file);
    flags.config = std::move(*config);
    flags.config.file = file;
  }
  override(flags.config, given);
  if (given.verbose > 0) flags.logging_level = given.verbose > 1 ? "debug" : "info";
  const auto resolv_conf = read("/etc/resolv.conf");
  RETURN_IF_ERROR(flags.config.finish(resolv_conf.value_or("")));
  return flags;
}

}  // namespace dns
