#include "marathon/supply.hpp"

#include "marathon/offer.hpp"

namespace marathon {

Supply::Supply(const std::vector<mesos::v1::Resource>& resources) {
  for (const mesos::v1::Resource& resource : resources) left_.push_back({&resource, thousandths(resource.scalar().value())});
}

const mesos::v1::Resource* Supply::take(std::string_view name, int64_t& amount) {
  for (Piece& piece : left_) {
    if (piece.amount == 0 || piece.resource->name() != name || piece.resource->disk().has_persistence()) continue;
    const int64_t part = std::min(amount, piece.amount);
    piece.amount -= part;
    amount -= part;
    part_ = *piece.resource;
    part_.mutable_scalar()->set_value(static_cast<double>(part) / 1000);
    return &part_;
  }
  return nullptr;
}

}  // namespace marathon
