// Offers: made when something changed, taken back when they no longer hold.

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/testing/planted.hpp"
#include "kernel/master/core.hpp"
#include "kernel/resources/proto.hpp"

namespace master {

namespace {

using mesos::v1::scheduler::Call;

constexpr double kDefaultRefuseSeconds = 5.0;
constexpr double kMostRefuseSeconds = 365.0 * 24 * 3600;

}  // namespace

/// How long what was refused is not to be offered again; nothing for zero.
std::optional<base::Duration> Core::filter_duration(const mesos::v1::Filters* filters) {
  if (filters == nullptr) return std::nullopt;
  double seconds = filters->refuse_seconds();
  if (!(seconds >= 0) || std::isinf(seconds)) seconds = std::isinf(seconds) && seconds > 0 ? kMostRefuseSeconds : kDefaultRefuseSeconds;
  seconds = std::min(seconds, kMostRefuseSeconds);
  if (seconds == 0) return std::nullopt;
  return base::Duration(static_cast<int64_t>(seconds * 1e9));
}

mesos::v1::URL Core::agent_url(const Agent& agent) {
  mesos::v1::URL url;
  url.set_scheme("http");
  url.mutable_address()->set_hostname(agent.info->hostname());
  url.mutable_address()->set_ip(agent.ip);
  url.mutable_address()->set_port(agent.info->port());
  url.set_path("/slave(1)");
  return url;
}

void Core::recover_resources(const Framework& framework, const Agent& agent, const Resources& resources,
                             const mesos::v1::Filters* filters) {
  if (resources.empty()) return;
  allocator_->recover_resources(framework.id, agent.id, resources, now_.instant, filter_duration(filters));
  if (base::planted("master/keeps-what-is-free")) return;
  want_allocation();
}

void Core::want_allocation() {
  if (allocation_wanted_) return;
  allocation_wanted_ = true;
  out_->want_turn_end();
}

void Core::handle(WhitelistChanged& event) {
  allocator_->update_whitelist(event.hostnames);
  want_allocation();
}

void Core::handle(TurnEnded&) {
  if (!allocation_wanted_) return;
  // Nobody is left to wait for when the missing ones were given up.
  if (state_.agents.size() >= agents_awaited_ || state_.recovered_agents.empty()) release_limited_roles();
  allocation_wanted_ = false;
  make_offers();
}

void Core::make_offers() {
  count(Metric::AllocationRuns);
  std::vector<allocator::Offer> decided = allocator_->allocate(now_.instant);
  std::map<FrameworkId, mesos::v1::scheduler::Event> events;
  for (allocator::Offer& made : decided) {
    Framework* framework = find_framework(made.framework);
    Agent* agent = find_agent(made.agent);
    if (framework == nullptr || agent == nullptr || framework->connection == 0 || !agent->connected) {
      allocator_->recover_resources(made.framework, made.agent, made.resources, now_.instant);
      continue;
    }
    auto offer = std::make_unique<Offer>();
    offer->id = fmt::format("{}-O{}", state_.master.id(), state_.next_offer++);
    offer->framework = framework;
    offer->agent = agent;
    offer->role = std::move(made.role);
    offer->resources = std::move(made.resources);

    auto proto = std::make_shared<mesos::v1::Offer>();
    proto->mutable_id()->set_value(offer->id);
    proto->mutable_framework_id()->set_value(framework->id);
    proto->mutable_agent_id()->set_value(agent->id);
    proto->set_hostname(agent->info->hostname());
    *proto->mutable_url() = agent_url(*agent);
    if (agent->unavailability) *proto->mutable_unavailability() = *agent->unavailability;
    if (agent->info->has_domain()) *proto->mutable_domain() = agent->info->domain();
    *proto->mutable_attributes() = agent->info->attributes();
    const auto executors = agent->executors.find(framework->id);
    if (executors != agent->executors.end()) {
      for (const auto& [id, executor] : executors->second) proto->add_executor_ids()->set_value(id);
    }
    const auto format = framework->capabilities.reservation_refinement ? resources::Format::Post : resources::Format::Pre;
    resources::to_proto(offer->resources, format, proto->mutable_resources());
    if (framework->capabilities.multi_role) {
      proto->mutable_allocation_info()->set_role(offer->role);
    } else {
      for (auto& resource : *proto->mutable_resources()) resource.clear_allocation_info();
    }
    offer->proto = proto;

    if (policy_.offer_timeout) {
      offer->timer = start_timer(*policy_.offer_timeout, [this, id = offer->id] {
        const auto found = state_.offers.find(id);
        if (found == state_.offers.end()) return;
        found->second->timer = 0;
        // Whoever did not answer does not get it at once again: others are asked first.
        mesos::v1::Filters filters;
        filters.set_refuse_seconds(std::chrono::duration<double>(policy_.allocation_interval).count());
        rescind(*found->second, true, &filters);
      });
    }
    mesos::v1::scheduler::Event& event = events[framework->id];
    event.set_type(mesos::v1::scheduler::Event::OFFERS);
    *event.mutable_offers()->add_offers() = *offer->proto;
    ++framework->offers_sent;
    count(Metric::OffersSent);
    state_.offers[offer->id] = offer.get();
    agent->offers[offer->id] = offer.get();
    framework->offers[offer->id] = std::move(offer);
  }
  for (auto& [id, event] : events) send_event(*find_framework(id), std::move(event));
  make_inverse_offers();

  stop_timer(allocation_timer_);
  if (const auto wake = allocator_->next_wakeup()) {
    allocation_timer_ = start_timer(std::max(*wake - now_.instant, base::Duration(0)), [this] {
      allocation_timer_ = 0;
      want_allocation();
    });
  }
}

void Core::drop_offer(Offer& offer) {
  stop_timer(offer.timer);
  state_.offers.erase(offer.id);
  offer.agent->offers.erase(offer.id);
  offer.framework->offers.erase(OfferId(offer.id));  // `offer` is gone
}

void Core::rescind(Offer& offer, bool tell, const mesos::v1::Filters* filters) {
  Framework& framework = *offer.framework;
  recover_resources(framework, *offer.agent, offer.resources, filters);
  if (tell) {
    mesos::v1::scheduler::Event event;
    event.set_type(mesos::v1::scheduler::Event::RESCIND);
    event.mutable_rescind()->mutable_offer_id()->set_value(offer.id);
    send_event(framework, std::move(event));
    ++framework.offers_rescinded;
    count(Metric::OffersRescinded);
  }
  drop_offer(offer);
}

void Core::rescind_all(Agent& agent) {
  while (!agent.offers.empty()) rescind(*agent.offers.begin()->second, true);
}

void Core::discard_all(Framework& framework, bool tell) {
  forget_inverse(framework);
  while (!framework.offers.empty()) rescind(*framework.offers.begin()->second, tell);
}

void Core::decline(Framework& framework, const Call::Decline& call) {
  count(Metric::MessagesDeclineOffers);
  const mesos::v1::Filters filters = call.filters();
  for (const auto& id : call.offer_ids()) {
    const auto found = framework.offers.find(id.value());
    if (found == framework.offers.end()) continue;
    Offer& offer = *found->second;
    ++framework.offers_declined;
    recover_resources(framework, *offer.agent, offer.resources, &filters);
    drop_offer(offer);
  }
}

bool Core::roles_are_own(const Framework& framework, const google::protobuf::RepeatedPtrField<std::string>& roles,
                         std::set<std::string>& out) const {
  for (const std::string& role : roles) {
    if (!framework.roles.count(role)) return false;
    out.insert(role);
  }
  return true;
}

void Core::revive(Framework& framework, const Call::Revive& call) {
  count(Metric::MessagesReviveOffers);
  std::set<std::string> roles;
  if (!roles_are_own(framework, call.roles(), roles)) {
    return warning(fmt::format("framework {} wants to revive a role that it does not have; ignored", framework.id));
  }
  if (roles.empty()) {
    framework.suppressed_roles.clear();
  } else {
    for (const std::string& role : roles) framework.suppressed_roles.erase(role);
  }
  allocator_->revive(framework.id, roles);
  revive_inverse(framework);
  want_allocation();
}

void Core::suppress(Framework& framework, const Call::Suppress& call) {
  count(Metric::MessagesSuppressOffers);
  std::set<std::string> roles;
  if (!roles_are_own(framework, call.roles(), roles)) {
    return warning(fmt::format("framework {} wants to suppress a role that it does not have; ignored", framework.id));
  }
  if (roles.empty()) {
    framework.suppressed_roles = framework.roles;
  } else {
    framework.suppressed_roles.insert(roles.begin(), roles.end());
  }
  allocator_->suppress(framework.id, roles);
}

}  // namespace master
