#pragma once

// main() of a job scheduler. Exit codes as the originals': 112 flags, 111 port, 100 store; 103 is the end of a leadership.

#include <csignal>
#include <cstdio>
#include <memory>
#include <string>

#include "base/environment.hpp"
#include "base/ha/acting.hpp"
#include "base/log.hpp"
#include "base/log_level.hpp"
#include "base/spdlog_sink.hpp"
#include "base/store/store.hpp"

namespace jobs {

/// `name`: of the program, for people.
template <class Flags, class Shell>
int run_daemon(const char* name, int argc, char** argv) {
  constexpr int kBadFlag = 112, kCannotBind = 111, kCannotStore = 100;
  std::string help;
  bool wants_help = false;
  const auto flags = Flags::parse(argc, argv, base::process_environment(), help, wants_help);
  if (wants_help) return std::puts(help.c_str()), 0;
  if (!flags) {
    std::fprintf(stderr, "%s: %s\nTry '%s --help'.\n", name, flags.error().message.c_str(), name);
    return kBadFlag;
  }
  base::log::use_spdlog();
  base::log::set_level(base::log_level_named(flags->logging_level));

  base::Loop loop;
  std::unique_ptr<base::Store> store;
  if (!flags->zk) {
    auto opened = base::open_store(loop, flags->store_location());
    if (!opened) {
      std::fprintf(stderr, "%s: %s\n", name, opened.error().message.c_str());
      return kCannotStore;
    }
    store = std::move(*opened);
  }
  const auto shell = store ? std::make_unique<Shell>(loop, *store, *flags) : std::make_unique<Shell>(loop, *flags);
  const auto port = shell->start();
  if (!port) {
    std::fprintf(stderr, "%s: %s\n", name, port.error().message.c_str());
    return kCannotBind;
  }
  LOG_INFO("listening on {}:{}, state in {}", flags->http_address, *port, flags->store_location());
  for (int signal : {SIGTERM, SIGINT}) {
    loop.on_signal(signal, [&shell] { shell->drain(0); });
  }
  return base::ha::end_process(loop.run());
}

}  // namespace jobs
