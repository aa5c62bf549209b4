// The master as a process of its own under the load of a large cluster, all on this machine: simulated agents on the real
// link, a scheduler over HTTP, readers. What the load itself costs is kept small and apart: figures of processor time and
// memory are the master's alone.

#include <fmt/core.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/check.hpp"
#include "base/testing/bench.hpp"
#include "base/zk/testing.hpp"
#include "tests/bench/swarm/fleet.hpp"
#include "tests/bench/swarm/http.hpp"
#include "tests/bench/swarm/master_process.hpp"
#include "tests/bench/swarm/scheduler.hpp"

namespace {

using base::testing::Bench;
using swarm::Fleet;
using swarm::MasterProcess;
using swarm::Scheduler;
using swarm::Sockets;

constexpr base::Duration kGuard = base::minutes(10);  // against hanging; no bound on a result

void require(bool done, const char* what) {
  if (done) return;
  fmt::print(stderr, "master_bench: never came: {}\n", what);
  std::_Exit(1);
}

double quantile(std::vector<double> samples, double part) {
  std::sort(samples.begin(), samples.end());
  return samples[std::min(samples.size() - 1, static_cast<size_t>(part * static_cast<double>(samples.size())))];
}

/// A master with agents and a scheduler; tasks run when asked for.
struct Cluster {
  Cluster(Sockets& turns, Fleet::Options agents, Scheduler::Options scheduling, std::vector<std::string> flags = {})
      : sockets(turns), master(std::move(flags)), fleet(turns, agents), scheduler(turns, master.port(), scheduling) {
    scheduler.subscribe();
    require(sockets.run_until([&] { return scheduler.subscribed(); }, kGuard), "the scheduler's subscription");
    fleet.start(master.port());
    require(sockets.run_until([&] { return fleet.registered() == agents.agents; }, kGuard), "every agent's registration");
  }

  /// Launches up to so many in all and waits until they run.
  void run_tasks(uint64_t tasks) {
    const uint64_t before = scheduler.launched();
    scheduler.set_tasks(tasks);
    scheduler.revive();
    const bool all = sockets.run_until([&] { return scheduler.running() + scheduler.refused() >= tasks; }, kGuard);
    if (scheduler.refused() > 0) fmt::print(stderr, "master_bench: refused: {}\n", scheduler.last_refusal());
    require(all && scheduler.refused() == 0, "every task's TASK_RUNNING");
    require(scheduler.launched() - before == tasks - before, "every launch");
  }

