#include "kernel/resources/summary.hpp"

namespace resources {

std::vector<SummaryField> summary(const Resources& resources) {
  std::map<std::string, Scalar> scalars;
  std::map<std::string, Ranges> ranges;
  std::map<std::string, ItemSet> sets;
  for (const Resource& r : resources) {
    const std::string name = r.kind.revocable() ? r.kind.name() + "_revocable" : r.kind.name();
    switch (r.kind.type()) {
      case Type::Scalar: scalars[name] += r.scalar; break;
      case Type::Ranges: ranges[name] += r.ranges; break;
      case Type::Set: sets[name] += r.set; break;
    }
  }
  std::vector<SummaryField> out;
  for (const char* name : {"cpus", "gpus", "mem", "disk"}) {
    out.push_back({name, scalars[name].value()});
    scalars.erase(name);
  }
  std::map<std::string, SummaryField> others;
  for (const auto& [name, value] : scalars) others[name] = {name, value.value()};
  for (const auto& [name, value] : ranges) others[name] = {name, value.text()};
  for (const auto& [name, value] : sets) others[name] = {name, value.text()};
  for (auto& [name, field] : others) out.push_back(std::move(field));
  return out;
}

std::map<std::string, Resources> reservations_by_role(const Resources& resources) {
  std::map<std::string, Resources> out;
  for (const Resource& r : resources) {
    if (r.kind.reserved()) out[r.kind.reservation_role()].add(r);
  }
  return out;
}

}  // namespace resources
