#include "marathon/supply.hpp"

#include <algorithm>

#include "kernel/api/mesos/v1/tasks.pb.h"
#include "marathon/offer.hpp"

namespace marathon {

namespace pb = mesos::v1;

namespace {

bool is_ports(const pb::Resource& resource) { return resource.name() == "ports"; }

}  // namespace

Supply::Supply(const std::vector<pb::Resource>& resources) {
  for (const pb::Resource& resource : resources) left_.push_back({&resource, thousandths(resource.scalar().value())});
}

template <class Message>
void Supply::give_to(std::string_view name, int64_t amount, Message& to) {
  for (Piece& piece : left_) {
    if (amount == 0) return;
    if (piece.amount == 0 || piece.resource->name() != name || piece.resource->disk().has_persistence()) continue;
    const int64_t part = std::min(amount, piece.amount);
    piece.amount -= part;
    amount -= part;
    pb::Resource& given = *to.add_resources();
    given = *piece.resource;
    given.mutable_scalar()->set_value(static_cast<double>(part) / 1000);
  }
}

void Supply::give(std::string_view name, int64_t amount, pb::TaskInfo& to) { give_to(name, amount, to); }
void Supply::give(std::string_view name, int64_t amount, pb::ExecutorInfo& to) { give_to(name, amount, to); }

void Supply::give_rest(pb::TaskInfo& to) {
  for (Piece& piece : left_) {
    if (piece.amount == 0 && !is_ports(*piece.resource)) continue;
    pb::Resource& given = *to.add_resources();
    given = *piece.resource;
    if (is_ports(given)) continue;
    given.mutable_scalar()->set_value(static_cast<double>(piece.amount) / 1000);
    piece.amount = 0;
  }
}

void Supply::give_volumes_and_ports(pb::ExecutorInfo& to) const {
  for (const Piece& piece : left_) {
    if (piece.resource->disk().has_persistence() || is_ports(*piece.resource)) *to.add_resources() = *piece.resource;
  }
}

}  // namespace marathon
