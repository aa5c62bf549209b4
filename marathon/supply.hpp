#pragma once

// Hands out what a launch takes, piece by piece, to the task or tasks and their executor.

#include <cstdint>
#include <string_view>
#include <vector>

namespace mesos::v1 {
class ExecutorInfo;
class Resource;
class TaskInfo;
}

namespace marathon {

class Supply {
 public:
  /// Of what is given away here; `resources` must outlive it.
  explicit Supply(const std::vector<mesos::v1::Resource>& resources);

  /// So much of a scalar, in thousandths.
  void give(std::string_view name, int64_t amount, mesos::v1::TaskInfo& to);
  void give(std::string_view name, int64_t amount, mesos::v1::ExecutorInfo& to);

  /// Everything that is left, volumes and ports among it.
  void give_rest(mesos::v1::TaskInfo& to);

  /// Persistent volumes and ports.
  void give_volumes_and_ports(mesos::v1::ExecutorInfo& to) const;

 private:
  struct Piece {
    const mesos::v1::Resource* resource;
    int64_t amount;
  };

  template <class Message>
  void give_to(std::string_view name, int64_t amount, Message& to);

  std::vector<Piece> left_;
};

}  // namespace marathon
