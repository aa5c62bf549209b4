#pragma once

// What is being told from machine to machine (pure): each piece some times, the least told first, newer ones of a kind
// in the place of older ones.

#include <map>
#include <set>
#include <string>
#include <tuple>

#include "l4lb/wire.hpp"

namespace l4lb {

class Rumours {
 public:
  explicit Rumours(size_t limit = 20'000) : limit_(limit) {}

  void add(const MemberInfo& member);
  void add(const Chunk& chunk);

  /// Appends what fits into `bytes` to `out` and counts it as told; pieces told `times` often are dropped.
  void pack(std::string& out, size_t bytes, int times);

  bool empty() const { return rumours_.empty(); }
  size_t size() const { return rumours_.size(); }
  uint64_t dropped() const { return dropped_; }

 private:
  using Key = std::tuple<int, NodeId, uint64_t>;  // kind, whose, which
  struct Rumour {
    std::string bytes;
    int told = 0;
    uint64_t order = 0;
  };
  void add(Key key, const Frame& frame);
  void erase(std::map<Key, Rumour>::iterator it);

  size_t limit_;
  std::map<Key, Rumour> rumours_;
  std::set<std::tuple<int, uint64_t, Key>> queue_;  // by how often told, newest first
  uint64_t next_ = UINT64_MAX, dropped_ = 0;
};

}  // namespace l4lb
