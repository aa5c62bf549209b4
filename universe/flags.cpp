#include "universe/flags.hpp"

#include "base/file.hpp"

namespace universe {

base::Result<base::http::Url> parse_address(const std::string& flag, const std::string& text) {
  const bool has_port = text.rfind(':') != std::string::npos && !text.ends_with(':');
  auto url = base::http::Url::parse("http://" + text);
  if (!url || !has_port || url->target != "/") return base::invalid("--" + flag + "=" + text + ": write host:port");
  return url;
}

base::Result<Flags> Flags::parse(int argc, const char* const* argv, const base::FlagTable::Environment& environment,
                                 std::string& help, bool& wants_help) {
  Flags f;
  base::FlagTable t("dcos-universe", "Finds, installs and removes packages: the package service of the cluster.",
                    "UNIVERSE_");
  t.section("Network");
  t.add(&f.ip, "ip", "The address to listen on.");
  t.add(&f.port, "port", "The port to listen on; 0 takes a free one.");
  t.add(&f.marathon, "marathon", "Marathon, as host:port.");
  t.add(&f.master, "master", "The master, as host:port.");
  t.section("Repositories");
  t.add(&f.bundled, "bundled", "Directory of the bundled catalog. Empty: ../universe beside this program.");
  t.add(&f.refresh_interval, "refresh_interval", "So long after it was read a repository is asked for news.");
  t.add(&f.fetch_timeout, "fetch_timeout", "A repository that takes longer has failed; the last copy stays in use.");
  t.add(&f.max_repository_bytes, "max_repository_bytes", "A larger index is refused.");
  t.section("State");
  t.add(&f.data_dir, "data_dir", "The directory of the store and of the copies of repositories.");
  t.add(&f.store, "store", "Where state is kept: sqlite:/path/file.db or memory: (default: sqlite in data_dir).");
  t.section("Log");
  t.add(&f.logging_level, "logging_level", "debug, info, warn or error.");
  const auto parsed = t.parse(argc, argv, environment, [](const std::string& path) { return base::read_file(path); });
  help = t.help();
  wants_help = t.help_requested();
  if (wants_help) return f;
  if (!parsed) return parsed.error();
  for (const auto& [flag, text] : {std::pair{"marathon", f.marathon}, std::pair{"master", f.master}}) {
    if (auto url = parse_address(flag, text); !url) return url.error();
  }
  if (f.refresh_interval < base::seconds(1)) return base::invalid("--refresh_interval must be at least 1secs");
  if (f.fetch_timeout < base::milliseconds(100)) return base::invalid("--fetch_timeout must be at least 100ms");
  return f;
}

Policy Flags::policy() const {
  Policy policy;
  policy.first_repositories = {{"Universe", "bundled://universe"}};
  policy.refresh = refresh_interval;
  policy.last_retry = std::max(policy.first_retry, refresh_interval);
  return policy;
}

}  // namespace universe
