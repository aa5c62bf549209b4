#pragma once

// The cluster's seal on every datagram: AES-256-GCM under a key that all machines of the cluster share. Each process
// seals under a key of its own, derived from that one and from what the header says about the process; its counter
// makes every nonce new. A receiver takes each counter once, and no datagram of an earlier life of a sender. No clock
// is involved.

#include <array>
#include <bitset>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.hpp"
#include "l4lb/types.hpp"

namespace l4lb {

constexpr size_t kKeyBytes = 32;
using Key = std::array<uint8_t, kKeyBytes>;

/// 32 bytes as 64 hexadecimal digits.
base::Result<Key> parse_key(std::string_view text);

/// Public name of a key: tells whether two machines have the same one.
std::string fingerprint(const Key& key);

class Seal {
 public:
  /// `life` is larger than in every earlier process of this machine; `salt` is random.
  Seal(const Key& key, NodeId self, uint64_t life, uint64_t salt);

  std::string close(std::string_view plain);

  struct Opened {
    NodeId sender = 0;
    std::string plain;
  };
  enum class Refusal { Malformed, WrongKey, Replayed };
  /// Either what was sealed, or why it is not taken.
  std::variant<Opened, Refusal> open(std::string_view datagram);

 private:
  static constexpr size_t kWindow = 4096;
  static constexpr size_t kMaxSenders = 50'000;
  struct Sender {
    uint64_t life = 0, salt = 0, highest = 0;
    Key key{};
    std::bitset<kWindow> seen;
  };
  Key derive(NodeId node, uint64_t life, uint64_t salt) const;

  Key key_, own_;
  NodeId self_;
  uint64_t life_, salt_, counter_ = 0;
  std::map<NodeId, Sender> senders_;
};

}  // namespace l4lb
