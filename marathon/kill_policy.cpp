#include "marathon/kill_policy.hpp"

#include <algorithm>
#include <map>

#include "marathon/constraints.hpp"

namespace marathon {
namespace {

int weight(Condition condition) {
  switch (condition) {
    case Condition::Scheduled: return 0;
    case Condition::Unreachable: return 1;
    case Condition::Provisioned:
    case Condition::Staging: return 2;
    case Condition::Starting: return 3;
    case Condition::Running: return 4;
    default: return 5;
  }
}

base::Time age(const Instance& instance) {
  return instance.started_at ? *instance.started_at : instance.staged_at.value_or(instance.since);
}

}  // namespace

std::vector<InstanceId> select_victims(const App& app, std::vector<const Instance*> candidates,
                                       size_t count) {
  std::erase_if(candidates, [](const Instance* i) {
    return i->condition == Condition::UnreachableInactive || is_terminal(i->condition);
  });
  const bool youngest = app.kill_selection == KillSelection::YoungestFirst;
  std::stable_sort(candidates.begin(), candidates.end(), [&](const Instance* a, const Instance* b) {
    const int wa = weight(a->condition), wb = weight(b->condition);
    if (wa != wb) return wa < wb;
    return youngest ? age(*a) > age(*b) : age(*a) < age(*b);
  });
  const auto group_by = std::find_if(app.constraints.begin(), app.constraints.end(), [](const auto& c) {
    return c.op == ConstraintOperator::GroupBy;
  });
  std::vector<InstanceId> victims;
  while (victims.size() < count && !candidates.empty()) {
    auto victim = candidates.begin();
    if (group_by != app.constraints.end() && (*victim)->condition != Condition::Scheduled) {
      std::map<std::string, size_t> groups;
      size_t largest = 0;
      for (const Instance* i : candidates) {
        const auto value = field_value(*i, group_by->field);
        if (value) largest = std::max(largest, ++groups[*value]);
      }
      victim = std::find_if(candidates.begin(), candidates.end(), [&](const Instance* i) {
        const auto value = field_value(*i, group_by->field);
        return value && groups[*value] == largest;
      });
      if (victim == candidates.end()) victim = candidates.begin();
    }
    victims.push_back((*victim)->id);
    candidates.erase(victim);
  }
  return victims;
}

}  // namespace marathon
