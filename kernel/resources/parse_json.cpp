#include "base/json/proto.hpp"
#include "kernel/api/mesos/v1/offers.pb.h"
#include "kernel/resources/parse.hpp"
#include "kernel/resources/proto.hpp"

namespace resources {

base::Result<std::vector<Resource>> parse_resources_json(std::string_view text, std::string_view default_role) {
  // Any message with one list of resources will do to read the array by the API's JSON rules.
  mesos::v1::Offer::Operation::Unreserve message;
  const std::string object = "{\"resources\":" + std::string(text) + "}";
  if (auto status = base::json::proto_from_json(object, message); !status) {
    return status.error().with_context("Some JSON resources were not formatted properly");
  }
  std::vector<Resource> out;
  for (mesos::v1::Resource& entry : *message.mutable_resources()) {
    if (!entry.has_role() && entry.reservations_size() == 0) entry.set_role(std::string(default_role));
    ASSIGN_OR_RETURN(Resource resource, from_proto(entry));
    out.push_back(std::move(resource));
  }
  return out;
}

}  // namespace resources
