#pragma once

// Hands out what a launch takes, piece by piece, to the task or tasks and their executor.

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "kernel/api/mesos/v1/resources.pb.h"

namespace marathon {

class Supply {
 public:
  explicit Supply(const std::vector<mesos::v1::Resource>& resources);

  /// So much of a scalar, in thousandths.
  template <class Message>
  void give(std::string_view name, int64_t amount, Message& to) {
    while (amount > 0) {
      const mesos::v1::Resource* part = take(name, amount);
      if (!part) return;
      *to.add_resources() = *part;
    }
  }

  /// Everything that is left, volumes among it.
  template <class Message>
  void give_rest(Message& to) {
    for (Piece& piece : left_) {
      if (piece.amount == 0) continue;
      mesos::v1::Resource& given = *to.add_resources();
      given = *piece.resource;
      given.mutable_scalar()->set_value(static_cast<double>(piece.amount) / 1000);
      piece.amount = 0;
    }
  }

  template <class Message>
  void give_volumes(Message& to) const {
    for (const Piece& piece : left_) {
      if (piece.resource->disk().has_persistence()) *to.add_resources() = *piece.resource;
    }
  }

 private:
  struct Piece {
    const mesos::v1::Resource* resource;
    int64_t amount;
  };

  /// A part of at most `amount`, which it lowers; null: there is none left.
  const mesos::v1::Resource* take(std::string_view name, int64_t& amount);

  std::vector<Piece> left_;
  mesos::v1::Resource part_;
};

}  // namespace marathon
