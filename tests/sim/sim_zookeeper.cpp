#include "tests/sim/sim_zookeeper.hpp"

#include "kernel/api/master_info.hpp"

namespace sim {

namespace {

/// The world cannot take back what is scheduled; what was cancelled does nothing.
struct Timers {
  uint64_t next = 1;
  std::set<uint64_t> waiting{};
};

template <class Schedule>
base::zk::FakeZooKeeper::Place make_place(World& world, Schedule schedule) {
  auto timers = std::make_shared<Timers>();
  base::zk::FakeZooKeeper::Place place;
  place.now = [&world] { return world.now().instant; };
  place.after = [timers, schedule](base::Duration delay, std::function<void()> call) {
    const uint64_t id = timers->next++;
    timers->waiting.insert(id);
    schedule(delay, [timers, id, call = std::move(call)] {
      if (timers->waiting.erase(id) > 0) call();
    });
    return id;
  };
  place.cancel = [timers](uint64_t id) { timers->waiting.erase(id); };
  return place;
}

}  // namespace

SimZooKeeper::SimZooKeeper(Context& context)
    : context_(context), fake_(server_place(), [&context] {
        return base::microseconds(200) + context.world.random().jitter(base::milliseconds(3));
      }) {}

base::zk::FakeZooKeeper::Place SimZooKeeper::server_place() {
  World& world = context_.world;
  return make_place(world, [&world](base::Duration delay, std::function<void()> call) {
    world.after(delay, std::move(call));
  });
}

base::zk::Host SimZooKeeper::host(Process& process) {
  World& world = context_.world;
  return fake_.host(process.name,
                    make_place(world, [&world, &process](base::Duration delay, std::function<void()> call) {
                      world.after(process, delay, std::move(call));
                    }));
}

void SimZooKeeper::cut(const std::string& process, base::Duration duration) {
  const base::Instant until = context_.world.now().instant + duration;
  base::Instant& known = cut_until_[process];
  known = std::max(known, until);
  fake_.cut(process);
  context_.world.after(duration, [this, process] {
    if (context_.world.now().instant >= cut_until_[process]) fake_.mend(process);
  });
}

void SimZooKeeper::freeze(Process& process, base::Duration duration) {
  if (!process.alive) return;
  context_.world.trace(process.name, "stands still");
  process.frozen_until = context_.world.now().instant + duration;
  cut(process.name, duration);
}

void SimZooKeeper::mend_all() {
  for (auto& [process, until] : cut_until_) {
    until = {};
    fake_.mend(process);
  }
}

SimDetector::SimDetector(SimZooKeeper& zookeeper, Process& process, std::vector<SimMaster*> masters,
                         std::function<void()> changed)
    : masters_(std::move(masters)) {
  process.before_boot = [this, &zookeeper, &process, changed = std::move(changed)] {
    base::zk::Elector::Options options;
    options.path = "/mesos";
    base::zk::Elector::Callbacks callbacks;
    callbacks.on_leader = [this, changed](const std::optional<base::zk::Leader>& leader) {
      if (!leader) return;  // who is known goes on
      const auto info = api::parse_master_info(leader->label, leader->data);
      if (!info) return;
      for (SimMaster* master : masters_) {
        if (master->name == info->hostname()) leader_ = master;
      }
      changed();
    };
    elector_ = std::make_unique<base::zk::Elector>(zookeeper.host(process), options, callbacks);
    elector_->start();
  };
  process.before_crash = [this, &zookeeper, &process] {
    zookeeper.fake().crash(process.name);
    elector_.reset();
    leader_ = nullptr;
  };
}

}  // namespace sim
