// dns: names for everything that runs. Read README.md for the picture, answer.cpp and records.cpp for the rules.

#include <malloc.h>

#include <csignal>
#include <cstdio>

#include "base/environment.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/log_level.hpp"
#include "base/spdlog_sink.hpp"
#include "base/version.hpp"
#include "dns/flags.hpp"
#include "dns/shell.hpp"

namespace {

constexpr int kBadFlag = 112;
constexpr int kCannotBind = 111;

}  // namespace

int main(int argc, char** argv) {
  dns::Flags::Outcome outcome;
  const auto flags = dns::Flags::parse(
      argc, argv, base::process_environment(), [](const std::string& path) { return base::read_file(path, 1 << 20); }, outcome);
  if (outcome.wants_help) return std::puts(outcome.help.c_str()), 0;
  if (outcome.wants_version) return std::printf("%s\n", base::kVersion), 0;
  if (!flags) {
    std::fprintf(stderr, "dcos-dns: %s\nTry 'dcos-dns --help'.\n", flags.error().message.c_str());
    return kBadFlag;
  }
  base::log::use_spdlog();
  base::log::set_level(base::log_level_named(flags->logging_level));
  // Threads that answer do not allocate: arenas of their own would only be held.
  ::mallopt(M_ARENA_MAX, 1);

  base::Loop loop;
  dns::Shell shell(loop, flags->config);
  const auto ports = shell.start();
  if (!ports) {
    std::fprintf(stderr, "dcos-dns: %s\n", ports.error().message.c_str());
    return kCannotBind;
  }
  const dns::Config& config = flags->config;
  LOG_INFO("answering for {} on {}:{}, HTTP on {}:{}", config.domain, config.listener, ports->dns, config.http_listener,
           ports->http);
  for (const int signal : {SIGTERM, SIGINT}) loop.on_signal(signal, [&loop] { loop.stop(0); });
  return loop.run();
}
