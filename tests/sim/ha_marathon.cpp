#include "tests/sim/ha_marathon.hpp"

namespace sim {

void HaMarathon::on_boot() {
  make_core();
  base::ha::Candidacy::Options options;
  options.url.servers = "simulated";
  options.url.path = "/marathon";
  options.address = "http://" + name + ":8080";
  options.writer = name + " " + context_.world.random().uuid();
  base::ha::Candidacy::Callbacks callbacks;
  callbacks.on_leading = [this](std::unique_ptr<base::Store> store) {
    context_.world.trace(name, "leads");
    ++elections_;
    store_ = std::move(store);
    begin();
  };
  callbacks.on_lost = [this](const std::string& why) { end(why); };
  candidacy_ = std::make_unique<base::ha::Candidacy>(zookeeper_.host(*this), std::move(options), std::move(callbacks));
  candidacy_->start();
}

void HaMarathon::on_crash() {
  if (!ended_) zookeeper_.fake().crash(name);
  store_.reset();
  candidacy_.reset();
  SimMarathon::on_crash();
}

std::map<std::string, std::string> HaMarathon::stored() const {
  std::map<std::string, std::string> records;
  const auto entries = store_->scan("").value();
  for (const auto& entry : entries) records.emplace(entry.key, entry.value);
  return records;
}

void HaMarathon::persist(marathon::Persist& effect) {
  base::StoreBatch batch;
  for (auto& write : effect.writes) batch.writes.push_back({std::move(write.key), std::move(write.value)});
  store_->commit(std::move(batch), [this, ticket = effect.ticket](base::Status status) {
    dispatch(marathon::Persisted{ticket, std::move(status)});
  });
}

}  // namespace sim
