// dcos-agent: runs tasks on this machine. Read README.md for the picture, core.hpp for the rules.

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/environment.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/log_level.hpp"
#include "base/loop.hpp"
#include "base/spdlog_sink.hpp"
#include "base/version.hpp"
#include "kernel/agent/audit.hpp"
#include "kernel/agent/daemon.hpp"

namespace {

int run(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "audit") return agent::run_audit({argv + 2, argv + argc});
  agent::Flags flags;
  const auto parsed = flags.parse(argc, argv, base::process_environment(),
                                  [](const std::string& path) { return base::read_file(path, 16 << 20); });
  if (flags.help_requested()) {
    fputs(flags.help().c_str(), stdout);
    return 0;
  }
  if (flags.version_requested()) {
    printf("mesos %s\n", base::kMesosVersion);
    return 0;
  }
  if (!parsed) {
    fprintf(stderr, "%s\n(see dcos-agent --help)\n", parsed.error().message.c_str());
    return 1;
  }
  base::log::use_spdlog();
  base::log::set_level(base::log_level_named(flags.logging_level));
  signal(SIGPIPE, SIG_IGN);
  base::Loop loop;
  const auto daemon = agent::Daemon::start(loop, flags);
  if (!daemon) {
    LOG_ERROR("{}", daemon.error().message);
    return 1;
  }
  loop.on_signal(SIGTERM, [&loop] { loop.stop(0); });  // tasks go on without us
  loop.on_signal(SIGINT, [&loop] { loop.stop(0); });
  loop.on_signal(SIGUSR1, [&daemon] { (*daemon)->leave(); });
  return loop.run();
}

}  // namespace

int main(int argc, char** argv) {
  const int code = run(argc, argv);
  // Threads of gRPC may still be ending a call: static destructors must not run under them.
  fflush(nullptr);
  _exit(code);
}