  Sockets& sockets;
  MasterProcess master;
  Fleet fleet;
  Scheduler scheduler;
};

std::map<std::string, std::string> words(std::initializer_list<std::pair<const char*, uint64_t>> numbers) {
  std::map<std::string, std::string> out;
  for (const auto& [name, number] : numbers) out[name] = std::to_string(number);
  return out;
}

/// An agent tells that a task ended; until the scheduler has the offer of what it held.
void freed_to_wire(Bench& bench) {
  const size_t agents = bench.small() ? 20 : 1'000, samples = bench.small() ? 10 : 300;
  Sockets sockets;
  Cluster cluster(sockets, {.agents = agents, .cpus = 1}, {.cpus = 1});
  cluster.run_tasks(agents);
  std::vector<double> times;
  for (size_t i = 0; i < samples; ++i) {
    const uint64_t before = cluster.scheduler.offers();
    CHECK(cluster.fleet.finish_one(i));
    require(sockets.run_until([&] { return cluster.scheduler.offers() > before; }, kGuard), "an offer");
    times.push_back(1e3 * std::chrono::duration<double>(cluster.scheduler.offered_at() - cluster.fleet.finish_sent()).count());
  }
  bench.report("master/freed-to-wire", words({{"agents", agents}}), "ms", times);
}

/// kill -9 and a new process on the same registry: from its start to every agent's confirmation.
void reregister(Bench& bench, size_t agents, size_t tasks_each) {
  Sockets sockets;
  Cluster cluster(sockets, {.agents = agents}, {.cpus = 1, .mem_mb = 32, .per_offer = tasks_each});
  if (tasks_each > 0) cluster.run_tasks(agents * tasks_each);
  // A ping tells every agent the size of the cluster. It comes by itself every 15 s.
  sockets.run_until([] { return false; }, bench.small() ? base::milliseconds(100) : base::seconds(16));
  std::vector<double> all, first, cpu;
  for (int run = 0; run < (bench.small() ? 1 : 3); ++run) {
    cluster.master.stop(SIGKILL);
    require(sockets.run_until([&] { return cluster.fleet.registered() == 0; }, kGuard), "the loss of every link");
    const base::Instant start = swarm::now();
    cluster.master.start();
    double offered = 0;
    const auto done = [&] {
      if (offered == 0 && cluster.scheduler.offers() > 0) offered = swarm::seconds_since(start);
      return cluster.fleet.registered() == agents && offered > 0;
    };
    require(sockets.run_until(done, kGuard), "every agent's return");
    all.push_back(swarm::seconds_since(start));
    first.push_back(offered);
    cpu.push_back(cluster.master.cpu_seconds());
  }
  const auto with = [&](const char* what) {
    auto parameters = words({{"agents", agents}, {"tasks", agents * tasks_each}});
    parameters["to"] = what;
    return parameters;
  };
  const std::string name = "master/reregister-10000";
  bench.report(name, with("every agent back"), "s", all);
  bench.report(name, with("first offers"), "s", first);
  bench.report(name, with("the new master's processor time"), "s", cpu);
}

/// The same in ZooKeeper, without tasks; the old leader gives up its session, so that the election costs nothing.
void registry(Bench& bench, size_t descriptors) {
  if (!base::zk::testing::TestServer::available()) {
    fmt::print(stderr, "master/registry-20000: the package zookeeper is not installed\n");
    return;
  }
  // Each connected agent is a descriptor of the master; some are for others. Those beyond register, and go.
  const size_t admitted = bench.small() ? 60 : 20'000;
  const size_t agents = bench.small() ? 50 : std::min(admitted, descriptors - 1'500);
  const auto server = base::zk::testing::TestServer::start(base::seconds(2)).value();
  Sockets sockets;
  const base::Instant begun = swarm::now();
  Cluster cluster(sockets, {.agents = agents}, {}, {"--zk=zk://" + server->address() + "/mesos"});
  for (size_t first = agents; first < admitted; first += 500) {
    const size_t count = std::min<size_t>(500, admitted - first);
    Fleet away(sockets, {.agents = count, .first = first});
    away.start(cluster.master.port());
    require(sockets.run_until([&] { return away.registered() == count; }, kGuard), "every agent's registration");
  }
  const double registering = swarm::seconds_since(begun);
  std::vector<double> serving, all, cpu;
  for (int run = 0; run < (bench.small() ? 1 : 3); ++run) {
    cluster.master.stop(SIGTERM);
    require(sockets.run_until([&] { return cluster.fleet.registered() == 0; }, kGuard), "the loss of every link");
    const base::Instant start = swarm::now();
    cluster.master.start();
    double served = 0;
    base::Instant next_look = start;
    const auto done = [&] {
      if (served == 0 && swarm::now() >= next_look) {
        next_look = swarm::now() + base::milliseconds(20);
        if (cluster.master.serves()) served = swarm::seconds_since(start);
      }
      return served > 0 && cluster.fleet.registered() == agents;
    };
    require(sockets.run_until(done, kGuard), "every agent's return");
    serving.push_back(served);
    all.push_back(swarm::seconds_since(start));
    cpu.push_back(cluster.master.cpu_seconds());
  }
  const auto with = [&](const char* what) {
    auto parameters = words({{"agents", admitted}, {"connected", agents}, {"zookeeper", 1}});
    parameters["what"] = what;
    return parameters;
  };
  bench.report("master/registry-20000", with("registering all"), "s", {registering});
  bench.report("master/registry-20000", with("start of a leader to serving"), "s", serving);
  bench.report("master/registry-20000", with("start of a leader to every connected agent back"), "s", all);
  bench.report("master/registry-20000", with("the new leader's processor time"), "s", cpu);
}

/// Short tasks, one after the other: launched, running, finished, both updates acknowledged.
void http_tasks(Bench& bench) {
  const size_t agents = bench.small() ? 10 : 100;
  const uint64_t tasks = bench.small() ? 500 : 50'000;
  Sockets sockets;
  Cluster cluster(sockets, {.agents = agents, .finish = true}, {});
  std::vector<double> rates, cpu;
  for (int run = 0; run < (bench.small() ? 1 : 3); ++run) {
    const uint64_t until = cluster.fleet.finished() + tasks;
    const double cpu_before = cluster.master.cpu_seconds();
    const base::Instant start = swarm::now();
    cluster.scheduler.set_tasks(cluster.scheduler.launched() + tasks);
    cluster.scheduler.revive();
    require(sockets.run_until([&] { return cluster.fleet.finished() >= until; }, kGuard), "every task's end");
    rates.push_back(static_cast<double>(tasks) / swarm::seconds_since(start));
    cpu.push_back(1e6 * (cluster.master.cpu_seconds() - cpu_before) / static_cast<double>(tasks));
    CHECK(cluster.scheduler.refused() == 0U);
  }
  bench.report("master/http-tasks", words({{"agents", agents}, {"tasks", tasks}}), "1/s", rates);
  auto parameters = words({{"agents", agents}, {"tasks", tasks}});
  parameters["what"] = "the master's processor time for a task";
  bench.report("master/http-tasks", parameters, "us", cpu);
}

/// Calls of a scheduler at a steady pace from a thread of their own: how long each waits for its answer.
std::vector<double> probe(uint16_t port, const std::atomic<bool>& stop) {
  Sockets sockets;
  Scheduler scheduler(sockets, port, {});
  scheduler.subscribe();
  require(sockets.run_until([&] { return scheduler.subscribed(); }, kGuard), "the second scheduler's subscription");
  sockets.run_until([] { return false; }, base::milliseconds(500));  // its first offers are there
  std::vector<double> times;
  do {
    bool answered = false;
    const base::Instant start = swarm::now();
    scheduler.probe([&] { answered = true; });
    require(sockets.run_until([&] { return answered; }, kGuard), "an answer to a call");
    times.push_back(1e3 * swarm::seconds_since(start));
    sockets.run_until([&] { return swarm::seconds_since(start) > 0.002; }, base::milliseconds(2));
  } while (!stop);
  return times;
}

void state(Bench& bench) {
  const size_t agents = bench.small() ? 20 : 1'000, tasks = 10 * agents, readers = 10;
  const int rounds = bench.small() ? 2 : 40;
  Sockets sockets;
  Cluster cluster(sockets, {.agents = agents}, {.per_offer = 10});
  cluster.run_tasks(tasks);
  // What takes in megabytes of answers here would, with two processors, stand in the way of what is measured.
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 10);
  struct Reading {
    const char* what;
    const char* method;
    const char* target;
    const char* fields;
    const char* body;
  };
  const Reading readings[] = {
      {"nothing", "", "", "", ""},
      {"/state", "GET", "/state", "", ""},
      {"GET_STATE in JSON", "POST", "/api/v1", "Content-Type: application/json\r\nAccept: application/json\r\n", R"({"type":"GET_STATE"})"},
      {"GET_STATE in protobuf", "POST", "/api/v1", "Content-Type: application/json\r\nAccept: application/x-protobuf\r\n",
       R"({"type":"GET_STATE"})"},
  };
  for (const Reading& reading : readings) {
    std::atomic<bool> stop{false};
    std::vector<double> delays, times;
    std::thread caller([&] {
      setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 0);
      delays = probe(cluster.master.port(), stop);
    });
    sockets.run_until([] { return false; }, base::milliseconds(bench.small() ? 0 : 1'000));
    size_t bytes = 0;
    std::vector<std::unique_ptr<swarm::Http>> connections;
    for (size_t i = 0; i < readers; ++i) connections.push_back(std::make_unique<swarm::Http>(sockets, cluster.master.port()));
    for (int round = 0; round < rounds; ++round) {
      const base::Instant start = swarm::now();
      size_t left = *reading.method ? readers : 0;
      for (size_t i = 0; i < left; ++i) {
        connections[i]->request(reading.method, reading.target, reading.fields, reading.body, [&](const swarm::Answer& answer) {
          if (answer.status != 200) fmt::print(stderr, "master_bench: {} is answered by {} {}\n", reading.what, answer.status, answer.body);
          CHECK(answer.status == 200);
          bytes = answer.body.size();
          times.push_back(1e3 * swarm::seconds_since(start));
          --left;
        });
      }
      require(sockets.run_until([&] { return left == 0; }, kGuard), "ten answers");
      sockets.run_until([] { return false; }, base::milliseconds(50));
    }
    stop = true;
    caller.join();
    auto parameters = words({{"agents", agents}, {"tasks", tasks}, {"readers", readers}});
    parameters["what"] = reading.what;
    if (!times.empty()) {
      parameters["bytes"] = std::to_string(bytes);
      bench.report("master/state", parameters, "ms", times);
    }
    parameters["what"] = std::string("a scheduler's call meanwhile; read: ") + reading.what;
    bench.report("master/state", parameters, "ms", delays);
    parameters["what"] = std::string("a scheduler's call meanwhile, p99; read: ") + reading.what;
    bench.report("master/state", parameters, "ms", {quantile(delays, 0.99)});
  }
}

void rss(Bench& bench) {
  const size_t agents = bench.small() ? 50 : 2'000, each = 10, tasks = agents * each;
  Sockets sockets;
  // The history is as long as what is measured.
  MasterProcess idle;
  const double alone = idle.resident_kib();
  idle.stop(SIGKILL);
  Scheduler::Options scheduling{.cpus = 1, .mem_mb = 32, .per_offer = each};
  Fleet::Options agent_options{.agents = agents, .cpus = static_cast<double>(each)};
  Cluster cluster(sockets, agent_options, scheduling, {"--max_completed_tasks_per_framework=" + std::to_string(2 * tasks)});
  const double connected = cluster.master.resident_kib();
  cluster.run_tasks(tasks);
  const double running = cluster.master.resident_kib();
  const auto finish_all = [&](uint64_t all) {
    for (size_t agent = 0; agent < agents; ++agent) {
      for (size_t i = 0; i < each; ++i) CHECK(cluster.fleet.finish_one(agent));
    }
    require(sockets.run_until([&] { return cluster.fleet.finished() == all; }, kGuard), "every task's end");
  };
  finish_all(tasks);
  const double completed_once = cluster.master.resident_kib();
  // Again: the running ones now use the memory that the first have left, so that the history alone grows.
  cluster.run_tasks(2 * tasks);
  finish_all(2 * tasks);
  const double completed_twice = cluster.master.resident_kib();
  const auto with = [&](const char* what) {
    auto parameters = words({{"agents", agents}, {"tasks", tasks}});
    parameters["what"] = what;
    return parameters;
  };
  const auto n = static_cast<double>(agents), t = static_cast<double>(tasks);
  bench.report("master/rss", with("idle"), "MiB", {alone / 1024});
  bench.report("master/rss", with("of a connected agent"), "KiB", {(connected - alone) / n});
  bench.report("master/rss", with("of a running task"), "KiB", {(running - connected) / t});
  bench.report("master/rss", with("of a completed task that is kept"), "KiB", {(completed_twice - completed_once) / t});
}

/// One operator stream: counts its records without looking into them.
class Subscriber {
 public:
  Subscriber(Sockets& sockets, uint16_t port) : http_(sockets, port) {
    http_.stream("POST", "/api/v1", "Content-Type: application/json\r\nAccept: application/x-protobuf\r\n", R"({"type":"SUBSCRIBE"})",
                 {.on_head = [](const swarm::Answer& head) { CHECK(head.status == 200); },
                  .on_data = [this](std::string_view data) { count(data); },
                  .on_end = [this] { ended_ = true; }});
  }

  uint64_t records() const { return records_; }
  bool ended() const { return ended_; }
  void hang() { http_.stop_reading(); }

 private:
  void count(std::string_view data) {
    while (!data.empty()) {
      if (left_ > 0) {
        const size_t here = std::min(left_, data.size());
        left_ -= here;
        data.remove_prefix(here);
        if (left_ == 0) ++records_;
        continue;
      }
      if (data.front() == '\n') {
        left_ = std::exchange(size_, 0);
      } else {
        size_ = size_ * 10 + static_cast<size_t>(data.front() - '0');
      }
      data.remove_prefix(1);
    }
  }

  swarm::Http http_;
  uint64_t records_ = 0;
  size_t left_ = 0, size_ = 0;
  bool ended_ = false;
};

void subscribers(Bench& bench) {
  const size_t streams = bench.small() ? 20 : 1'000;
  const uint64_t events_per_second = 1'000, seconds = bench.small() ? 1 : 10;
  const uint64_t tasks = events_per_second * seconds;
  Sockets sockets;
  Cluster cluster(sockets, {.agents = 100, .cpus = static_cast<double>(tasks / 100)}, {.cpus = 1, .mem_mb = 1, .per_offer = tasks / 100},
                  {"--max_operator_event_stream_subscribers=" + std::to_string(streams + 1)});
  cluster.run_tasks(tasks);
  std::vector<std::unique_ptr<Subscriber>> readers;
  for (size_t i = 0; i <= streams; ++i) readers.push_back(std::make_unique<Subscriber>(sockets, cluster.master.port()));
  const auto slowest = [&] {
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < streams; ++i) least = std::min(least, readers[i]->records());
    return least;
  };
  // The picture, and the first sign of life.
  require(sockets.run_until([&] { return slowest() >= 2; }, kGuard), "every stream's picture");
  readers.back()->hang();
  const double before_kib = cluster.master.resident_kib(), before_cpu = cluster.master.cpu_seconds();
  std::vector<uint64_t> base_counts;
  for (const auto& reader : readers) base_counts.push_back(reader->records());
  const auto behind = [&](uint64_t told) {  // the stream that has the fewest of them
    uint64_t most = 0;
    for (size_t i = 0; i < streams; ++i) {
      const uint64_t had = readers[i]->records() - base_counts[i];
      most = std::max(most, told > had ? told - had : 0);
    }
    return most;
  };
  // One task ends at a time: one event each. When each was told, to see how old the oldest missing one is.
  std::vector<base::Instant> told;
  std::vector<double> lags;
  const base::Instant start = swarm::now();
  double most_kib = 0;
  uint64_t looked = 0;
  const auto look = [&] {
    const uint64_t missing = behind(told.size());
    lags.push_back(missing == 0 ? 0 : 1e3 * swarm::seconds_since(told[told.size() - missing]));
    if (++looked % 50 == 0) most_kib = std::max(most_kib, cluster.master.resident_kib());
  };
  base::Instant next_look = start;
  while (told.size() < tasks) {
    const auto due = static_cast<uint64_t>(static_cast<double>(events_per_second) * swarm::seconds_since(start));
    while (told.size() < std::min(due, tasks)) {
      CHECK(cluster.fleet.finish_one(told.size() % 100));
      told.push_back(swarm::now());
    }
    sockets.poll(base::milliseconds(1));
    if (swarm::now() < next_look) continue;
    look();
    next_look = swarm::now() + base::milliseconds(10);
  }
  const double wall = swarm::seconds_since(start), cpu = cluster.master.cpu_seconds() - before_cpu;
  const base::Instant ended = swarm::now();
  require(sockets.run_until([&] { return behind(tasks) == 0; }, kGuard), "every event on every stream");
  lags.push_back(1e3 * swarm::seconds_since(ended));
  auto parameters = words({{"streams", streams}, {"events_per_second", events_per_second}, {"seconds", seconds}});
  const auto with = [&](const char* what) {
    parameters["what"] = what;
    return parameters;
  };
  bench.report("master/subscribers", with("age of the oldest event that any stream lacks"), "ms", lags);
  bench.report("master/subscribers", with("the same, worst moment"), "ms", {quantile(lags, 1)});
  bench.report("master/subscribers", with("the master's processor time"), "cores", {cpu / wall});
  bench.report("master/subscribers", with("what the master grew by, with one reader that hangs"), "MiB",
               {(std::max(most_kib, cluster.master.resident_kib()) - before_kib) / 1024});
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench(argc, argv);
  ::signal(SIGPIPE, SIG_IGN);
  const size_t descriptors = swarm::raise_descriptor_limit();
  if (bench.wants("master/freed-to-wire")) freed_to_wire(bench);
  if (bench.wants("master/reregister-10000")) reregister(bench, bench.small() ? 50 : 10'000, 10);
  if (bench.wants("master/http-tasks")) http_tasks(bench);
  if (bench.wants("master/state")) state(bench);
  if (bench.wants("master/rss")) rss(bench);
  if (bench.wants("master/subscribers")) subscribers(bench);
  if (bench.wants("master/registry-20000")) registry(bench, descriptors);
  return 0;
}
