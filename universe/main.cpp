// universe: the package service. Read README.md for the picture, core.cpp and api/ for the rules.

#include <csignal>
#include <cstdio>
#include <filesystem>

#include "base/environment.hpp"
#include "base/log.hpp"
#include "base/log_level.hpp"
#include "base/spdlog_sink.hpp"
#include "universe/flags.hpp"
#include "universe/shell.hpp"

namespace {

constexpr int kBadFlag = 112;
constexpr int kCannotBind = 111;
constexpr int kCannotStore = 100;

/// <build>/universe for <build>/bin/dcos-universe.
std::string default_catalog() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  return (self.parent_path().parent_path() / "universe").string();
}

}  // namespace

int main(int argc, char** argv) {
  std::string help;
  bool wants_help = false;
  auto flags = universe::Flags::parse(argc, argv, base::process_environment(), help, wants_help);
  if (wants_help) return std::puts(help.c_str()), 0;
  if (!flags) {
    std::fprintf(stderr, "dcos-universe: %s\nTry 'dcos-universe --help'.\n", flags.error().message.c_str());
    return kBadFlag;
  }
  if (flags->bundled.empty()) flags->bundled = default_catalog();
  base::log::use_spdlog();
  base::log::set_level(base::log_level_named(flags->logging_level));

  base::Loop loop;
  auto store = base::open_store(loop, flags->store_location());
  if (!store) {
    std::fprintf(stderr, "dcos-universe: %s\n", store.error().message.c_str());
    return kCannotStore;
  }
  universe::Shell shell(loop, **store, *flags);
  const auto port = shell.start();
  if (!port) {
    std::fprintf(stderr, "dcos-universe: %s\n", port.error().message.c_str());
    return kCannotBind;
  }
  LOG_INFO("listening on {}:{}, state in {}", flags->ip, *port, flags->store_location());
  for (int signal : {SIGTERM, SIGINT}) {
    loop.on_signal(signal, [&shell] { shell.drain(0); });
  }
  return loop.run();
}
