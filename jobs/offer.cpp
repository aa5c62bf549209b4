#include "jobs/offer.hpp"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cmath>

#include "base/numbers.hpp"
#include "kernel/api/mesos/v1/offers.pb.h"

namespace jobs {
namespace {

int64_t thousandths(double amount) { return static_cast<int64_t>(std::llround(amount * 1000)); }

/// Resources that only their owner may use, or that may be taken back, are not for jobs.
bool is_plain(const mesos::v1::Resource& resource) {
  return !resource.has_revocable() && !resource.has_shared() &&
         !(resource.has_disk() && (resource.disk().has_persistence() || resource.disk().has_source()));
}

bool matches(const std::string& value, const Constraint& constraint) {
  if (constraint.op == ConstraintOperator::Equals) {
    if (value == constraint.value) return true;
    const auto a = base::parse_double(value), b = base::parse_double(constraint.value);
    return a && b && thousandths(*a) == thousandths(*b);
  }
  re2::RE2::Options options(re2::RE2::Quiet);
  options.set_max_mem(1 << 20);
  const re2::RE2 pattern(constraint.value, options);
  return pattern.ok() && re2::RE2::FullMatch(value, pattern);
}

bool satisfies(const Offer& offer, const Constraint& constraint) {
  bool any = false;
  if (constraint.attribute == "hostname") {
    any = matches(offer.hostname, constraint);
  } else {
    const auto [begin, end] = offer.attributes.equal_range(constraint.attribute);
    any = std::any_of(begin, end, [&](const auto& entry) { return matches(entry.second, constraint); });
  }
  return constraint.op == ConstraintOperator::Unlike ? !any : any;
}

/// The whole amount from one reserved piece, or else from the unreserved ones together.
bool take_scalar(std::vector<ScalarPiece>& pieces, int64_t amount, Placement& placement) {
  if (amount == 0) return true;
  for (ScalarPiece& piece : pieces) {
    if (!piece.reserved || piece.left < amount) continue;
    piece.left -= amount;
    placement.emplace_back(piece.index, amount);
    return true;
  }
  int64_t there = 0;
  for (const ScalarPiece& piece : pieces) there += piece.reserved ? 0 : piece.left;
  if (there < amount) return false;
  for (ScalarPiece& piece : pieces) {
    if (piece.reserved || piece.left == 0 || amount == 0) continue;
    const int64_t part = std::min(amount, piece.left);
    piece.left -= part;
    amount -= part;
    placement.emplace_back(piece.index, part);
  }
  return true;
}

}  // namespace

Demand demand_of(double cpus, double mem, double disk, double gpus) {
  return {thousandths(cpus), thousandths(mem), thousandths(disk), thousandths(gpus)};
}

Offer decode_offer(const mesos::v1::Offer& message) {
  Offer offer;
  offer.id = message.id().value();
  offer.agent_id = message.agent_id().value();
  offer.hostname = message.hostname();
  // Names that no attribute of an agent can take away.
  offer.attributes.emplace("@hostname", offer.hostname);
  if (message.domain().has_fault_domain()) {
    offer.attributes.emplace("@region", message.domain().fault_domain().region().name());
    offer.attributes.emplace("@zone", message.domain().fault_domain().zone().name());
  }
  for (const auto& attribute : message.attributes()) {
    if (attribute.name().starts_with('@')) continue;
    if (attribute.has_text()) offer.attributes.emplace(attribute.name(), attribute.text().value());
    if (attribute.has_scalar()) {
      std::string text = fmt::format("{:.3f}", attribute.scalar().value());
      text.erase(text.find_last_not_of('0') + 1);
      if (text.ends_with('.')) text.pop_back();
      offer.attributes.emplace(attribute.name(), text);
    }
    for (const auto& item : attribute.set().item()) offer.attributes.emplace(attribute.name(), item);
  }
  for (int i = 0; i < message.resources_size(); ++i) {
    const auto& resource = message.resources(i);
    if (!is_plain(resource)) continue;
    auto* pieces = resource.name() == "cpus"   ? &offer.cpus
                   : resource.name() == "mem"  ? &offer.mem
                   : resource.name() == "disk" ? &offer.disk
                   : resource.name() == "gpus" ? &offer.gpus
                                               : nullptr;
    const bool reserved = resource.reservations_size() > 0 || (resource.has_role() && resource.role() != "*");
    if (pieces) pieces->push_back({reserved, thousandths(resource.scalar().value()), i});
  }
  offer.message = std::make_shared<const mesos::v1::Offer>(message);
  return offer;
}

bool satisfies(const Offer& offer, const std::vector<Constraint>& constraints) {
  return std::all_of(constraints.begin(), constraints.end(),
                     [&](const Constraint& constraint) { return satisfies(offer, constraint); });
}

bool take(Offer& offer, const Demand& demand, Placement& placement) {
  const Offer before = {"", "", "", {}, offer.cpus, offer.mem, offer.disk, offer.gpus, nullptr};
  Placement taken;
  if (take_scalar(offer.cpus, demand.cpus, taken) && take_scalar(offer.mem, demand.mem, taken) &&
      take_scalar(offer.disk, demand.disk, taken) && take_scalar(offer.gpus, demand.gpus, taken)) {
    placement = std::move(taken);
    return true;
  }
  offer.cpus = before.cpus;
  offer.mem = before.mem;
  offer.disk = before.disk;
  offer.gpus = before.gpus;
  return false;
}

}  // namespace jobs
