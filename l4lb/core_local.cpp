// This machine's tasks, and the entries that it writes for them.

#include <fmt/format.h>

#include <algorithm>

#include "base/numbers.hpp"
#include "l4lb/core.hpp"

namespace l4lb {
namespace {

constexpr std::string_view kEntryPrefix = "entry/";
constexpr const char* kVersionKey = "version";
constexpr const char* kFloorKey = "floor";
constexpr base::Duration kRetryWrite = base::seconds(1);
constexpr size_t kMaxBatch = 2000;

std::string entry_key(const VipId& vip) {
  return fmt::format("{}{}/{}/{}", kEntryPrefix, vip.host, name_of(vip.protocol), vip.port);
}

}  // namespace

void Core::handle(const Recovered& event) {
  uint64_t version = 0, floor = 0;
  for (const auto& [key, value] : event.records) {
    if (key == kVersionKey) version = base::parse_uint(value).value_or(0);
    if (key == kFloorKey) floor = base::parse_uint(value).value_or(0);
  }
  for (const auto& [key, value] : event.records) {
    if (!std::string_view(key).starts_with(kEntryPrefix)) continue;
    auto entry = decode_entry(value);
    if (!entry || entry_key(entry->vip) != key) {
      trace(Trace::Level::Warning, fmt::format("the stored record {} does not decode and is left out", key));
      count("l4lb/bad_records");
      continue;
    }
    if (!entry->backends.empty()) recovered_entries_ = true;
    unwritten_.insert(entry->vip);
    replica_.restore(id(), std::move(*entry));
  }
  replica_.restore_version(id(), version, floor);
}

bool Core::agents_known() const {
  // Entries of the last process stay as they are until every agent has told what it runs.
  if (!recovered_entries_ || now_ - started_ >= policy_.agents_wait) return true;
  return std::all_of(policy_.agents.begin(), policy_.agents.end(),
                     [this](const std::string& agent) { return agents_seen_.contains(agent); });
}

void Core::drop_task(const TaskKey& key) {
  const auto it = tasks_.find(key);
  if (it == tasks_.end()) return;
  for (const Service& service : it->second.services.list) {
    const auto local = local_.find(service.vip);
    if (local == local_.end()) continue;
    local->second.erase(key);
    if (local->second.empty()) local_.erase(local);
    unwritten_.insert(service.vip);
  }
  tasks_.erase(it);
}

void Core::set_task(const std::string& agent, const Task& task) {
  const TaskKey key{agent, task.key()};
  Services services = services_of(task, swim_.self().ip);
  if (const auto it = tasks_.find(key); it != tasks_.end() && it->second.services.list == services.list) {
    it->second.running = task.state == "TASK_RUNNING";
    return;
  }
  for (const std::string& problem : services.problems) {
    trace(Trace::Level::Warning, problem);
    count("l4lb/bad_labels");
  }
  drop_task(key);
  LocalTask& place = tasks_[key];
  place.services = std::move(services);
  place.running = task.state == "TASK_RUNNING";
  for (const Service& service : place.services.list) {
    if (!local_.contains(service.vip) && local_.size() >= policy_.max_services) {
      count("l4lb/services_refused");
      continue;
    }
    local_[service.vip][key].push_back(&service);
    unwritten_.insert(service.vip);
    dirty_.insert(service.vip);  // the way to it on this machine may be another
  }
}

void Core::handle(const AgentSnapshot& event) {
  agents_seen_.insert(event.agent);
  std::set<TaskKey> now;
  for (const Task& task : event.tasks) {
    now.insert({event.agent, task.key()});
    set_task(event.agent, task);
  }
  std::vector<TaskKey> gone;
  for (auto it = tasks_.lower_bound({event.agent, {}}); it != tasks_.end() && it->first.first == event.agent; ++it)
    if (!now.contains(it->first)) gone.push_back(it->first);
  for (const TaskKey& key : gone) drop_task(key);
}

void Core::handle(const TaskChanged& event) { set_task(event.agent, event.task); }
void Core::handle(const TaskRemoved& event) { drop_task({event.agent, {event.framework_id, event.id}}); }

Entry Core::wanted(const VipId& vip) const {
  Entry entry{vip, 0, {}, 0};
  const auto it = local_.find(vip);
  if (it == local_.end()) return entry;
  std::map<Endpoint, Backend> backends;
  for (const auto& [key, services] : it->second)
    for (const Service* service : services) {
      const auto [place, fresh] = backends.try_emplace(service->backend.endpoint, service->backend);
      if (!fresh) place->second.weight = std::max(place->second.weight, service->backend.weight);
    }
  for (const auto& [endpoint, backend] : backends)
    if (entry.backends.size() < policy_.max_backends) entry.backends.push_back(backend);
  if (!entry.backends.empty() && vip.named()) entry.slot = names_.propose(vip.host);
  return entry;
}

/// Starts a commit with every own entry that is not what it should be. What is told to others is durable first: a
/// machine that comes back must not give a version a second meaning.
void Core::write_own() {
  if (!writing_.empty() || unwritten_.empty() || now_ < retry_write_ || !agents_known()) return;
  uint64_t version = replica_.complete(id());
  Persist persist{++ticket_, {}};
  while (!unwritten_.empty() && writing_.size() < kMaxBatch) {
    const VipId vip = *unwritten_.begin();
    unwritten_.erase(unwritten_.begin());
    Entry entry = wanted(vip);
    const Entry* old = replica_.find(id(), vip);
    if (old ? old->backends == entry.backends && (entry.backends.empty() || old->slot == entry.slot)
            : entry.backends.empty())
      continue;
    entry.version = ++version;
    persist.writes.emplace_back(entry_key(vip), encode_entry(entry));
    writing_.push_back(std::move(entry));
  }
  if (writing_.empty()) return;
  persist.writes.emplace_back(kVersionKey, std::to_string(version));
  out_->add(std::move(persist));
}

void Core::handle(const Persisted& event) {
  if (event.ticket != ticket_ || writing_.empty()) return;
  const std::vector<Entry> entries = std::exchange(writing_, {});
  if (!event.status) {
    trace(Trace::Level::Warning,
          fmt::format("own services could not be stored and are not told to others: {}", event.status.error().message));
    count("l4lb/store_errors");
    for (const Entry& entry : entries) unwritten_.insert(entry.vip);
    retry_write_ = now_ + kRetryWrite;
    return;
  }
  for (const Entry& entry : entries) {
    const Chunk chunk = replica_.write(id(), entry);
    if (entry.backends.empty()) tombstone_ages_[chunk.to] = now_;
    rumours_.add(chunk);
  }
  gossip_now(policy_.eager_peers);
}

void Core::expire_tombstones() {
  for (const uint64_t version : replica_.tombstone_versions(id())) tombstone_ages_.try_emplace(version, now_);
  uint64_t floor = 0;
  while (!tombstone_ages_.empty() && (now_ - tombstone_ages_.begin()->second > policy_.keep_tombstones ||
                                      tombstone_ages_.size() > policy_.max_tombstones)) {
    floor = tombstone_ages_.begin()->first;
    tombstone_ages_.erase(tombstone_ages_.begin());
  }
  if (floor == 0) return;
  Persist persist{0, {}};  // nothing waits for it: done again when it fails
  for (const Entry* entry : replica_.entries(id()))
    if (entry->backends.empty() && entry->version <= floor)
      persist.writes.emplace_back(entry_key(entry->vip), std::nullopt);
  persist.writes.emplace_back(kFloorKey, std::to_string(floor));
  replica_.raise_floor(id(), floor);
  out_->add(std::move(persist));
}

}  // namespace l4lb
