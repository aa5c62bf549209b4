#include "kernel/allocator/constraints.hpp"

#include <re2/re2.h>

#include "base/check.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"

namespace allocator {

using base::invalid;
using Proto = mesos::v1::scheduler::AttributeConstraint;

namespace {

enum class Subject { Attribute, Hostname, Region, Zone };
enum class Test { Exists, Equals, Matches };

struct Constraint {
  Subject subject = Subject::Attribute;
  std::string attribute;
  Test test = Test::Exists;
  bool negated = false;
  std::string text;
  std::unique_ptr<re2::RE2> regex;

  bool matches(const std::string& value) const {
    return test == Test::Equals ? value == text : re2::RE2::FullMatch(value, *regex);
  }

  bool admits(const AgentView& agent) const {
    const std::string* value = nullptr;
    switch (subject) {
      case Subject::Hostname: value = &agent.hostname; break;
      case Subject::Region: value = agent.region ? &*agent.region : nullptr; break;
      case Subject::Zone: value = agent.zone ? &*agent.zone : nullptr; break;
      case Subject::Attribute:
        for (const Attribute& candidate : agent.attributes) {
          if (candidate.name != attribute) continue;
          if (test == Test::Exists) return !negated;
          // Text conditions hold for numbers and ranges, negated or not, so that they starve nobody.
          if (candidate.type != Attribute::Type::Text) return true;
          value = &candidate.text;
          break;  // the first of that name counts
        }
        break;
    }
    if (test == Test::Exists) return (value != nullptr) != negated;
    if (!value) return negated;
    return matches(*value) != negated;
  }
};

base::Result<Constraint> compile_selector(const Proto::Selector& selector) {
  Constraint out;
  if (selector.has_attribute_name()) {
    out.attribute = selector.attribute_name();
    return out;
  }
  switch (selector.pseudoattribute_type()) {
    case Proto::Selector::HOSTNAME: out.subject = Subject::Hostname; return out;
    case Proto::Selector::REGION: out.subject = Subject::Region; return out;
    case Proto::Selector::ZONE: out.subject = Subject::Zone; return out;
    default: return invalid("The offer constraint's selector is not set or not known");
  }
}

base::Status set_regex(Constraint& constraint, const std::string& pattern, bool negated, const OfferConstraints::Limits& limits) {
  constraint.test = Test::Matches;
  constraint.negated = negated;
  re2::RE2::Options options(re2::RE2::CannedOptions::Quiet);
  options.set_max_mem(limits.memory_bytes);
  constraint.regex = std::make_unique<re2::RE2>(pattern, options);
  if (!constraint.regex->ok()) {
    return invalid("Failed to construct regex from pattern '" + pattern + "': " + constraint.regex->error());
  }
  if (constraint.regex->ProgramSize() > limits.program_size || constraint.regex->ReverseProgramSize() > limits.program_size) {
    return invalid("Regex '" + pattern + "' is too complex: its program is larger than " +
                   std::to_string(limits.program_size));
  }
  return {};
}

base::Result<Constraint> compile_constraint(const Proto& proto, const OfferConstraints::Limits& limits) {
  ASSIGN_OR_RETURN(Constraint out, compile_selector(proto.selector()));
  const Proto::Predicate& predicate = proto.predicate();
  switch (predicate.predicate_case()) {
    case Proto::Predicate::kExists: return out;
    case Proto::Predicate::kNotExists: out.negated = true; return out;
    case Proto::Predicate::kTextEquals:
    case Proto::Predicate::kTextNotEquals:
      out.test = Test::Equals;
      out.negated = predicate.has_text_not_equals();
      out.text = out.negated ? predicate.text_not_equals().value() : predicate.text_equals().value();
      return out;
    case Proto::Predicate::kTextMatches:
      RETURN_IF_ERROR(set_regex(out, predicate.text_matches().regex(), false, limits));
      return out;
    case Proto::Predicate::kTextNotMatches:
      RETURN_IF_ERROR(set_regex(out, predicate.text_not_matches().regex(), true, limits));
      return out;
    default: return invalid("The offer constraint's predicate is not set or not known");
  }
}

}  // namespace

struct OfferConstraints::Role {
  std::vector<std::vector<Constraint>> groups;  // any group, all of its constraints
};

OfferConstraints::OfferConstraints() = default;
OfferConstraints::~OfferConstraints() = default;

base::Result<std::shared_ptr<const OfferConstraints>> OfferConstraints::compile(
    const mesos::v1::scheduler::OfferConstraints& constraints, const Limits& limits) {
  std::shared_ptr<OfferConstraints> out(new OfferConstraints());
  for (const auto& [path, proto] : constraints.role_constraints()) {
    auto role = std::make_unique<Role>();
    if (proto.groups().empty()) return invalid("Offer constraints for role '" + path + "' have no groups");
    for (const auto& group : proto.groups()) {
      if (group.attribute_constraints().empty()) {
        return invalid("Offer constraints for role '" + path + "' have a group without constraints");
      }
      std::vector<Constraint> compiled;
      for (const Proto& constraint : group.attribute_constraints()) {
        auto one = compile_constraint(constraint, limits);
        if (!one) return one.error().with_context("Offer constraints for role '" + path + "' are invalid");
        compiled.push_back(std::move(*one));
      }
      role->groups.push_back(std::move(compiled));
    }
    out->roles_.emplace(path, std::move(role));
  }
  return std::shared_ptr<const OfferConstraints>(std::move(out));
}

std::vector<std::string> OfferConstraints::roles() const {
  std::vector<std::string> out;
  for (const auto& [path, role] : roles_) out.push_back(path);
  return out;
}

bool OfferConstraints::admits(const std::string& role, const AgentView& agent) const {
  auto found = roles_.find(role);
  if (found == roles_.end()) return true;
  for (const auto& group : found->second->groups) {
    bool all = true;
    for (const Constraint& constraint : group) all = all && constraint.admits(agent);
    if (all) return true;
  }
  return false;
}

}  // namespace allocator
