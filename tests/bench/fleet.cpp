// dcos-fleet: thousands of agents for a benchmark. Each finds the leader by a session of its own with ZooKeeper, registers,
// comes back and answers pings as a real one does; there are no machines behind them: a task runs as soon as it is told to,
// until it is killed. Their links cost this process little (tests/bench/swarm): real agents have processors of their own.
//
//   dcos-fleet --master=zk://127.0.0.1:2181/mesos --agents=5000

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/flags.hpp"
#include "base/log.hpp"
#include "base/loop.hpp"
#include "kernel/client/detector.hpp"
#include "tests/bench/swarm/fleet.hpp"

int main(int argc, char** argv) {
  std::string master = "127.0.0.1:5050";
  uint64_t agents = 100;
  base::Duration session_timeout = base::seconds(10);
  base::FlagTable flags("dcos-fleet", "Many agents for a benchmark.", "");
  flags.add(&master, "master", "The master: ip:port, or zk://host:port,.../path.");
  flags.add(&agents, "agents", "How many, at most 10,000.");
  flags.add(&session_timeout, "zk_session_timeout", "Of each agent's session with ZooKeeper.");
  const auto read = [](const std::string&) -> base::Result<std::string> { return base::unsupported("no file values"); };
  if (const auto parsed = flags.parse(argc, argv, {}, read); !parsed || agents > 10'000) {
    std::fprintf(stderr, "%s\n", parsed ? "--agents: at most 10000" : parsed.error().message.c_str());
    return 2;
  }
  base::log::set_level(base::log::Level::Warning);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);

  base::Loop loop;
  swarm::Sockets sockets;
  swarm::Fleet fleet(sockets, {.agents = agents, .cpus = 8, .mem_mb = 16'384});
  std::vector<std::unique_ptr<client::Detector>> detectors;
  if (master.starts_with("zk://")) {
    const auto url = base::zk::parse_url(master);
    if (!url) {
      std::fprintf(stderr, "--master: %s\n", url.error().message.c_str());
      return 2;
    }
    for (size_t i = 0; i < agents; ++i) {
      const auto follow = [&fleet, i](const std::optional<std::string>& leader) {
        if (leader) fleet.follow(i, swarm::Endpoint::parse(*leader));
      };
      detectors.push_back(std::make_unique<client::Detector>(loop, *url, follow, session_timeout));
      detectors.back()->start();
    }
  } else {
    fleet.start(swarm::Endpoint::parse(master));
  }
  loop.every(base::milliseconds(1), [&sockets] { sockets.poll(base::Duration(0)); });
  loop.on_signal(SIGTERM, [] { ::_exit(0); });
  return loop.run();
}
