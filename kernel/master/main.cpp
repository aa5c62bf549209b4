// dcos-master: leads a cluster. Read README.md for the picture, core.hpp for the rules.

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "base/environment.hpp"
#include "base/log.hpp"
#include "base/log_level.hpp"
#include "base/loop.hpp"
#include "base/spdlog_sink.hpp"
#include "base/store/store.hpp"
#include "base/version.hpp"
#include "kernel/master/flags.hpp"
#include "kernel/master/shell.hpp"

namespace {

int fail(const std::string& message) {
  std::fprintf(stderr, "dcos-master: %s\n", message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  master::Flags flags;
  if (auto parsed = flags.parse(argc, argv, base::process_environment()); !parsed) {
    return fail(parsed.error().message + "\nSee dcos-master --help.");
  }
  if (flags.table.help_requested()) return std::fputs(flags.table.help().c_str(), stdout) < 0;
  if (flags.table.version_requested()) return std::printf("mesos %s (dcos %s)\n", base::kMesosVersion, base::kVersion) < 0;
  base::log::use_spdlog();
  base::log::set_level(flags.quiet ? base::log::Level::Error : base::log_level_named(flags.logging_level));
  std::signal(SIGPIPE, SIG_IGN);

  base::Loop loop;
  std::unique_ptr<base::Store> store;
  if (!flags.in_memory() && !flags.zk) {
    auto opened = base::open_store(loop, "sqlite:" + *flags.work_dir + "/registry.db");
    if (!opened) return fail("the registry cannot be opened: " + opened.error().message);
    store = std::move(*opened);
  }
  master::Shell shell(loop, flags, std::move(store));
  if (auto started = shell.start(); !started) return fail(started.error().message);

  const auto stop = [&loop, &shell] {
    LOG_INFO("asked to stop");
    shell.drain([&loop] { loop.stop(0); });
  };
  loop.on_signal(SIGTERM, stop);
  loop.on_signal(SIGINT, stop);
  const int code = loop.run();
  if (code == 0) return 0;
  // The leadership is lost: nobody waits for connections of that time to come to their end.
  std::fflush(nullptr);
  _exit(code);
}
