#include "tests/sim/ha_master.hpp"

namespace sim {

HaMaster::HaMaster(Context& context, std::string process_name, master::Policy policy, SimZooKeeper& zookeeper)
    : SimMaster(context, std::move(process_name), std::move(policy)), zookeeper_(zookeeper) {}

void HaMaster::on_boot() {
  make_core();
  leading_ = told_recovered_ = false;
  master::Leadership::Options options;
  options.url.servers = "simulated";
  options.url.path = "/mesos";
  master::Leadership::Callbacks callbacks;
  callbacks.on_leading = [this](std::unique_ptr<base::Store> registry) {
    context_.world.trace(name, "leads");
    ++elections_;
    registry_ = std::move(registry);
    leading_ = true;
    master::Recovered recovered;
    const auto entries = registry_->scan("").value();
    for (const auto& entry : entries) recovered.entries.push_back({entry.key, entry.value});
    handle(std::move(recovered));
  };
  callbacks.on_lost = [this](const std::string& why) { end(why); };
  leadership_ = std::make_unique<master::Leadership>(zookeeper_.host(*this), options, core().state().master, callbacks);
  leadership_->start();
}

void HaMaster::on_crash() {
  zookeeper_.fake().crash(name);
  leading_ = false;
  registry_.reset();
  leadership_.reset();
  SimMaster::on_crash();
}

/// Nothing more is done; the process ends when the call stack has left it, and its supervisor boots it again.
void HaMaster::end(const std::string& why) {
  if (dead_) return;
  context_.world.trace(name, "ends: " + why);
  dead_ = true;
  leading_ = false;
  context_.world.after(*this, base::Duration::zero(), [this] { crash(); });
}

void HaMaster::handle(master::Event event) {
  if (!leading_ || dead_) return;
  if (!leadership_->may_act()) return end("the lease has ended");
  if (before_event) before_event();
  SimMaster::handle(std::move(event));
  if (!dead_ && !told_recovered_ && up() && core().state().recovered) {
    told_recovered_ = true;
    if (on_recovered) on_recovered();
  }
}

void HaMaster::persist(master::Persist& effect) {
  base::StoreBatch batch;
  for (auto& write : effect.writes) batch.writes.push_back({write.key, write.value});
  registry_->commit(std::move(batch), [this, ticket = effect.ticket](base::Status status) {
    handle(master::Persisted{ticket, std::move(status)});
  });
}

void HaMaster::operate(StreamId calls, const mesos::v1::master::Call& call, std::function<void(int)> answered) {
  context_.network.send(calls, 0, [this, calls, call, answered = std::move(answered)] {
    if (!serves()) {
      context_.network.send(calls, 1, [answered] { answered(503); });
      return;
    }
    const master::CallId id = next_++;
    calls_[id] = [this, calls, answered](int status, const std::string&) {
      context_.network.send(calls, 1, [answered, status] { answered(status); });
    };
    handle(master::OperatorCallReceived{id, call, ""});
  });
}

}  // namespace sim
