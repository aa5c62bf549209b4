#pragma once

// The network between nodes, as TCP shows it to programs: ordered streams that are slow, stall in a
// partition, or break. When a stream breaks, what was under way is lost and each side learns of it
// at its own time.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "tests/sim/world.hpp"

namespace sim {

/// Faults of one run; probabilities are per message unless said otherwise.
struct NetworkFaults {
  base::Duration delay_min = base::microseconds(100);
  base::Duration delay_max = base::milliseconds(5);
  double slow = 0.0;  // a message that takes up to slow_max
  base::Duration slow_max = base::seconds(3);
  double reset = 0.0;                            // the stream breaks with this message
  base::Duration dead_peer = base::seconds(10);  // until a silent peer is noticed (keepalive)
};

using StreamId = uint64_t;

class Network {
 public:
  Network(World& world, NetworkFaults faults) : world_(world), faults_(faults) {}

  /// Side 0 is `from`. `closed` is called on a side that is alive when the stream has broken or the
  /// other side closed.
  StreamId open(Node& from, Node& to, std::function<void()> closed_from,
                std::function<void()> closed_to);

  /// Delivers in order, or never. `side` is the sender's.
  void send(StreamId stream, int side, std::function<void()> deliver);

  /// Orderly: what was sent before still arrives, then the other side is told.
  void close(StreamId stream, int side);

  /// Every stream of a node that crashed: peers that can be reached are told soon.
  void node_crashed(const Node& node);

  /// No message passes between the two until heal(); new streams between them fail.
  void partition(const std::string& a, const std::string& b);
  void heal(const std::string& a, const std::string& b);
  void heal_all();
  bool blocked(const Node& a, const Node& b) const;

  void set_faults(NetworkFaults faults) { faults_ = faults; }
  uint64_t delivered() const { return delivered_; }

 private:
  struct Side {
    Node* node = nullptr;
    uint64_t epoch = 0;
    std::function<void()> closed;
    bool told = false;
    base::Instant last_arrival{};              // of messages to this side
    std::deque<std::function<void()>> held{};  // arrived during a partition
  };
  struct Stream {
    Side side[2];
    bool broken = false;
    base::Instant silent_since{};
    bool silent = false;  // messages are held; release() looks again and again
  };

  base::Duration delay();
  void break_stream(StreamId id);
  void tell(StreamId id, int side, base::Duration delay);
  void arrive(StreamId id, int to, std::function<void()> call);
  void deliver(StreamId id, int to, const std::function<void()>& call);
  void release(StreamId id);

  World& world_;
  NetworkFaults faults_;
  std::map<StreamId, Stream> streams_;
  std::set<std::pair<std::string, std::string>> partitions_;
  StreamId next_ = 1;
  uint64_t delivered_ = 0;
};

}  // namespace sim
