#pragma once

// What an offer operation does to resources, as pairs of consumed and produced. Used by master and agent, so that both
// arrive at the same result.

#include <vector>

#include "base/result.hpp"
#include "kernel/resources/resources.hpp"

namespace mesos::v1 {
class Offer_Operation;  // Offer::Operation
}

namespace resources {

/// `consumed` is replaced by `converted`.
struct Conversion {
  Resources consumed;
  Resources converted;

  /// For DESTROY: no further copy of the consumed volume may remain.
  bool last_copy = false;
};

/// For RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME and SHRINK_VOLUME; others are errors. The operation has been
/// validated.
base::Result<std::vector<Conversion>> conversions(const mesos::v1::Offer_Operation& operation);

/// What the resource provider of a CREATE_DISK or DESTROY_DISK is to make of something else; nothing for others.
base::Result<Resources> disk_of(const mesos::v1::Offer_Operation& operation);

/// The provider of the resources that an operation is on, empty: the agent itself. An error when they are of several.
base::Result<std::string> provider_of(const mesos::v1::Offer_Operation& operation);

/// A machine's configured resources in the form that operations gave them: `kept` are the reserved ones and the volumes.
/// An error names what is kept and no longer part of `configured`.
base::Result<Resources> with_checkpointed(const Resources& configured, const Resources& kept);

/// What with_checkpointed() needs of a total: dynamically reserved resources and volumes, not allocated.
Resources checkpointed_of(const Resources& total);

/// `resources` after one conversion; an error when they do not contain what it consumes.
base::Result<Resources> apply(const Resources& resources, const Conversion& conversion);
base::Result<Resources> apply(const Resources& resources, const std::vector<Conversion>& conversions);
base::Result<Resources> apply(const Resources& resources, const mesos::v1::Offer_Operation& operation);

}  // namespace resources
