// metronome: runs jobs when their time has come. Read README.md for the picture, core.cpp for the rules.

#include <csignal>
#include <cstdio>

#include "base/environment.hpp"
#include "base/ha/acting.hpp"
#include "base/log.hpp"
#include "base/log_level.hpp"
#include "base/spdlog_sink.hpp"
#include "base/store/store.hpp"
#include "metronome/flags.hpp"
#include "metronome/shell.hpp"

namespace {

constexpr int kBadFlag = 112;
constexpr int kCannotBind = 111;
constexpr int kCannotStore = 100;

}  // namespace

int main(int argc, char** argv) {
  std::string help;
  bool wants_help = false;
  const auto flags = metronome::Flags::parse(argc, argv, base::process_environment(), help, wants_help);
  if (wants_help) return std::puts(help.c_str()), 0;
  if (!flags) {
    std::fprintf(stderr, "dcos-metronome: %s\nTry 'dcos-metronome --help'.\n", flags.error().message.c_str());
    return kBadFlag;
  }
  base::log::use_spdlog();
  base::log::set_level(base::log_level_named(flags->logging_level));

  base::Loop loop;
  std::unique_ptr<base::Store> store;
  if (!flags->zk) {
    auto opened = base::open_store(loop, flags->store_location());
    if (!opened) {
      std::fprintf(stderr, "dcos-metronome: %s\n", opened.error().message.c_str());
      return kCannotStore;
    }
    store = std::move(*opened);
  }
  auto made = store ? std::make_unique<metronome::Shell>(loop, *store, *flags)
                    : std::make_unique<metronome::Shell>(loop, *flags);
  metronome::Shell& shell = *made;
  const auto port = shell.start();
  if (!port) {
    std::fprintf(stderr, "dcos-metronome: %s\n", port.error().message.c_str());
    return kCannotBind;
  }
  LOG_INFO("listening on {}:{}, state in {}", flags->http_address, *port, flags->store_location());
  for (int signal : {SIGTERM, SIGINT}) {
    loop.on_signal(signal, [&shell] { shell.drain(0); });
  }
  return base::ha::end_process(loop.run());
}
