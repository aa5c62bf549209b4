// marathon: keeps the apps you asked for running. Read README.md for the picture, core.cpp for the rules.

#include <csignal>
#include <cstdio>

#include "base/environment.hpp"
#include "base/ha/acting.hpp"
#include "base/log.hpp"
#include "base/log_level.hpp"
#include "base/spdlog_sink.hpp"
#include "base/store/store.hpp"
#include "marathon/backup.hpp"
#include "marathon/flags.hpp"
#include "marathon/shell.hpp"
#include "marathon/start_orders.hpp"

namespace {

constexpr int kBadFlag = 112;
constexpr int kCannotBind = 111;
constexpr int kCannotStore = 100;

}  // namespace

int main(int argc, char** argv) {
  std::string help;
  bool wants_help = false;
  const auto flags = marathon::Flags::parse(argc, argv, base::process_environment(), help, wants_help);
  if (wants_help) return std::puts(help.c_str()), 0;
  if (!flags) {
    std::fprintf(stderr, "dcos-marathon: %s\nTry 'dcos-marathon --help'.\n", flags.error().message.c_str());
    return kBadFlag;
  }
  base::log::use_spdlog();
  base::log::set_level(base::log_level_named(flags->logging_level));

  for (const std::string& name : flags->without_effect) LOG_WARNING("--{} has no effect here: nothing is sent there", name);

  base::Loop loop;
  std::unique_ptr<base::Store> store;
  if (!flags->zk) {
    auto opened = base::open_store(loop, flags->store_location());
    if (!opened) {
      std::fprintf(stderr, "dcos-marathon: %s\n", opened.error().message.c_str());
      return kCannotStore;
    }
    store = std::move(*opened);
  }
  if (store && flags->restore) {
    if (const auto restored = marathon::restore_backup(loop, *store, *flags->restore); !restored) {
      std::fprintf(stderr, "dcos-marathon: %s\n", restored.error().message.c_str());
      return kCannotStore;
    }
  }
  if (store) {
    if (const auto done = marathon::carry_out_start_orders(loop, *store); !done) {
      std::fprintf(stderr, "dcos-marathon: %s\n", done.error().message.c_str());
      return kCannotStore;
    }
  }
  auto tls = base::http::Tls::for_daemon(loop, flags->tls);
  if (!tls) {
    std::fprintf(stderr, "dcos-marathon: %s\n", tls.error().message.c_str());
    return kBadFlag;
  }
  auto made = store ? std::make_unique<marathon::Shell>(loop, *store, *flags, *tls)
                    : std::make_unique<marathon::Shell>(loop, *flags, *tls);
  marathon::Shell& shell = *made;
  const auto port = shell.start();
  if (!port) {
    std::fprintf(stderr, "dcos-marathon: %s\n", port.error().message.c_str());
    return kCannotBind;
  }
  LOG_INFO("listening on {}:{}, state in {}", flags->http_address, *port, flags->store_location());
  for (int signal : {SIGTERM, SIGINT}) {
    loop.on_signal(signal, [&shell] { shell.drain(0); });
  }
  return base::ha::end_process(loop.run());
}
