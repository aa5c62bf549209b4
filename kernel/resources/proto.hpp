#pragma once

// Between mesos.v1.Resource and the value types, in the three formats of the API:
//   Post      `reservations` only (frameworks with RESERVATION_REFINEMENT, our own messages)
//   Pre       `role`, and `reservation` for a dynamic one (older frameworks); refined stacks cannot be written
//   Endpoint  both at once (operator API)
// Any of them is accepted as input.

#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/api/mesos/v1/resources.pb.h"
#include "kernel/resources/resources.hpp"

namespace resources {

enum class Format { Post, Pre, Endpoint };

using ProtoResources = google::protobuf::RepeatedPtrField<mesos::v1::Resource>;

/// What is wrong with one resource as it came from outside; texts as in the original.
base::Status validate(const mesos::v1::Resource& resource);

/// "Resource '<text>' is invalid: <why>".
base::Status validate(const ProtoResources& resources);

/// Validates and converts. Entries that are empty (a scalar of 0) are left out.
base::Result<Resources> from_proto(const ProtoResources& resources);
base::Result<Resource> from_proto(const mesos::v1::Resource& resource);

/// Shared volumes are written once per copy. In format Pre refined resources are left out.
void to_proto(const Resources& resources, Format format, ProtoResources* out);
mesos::v1::Resource to_proto(const Resource& resource, Format format);

}  // namespace resources
