#include "marathon/kill_policy.hpp"

#include <algorithm>
#include <map>

#include "marathon/constraints.hpp"

namespace marathon {
namespace {

/// What is of least use goes first. The original's order, which knows of no health though its comment promises it, and
/// puts instances without a task last: they cost nothing to give up.
int weight(const Instance& instance) {
  switch (instance.condition) {
    case Condition::Scheduled: return 0;
    case Condition::Unreachable: return 1;
    case Condition::Provisioned:
    case Condition::Staging: return 3;
    case Condition::Starting: return 4;
    case Condition::Running: return instance.healthy == false ? 2 : 5;
    default: return 6;
  }
}

base::Time age(const Instance& instance) {
  if (instance.condition == Condition::Starting) return instance.since;
  return instance.started_at ? *instance.started_at : instance.staged_at.value_or(instance.since);
}

/// How the instances that are left lie over the values of one GROUP_BY field; those without a value are a group too.
class Distribution {
 public:
  Distribution(std::string field, const std::vector<const Instance*>& left) : field_(std::move(field)) {
    for (const Instance* instance : left) ++groups_[group_of(*instance)];
  }

  size_t difference() const { return groups_.empty() ? 0 : largest() - smallest(); }
  bool in_largest(const Instance& instance) const { return groups_.at(group_of(instance)) == largest(); }

  /// Without it they lie evenly, or at least more so.
  bool more_even_without(const Instance& instance) const {
    Distribution after = *this;
    --after.groups_.at(group_of(instance));
    return after.difference() <= 1 || after.difference() < difference();
  }

  void remove(const Instance& instance) { --groups_.at(group_of(instance)); }

 private:
  std::string group_of(const Instance& instance) const { return field_value(instance, field_).value_or(""); }
  size_t largest() const {
    return std::max_element(groups_.begin(), groups_.end(), [](const auto& a, const auto& b) { return a.second < b.second; })->second;
  }
  size_t smallest() const {
    return std::min_element(groups_.begin(), groups_.end(), [](const auto& a, const auto& b) { return a.second < b.second; })->second;
  }

  std::string field_;
  std::map<std::string, size_t> groups_;
};

using Candidates = std::vector<const Instance*>;

/// The first that evens out the most uneven distribution and makes none worse; else the first that makes none worse.
Candidates::const_iterator choose(const Candidates& candidates, const std::vector<Distribution>& distributions) {
  const auto fits = [&](const Instance* i) {
    return std::all_of(distributions.begin(), distributions.end(), [&](const auto& d) { return d.more_even_without(*i); });
  };
  const auto worst = std::max_element(distributions.begin(), distributions.end(), [](const auto& a, const auto& b) {
    return a.difference() < b.difference();
  });
  auto chosen = std::find_if(candidates.begin(), candidates.end(),
                             [&](const Instance* i) { return worst->in_largest(*i) && fits(i); });
  if (chosen == candidates.end()) chosen = std::find_if(candidates.begin(), candidates.end(), fits);
  return chosen == candidates.end() ? candidates.begin() : chosen;
}

}  // namespace

std::vector<InstanceId> select_victims(const App& app, std::vector<const Instance*> candidates,
                                       size_t count) {
  std::erase_if(candidates, [](const Instance* i) {
    return i->condition == Condition::UnreachableInactive || is_terminal(i->condition);
  });
  const bool youngest = app.kill_selection == KillSelection::YoungestFirst;
  std::stable_sort(candidates.begin(), candidates.end(), [&](const Instance* a, const Instance* b) {
    const int wa = weight(*a), wb = weight(*b);
    if (wa != wb) return wa < wb;
    return youngest ? age(*a) > age(*b) : age(*a) < age(*b);
  });
  std::vector<InstanceId> victims;
  // Who waits has no place that could be uneven.
  while (victims.size() < count && !candidates.empty() && candidates.front()->condition == Condition::Scheduled) {
    victims.push_back(candidates.front()->id);
    candidates.erase(candidates.begin());
  }
  std::vector<Distribution> distributions;
  for (const Constraint& constraint : app.constraints) {
    if (constraint.op == ConstraintOperator::GroupBy) distributions.emplace_back(constraint.field, candidates);
  }
  while (victims.size() < count && !candidates.empty()) {
    const auto victim = distributions.empty() ? candidates.begin() : choose(candidates, distributions);
    for (Distribution& distribution : distributions) distribution.remove(**victim);
    victims.push_back((*victim)->id);
    candidates.erase(victim);
  }
  return victims;
}

}  // namespace marathon
