// dcos-dev: a whole cluster on this machine for development. installer/dev builds it and calls it.

#include <fmt/format.h>
#include <unistd.h>

#include <climits>
#include <cstdio>

#include "base/flags.hpp"
#include "base/version.hpp"
#include "installer/dev.hpp"
#include "installer/machine.hpp"

namespace {

constexpr char kSummary[] =
    "A cluster on this machine: master, agents, marathon and gateway.\n"
    "Commands: up (start, idempotent), down (end it and its tasks), status, logs NAME [-f], "
    "password (a "
    "new one for the first user), reset (down and forget all state).";

/// The directory of this program: the other daemons are beside it.
std::string own_directory() {
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  const std::string self(path, length > 0 ? static_cast<size_t>(length) : 0);
  return self.substr(0, self.rfind('/'));
}

}  // namespace

int main(int argc, char** argv) {
  installer::ClusterOptions options;
  options.bin_dir = own_directory();
  base::FlagTable flags("installer/dev COMMAND", kSummary, "");
  flags.add(&options.agents, "agents", "How many agents, 1 to 50.");
  flags.add(&options.root, "root", "Directory of all state, logs and sandboxes.");
  flags.add(&options.port_offset, "port-offset",
            "Added to every port (gateway 80, master 5050 and 6050, agents 5051 and up, marathon "
            "8080), so that clusters "
            "can run beside each other; use multiples of 100.");
  std::string auth = "on";
  flags.add(&auth, "auth",
            "on: the gateway wants a login; `up` shows the first user's password once. off: "
            "everybody on this machine may do everything.");
  std::string l4lb = "on";
  flags.add(&l4lb, "l4lb", "on: services have virtual addresses, by rules in this machine's kernel. off: none of it.");
  std::string networks = "on";
  flags.add(&networks, "networks",
            "on: containers may have a network of their own, by a bridge on this machine. off: the machine's network only.");
  std::string metronome = "on";
  flags.add(&metronome, "metronome", "on: beside Chronos' API there is Metronome's, by a scheduler of its own. off: it is not started.");
  std::vector<std::string> words;
  const auto read = [](const std::string&) -> base::Result<std::string> {
    return base::unsupported("no file values");
  };
  const auto parsed = flags.parse(argc, argv, {}, read, &words);
  if (flags.version_requested()) {
    fmt::print("dcos-dev {}\n", base::kVersion);
    return 0;
  }
  if (flags.help_requested() || (parsed && words.empty())) {
    fmt::print("{}", flags.help());
    return flags.help_requested() ? 0 : 2;
  }
  if (auth != "on" && auth != "off") {
    fmt::print(stderr, "--auth={}: give on or off\n", auth);
    return 2;
  }
  if (l4lb != "on" && l4lb != "off") {
    fmt::print(stderr, "--l4lb={}: give on or off\n", l4lb);
    return 2;
  }
  if (networks != "on" && networks != "off") {
    fmt::print(stderr, "--networks={}: give on or off\n", networks);
    return 2;
  }
  if (metronome != "on" && metronome != "off") {
    fmt::print(stderr, "--metronome={}: give on or off\n", metronome);
    return 2;
  }
  options.metronome = metronome == "on";
  options.networks = networks == "on";
  options.auth = auth == "on";
  options.l4lb = l4lb == "on";
  const auto plan =
      parsed ? installer::plan_cluster(options, installer::this_machine()) : parsed.error();
  if (!plan) {
    fmt::print(stderr, "{}\n", plan.error().message);
    return 2;
  }
  const std::string& command = words[0];
  if (command == "up") return installer::dev_up(*plan);
  if (command == "down") return installer::dev_down(*plan);
  if (command == "status") return installer::dev_status(*plan);
  if (command == "reset") return installer::dev_reset(*plan);
  if (command == "password") return installer::dev_password(*plan);
  if (command == "supervise") return installer::dev_supervise(*plan);
  if (command == "logs") {
    const bool follow = words.back() == "-f";
    if (words.size() != (follow ? 3u : 2u)) {
      fmt::print(stderr, "usage: installer/dev logs NAME [-f]\n");
      return 2;
    }
    return installer::dev_logs(*plan, words[1], follow);
  }
  fmt::print(stderr, "unknown command '{}': up, down, status, logs, password or reset\n", command);
  return 2;
}
