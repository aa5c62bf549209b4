// l4lb: virtual addresses for the services of a cluster. Read README.md for the picture, core.hpp for the rules.

#include <csignal>
#include <cstdio>

#include "base/environment.hpp"
#include "base/log.hpp"
#include "base/log_level.hpp"
#include "base/spdlog_sink.hpp"
#include "l4lb/dataplane/driver.hpp"
#include "l4lb/shell.hpp"

namespace {

int fail(const base::Error& error) {
  std::fprintf(stderr, "dcos-l4lb: %s\n", error.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::string help;
  bool wants_help = false;
  const auto flags = l4lb::Flags::parse(argc, argv, base::process_environment(), help, wants_help);
  if (wants_help) return std::puts(help.c_str()), 0;
  if (!flags) {
    std::fprintf(stderr, "dcos-l4lb: %s\nTry 'dcos-l4lb --help'.\n", flags.error().message.c_str());
    return 112;
  }
  base::log::use_spdlog();
  base::log::set_level(base::log_level_named(flags->logging_level));
  std::signal(SIGPIPE, SIG_IGN);
  if (flags->cleanup) {
    l4lb::DriverOptions options;
    options.nft.table = flags->table;
    options.routes.metric = flags->route_metric();
    const auto removed = l4lb::remove_dataplane(options);
    return removed ? 0 : fail(removed.error());
  }
  base::Loop loop;
  auto store = base::open_store(loop, "sqlite:" + flags->data_dir + "/l4lb.db");
  if (!store) return fail(store.error());
  l4lb::Shell shell(loop, **store, *flags);
  const auto port = shell.start();
  if (!port) return fail(port.error());
  LOG_INFO("listening on {}:{}, state in {}", flags->rest_ip, *port, flags->data_dir);
  for (int signal : {SIGTERM, SIGINT}) loop.on_signal(signal, [&shell] { shell.stop(false); });
  loop.on_signal(SIGUSR1, [&shell] { shell.stop(true); });
  return loop.run();
}
