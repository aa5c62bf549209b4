// dcos-fleet: thousands of agents for a benchmark. Each finds the leader, holds its link, registers, comes back and answers
// pings as a real one does; there are no machines behind them: a task runs as soon as it is told to, until it is killed.
//
//   dcos-fleet --master=zk://127.0.0.1:2181/mesos --agents=5000

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/flags.hpp"
#include "base/http/tls.hpp"
#include "base/log.hpp"
#include "base/loop.hpp"
#include "kernel/agent/link.hpp"
#include "tests/bench/agent_words.hpp"

namespace {

using dcos::internal::v1::AgentMessage;
using dcos::internal::v1::MasterMessage;
using mesos::v1::AgentInfo;

class FleetAgent {
 public:
  FleetAgent(base::Loop& loop, const std::string& master, base::Duration session_timeout, unsigned number)
      : link_(loop, master, session_timeout, base::http::Tls::open({}).value(), base::Random::from_os(),
              {.connected = [this] { sign_on(); },
               .received = [this](const MasterMessage& message) { on(message); },
               .disconnected = [](const std::string&) {}}) {
    info_ = bench::make_agent("fleet-" + std::to_string(number), static_cast<int>(20'000 + number), 8, 16'384);
  }

  void start() { link_.start(); }

 private:
  void sign_on() {
    AgentMessage message;
    if (info_.has_id()) {
      bench::describe(info_, *message.mutable_reregister_agent());
    } else {
      bench::describe(info_, *message.mutable_register_agent());
    }
    link_.send(std::move(message));
  }

  void on(const MasterMessage& message) {
    if (message.has_registered()) *info_.mutable_id() = message.registered().agent_id();
    if (message.has_run_task()) {
      tell(message.run_task().framework_info().id(), message.run_task().task().task_id(), mesos::v1::TASK_RUNNING);
    }
    if (message.has_kill_task()) {
      tell(message.kill_task().framework_id(), message.kill_task().task_id(), mesos::v1::TASK_KILLED);
    }
    if (message.has_refused()) LOG_ERROR("refused: {}", message.refused().message());
    if (message.has_ping()) link_.send(bench::make_pong(message.ping()));
  }

  /// News about a task. Nothing is lost on the link, and nobody here fails: it is sent once.
  void tell(const mesos::v1::FrameworkID& framework, const mesos::v1::TaskID& task, mesos::v1::TaskState state) {
    link_.send(bench::make_update(framework, info_.id(), task, state, random_.uuid_bytes()));
  }

  AgentInfo info_;
  base::Random random_ = base::Random::from_os();
  agent::Link link_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string master = "127.0.0.1:5050";
  uint64_t agents = 100;
  base::Duration session_timeout = base::seconds(10);
  base::FlagTable flags("dcos-fleet", "Many agents for a benchmark.", "");
  flags.add(&master, "master", "The master, as agents take it.");
  flags.add(&agents, "agents", "How many, at most 10,000.");
  flags.add(&session_timeout, "zk_session_timeout", "Of each agent's session with ZooKeeper.");
  const auto read = [](const std::string&) -> base::Result<std::string> { return base::unsupported("no file values"); };
  if (const auto parsed = flags.parse(argc, argv, {}, read); !parsed || agents > 10'000) {
    std::fprintf(stderr, "%s\n", parsed ? "--agents: at most 10000" : parsed.error().message.c_str());
    return 2;
  }
  base::log::set_level(base::log::Level::Warning);
  base::Loop loop;
  std::vector<std::unique_ptr<FleetAgent>> fleet;
  for (unsigned i = 0; i < agents; ++i) fleet.push_back(std::make_unique<FleetAgent>(loop, master, session_timeout, i));
  for (auto& agent : fleet) agent->start();
  loop.on_signal(SIGTERM, [] { ::_exit(0); });
  return loop.run();
}
