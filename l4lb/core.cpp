#include "l4lb/core.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/strings.hpp"

namespace l4lb {

Core::Core(Policy policy, MemberInfo self, base::Random random)
    : policy_(std::move(policy)),
      random_(random),
      swim_(policy_.swim, std::move(self), random_),
      names_(policy_.names) {}

void Core::on(const Event& event, base::Instant now, Effects& out) {
  now_ = now;
  out_ = &out;
  if (!started_set_) {
    started_set_ = true;
    started_ = now;
    next_compare_ = now + random_.jitter(policy_.compare);
    next_gossip_ = now;
    next_tidy_ = now + base::minutes(1);
  }
  std::visit([this](const auto& each) { handle(each); }, event);
  settle();
  flush();
  set_wake();
  out_ = nullptr;
}

void Core::handle(const TimerFired&) {
  swim_.on_time(now_, *this);
  if (eager_due_ && now_ >= eager_at_) gossip_now(policy_.eager_peers);
  if (now_ >= next_gossip_) {
    next_gossip_ = now_ + policy_.gossip;
    gossip_now(policy_.gossip_peers);
  }
  if (now_ >= next_compare_) {
    next_compare_ = now_ + policy_.compare * 3 / 4 + random_.jitter(policy_.compare / 2);
    for (const Member* peer : swim_.choose(1)) send_digest(peer->info.at);
  }
  pull_missing();
  for (const Endpoint& backend : marks_.expire(now_))
    for (const auto& [vip, owners] : replica_.vips())
      for (const auto& [owner, entry] : owners)
        for (const Backend& each : entry->backends)
          if (each.endpoint == backend) dirty_.insert(vip);
  if (now_ >= next_tidy_) {
    next_tidy_ = now_ + base::minutes(1);
    expire_tombstones();
    for (const NodeId owner : replica_.owners())
      if (owner != id() && !swim_.members().contains(owner) && swim_.alive() > 0 &&
          now_ - started_ > policy_.swim.forget)
        replica_.forget(owner);
  }
}

void Core::handle(const BackendsFailed& event) {
  std::set<Endpoint> fresh;
  for (const Endpoint& backend : event.backends)
    if (marks_.fail(backend, now_)) fresh.insert(backend);
  if (fresh.empty()) return;
  for (const auto& [vip, owners] : replica_.vips())
    for (const Candidate& each : candidates(vip, now_))
      if (fresh.contains(each.endpoint)) dirty_.insert(vip);
  count("l4lb/backend_failures");
}

void Core::handle(const LeaveAsked&) { swim_.leave(*this); }

std::vector<Candidate> Core::candidates(const VipId& vip, base::Instant now) const {
  std::vector<Candidate> out;
  const auto found = replica_.vips().find(vip);
  if (found == replica_.vips().end()) return out;
  for (const auto& [owner, entry] : found->second) {
    for (const Backend& backend : entry->backends) {
      Candidate candidate{backend, backend.endpoint, owner, swim_.reachable(owner), false, false, {}};
      if (owner == id()) {
        if (const auto local = local_.find(vip); local != local_.end())
          for (const auto& [task, services] : local->second)
            for (const Service* service : services)
              if (service->backend.endpoint == backend.endpoint && service->local) candidate.endpoint = *service->local;
      }
      candidate.failed = marks_.marked(candidate.endpoint, now);
      out.push_back(std::move(candidate));
    }
  }
  // Each family is a service of its own, with its own last resort.
  const auto middle =
      std::stable_partition(out.begin(), out.end(), [](const Candidate& c) { return c.endpoint.address.v4(); });
  choose_backends({out.begin(), middle});
  choose_backends({middle, out.end()});
  return out;
}

std::string Core::obstacle(const VipId& vip) const {
  if (vip.named()) return names_.slot(vip.host) == 0 ? "no address is agreed for the name yet" : "";
  return names_.range().contains(*parse_address(vip.host)) ? "the address is in the range that is kept for names" : "";
}

std::vector<Address> Core::addresses(const VipId& vip) const {
  bool v4 = false, v6 = false;
  const auto found = replica_.vips().find(vip);
  if (found == replica_.vips().end() || !obstacle(vip).empty()) return {};
  for (const auto& [owner, entry] : found->second)
    for (const Backend& backend : entry->backends) (backend.endpoint.address.v4() ? v4 : v6) = true;
  if (!vip.named()) return {*parse_address(vip.host)};
  std::vector<Address> out;
  const uint32_t slot = names_.slot(vip.host);
  if (v4) out.push_back(names_.range().v4(slot));
  if (v6) out.push_back(names_.range().v6(slot));
  return out;
}

std::vector<VipId> Core::find(std::string_view text) const {
  std::vector<VipId> out;
  for (const auto& [vip, owners] : replica_.vips()) {
    bool same = text == vip.host || text == render(vip);
    for (const Address& address : addresses(vip))
      same = same || text == render(address) || text == render(Endpoint{address, vip.port});
    if (same) out.push_back(vip);
  }
  return out;
}

std::vector<Record> Core::records() const {
  std::vector<Record> out;
  for (const auto& [host, records] : published_) out.insert(out.end(), records.begin(), records.end());
  return out;
}

size_t Core::local_running() const {
  return static_cast<size_t>(
      std::count_if(tasks_.begin(), tasks_.end(), [](const auto& each) { return each.second.running; }));
}

void Core::touch_host(const std::string& host) {
  const VipId first{host, Protocol::Tcp, 0};
  for (auto it = replica_.vips().lower_bound(first); it != replica_.vips().end() && it->first.host == host; ++it) {
    dirty_.insert(it->first);
    // An own claim that is not what counts is claimed anew.
    const Entry* own = replica_.find(id(), it->first);
    if (own && !own->backends.empty() && own->slot != names_.propose(host)) unwritten_.insert(it->first);
  }
}

/// Brings everything that follows from changed entries up to date.
void Core::settle() {
  std::set<std::string> hosts;
  for (int round = 0; round < 2; ++round) {
    std::set<std::string> moved;
    for (const VipId& vip : replica_.take_touched()) {
      dirty_.insert(vip);
      const auto found = replica_.vips().find(vip);
      moved.merge(names_.update(vip, found == replica_.vips().end() ? nullptr : &found->second));
      if (vip.named()) hosts.insert(vip.host);
    }
    for (const std::string& host : moved) touch_host(host);
    hosts.merge(moved);
    write_own();
  }
  std::vector<ServiceChange> changes;
  for (const VipId& vip : std::exchange(dirty_, {})) publish(vip);
  publish_records(hosts);
}

void Core::publish(const VipId& vip) {
  std::vector<ServiceChange> next;
  const auto known = addresses(vip);
  if (!known.empty()) {
    const auto list = candidates(vip, now_);
    for (const Address& address : known) next.push_back(make_service({address, vip.protocol, vip.port}, list));
  }
  const auto it = programmed_.find(vip);
  const std::vector<ServiceChange> before = it == programmed_.end() ? std::vector<ServiceChange>() : it->second;
  if (next == before) return;
  Program program;
  for (const ServiceChange& old : before)
    if (std::none_of(next.begin(), next.end(), [&](const ServiceChange& each) { return each.key == old.key; }))
      program.changes.push_back({old.key, false, {}, {}});
  for (const ServiceChange& change : next)
    if (std::find(before.begin(), before.end(), change) == before.end()) program.changes.push_back(change);
  if (next.empty()) programmed_.erase(it);
  else programmed_[vip] = std::move(next);
  // One transaction for all that changed in this turn.
  if (!out_->list.empty())
    if (auto* last = std::get_if<Program>(&out_->list.back())) {
      last->changes.insert(last->changes.end(), program.changes.begin(), program.changes.end());
      return;
    }
  out_->add(std::move(program));
}

void Core::publish_records(const std::set<std::string>& hosts) {
  RecordsChanged changed;
  for (const std::string& host : hosts) {
    std::set<Record> next;
    const VipId first{host, Protocol::Tcp, 0};
    for (auto it = replica_.vips().lower_bound(first); it != replica_.vips().end() && it->first.host == host; ++it)
      for (const Address& address : addresses(it->first)) next.insert({host, address});
    const auto it = published_.find(host);
    const std::vector<Record> before = it == published_.end() ? std::vector<Record>() : it->second;
    const std::vector<Record> now(next.begin(), next.end());
    std::set_difference(now.begin(), now.end(), before.begin(), before.end(), std::back_inserter(changed.added));
    std::set_difference(before.begin(), before.end(), now.begin(), now.end(), std::back_inserter(changed.removed));
    if (now.empty()) published_.erase(host);
    else published_[host] = now;
  }
  if (!changed.added.empty() || !changed.removed.empty()) out_->add(std::move(changed));
}

void Core::set_wake() {
  base::Instant next = std::min({swim_.next_deadline(), next_compare_, next_tidy_, marks_.next()});
  if (!rumours_.empty()) next = std::min(next, next_gossip_);
  if (eager_due_) next = std::min(next, eager_at_);
  if (writing_.empty() && !unwritten_.empty())
    next = std::min(next, std::max(retry_write_, now_ + base::milliseconds(1)));
  for (const auto& [owner, missing] : missing_) next = std::min(next, missing.at);
  out_->add(Wake{std::max(next, now_)});
}

void Core::trace(Trace::Level level, std::string text) { out_->add(Trace{level, std::move(text)}); }

void Core::count(const char* metric) { out_->add(Count{metric}); }

}  // namespace l4lb
