#pragma once

// What machines say to each other: frames, several of them in a datagram. A bounded binary form; what does not decode
// exactly is refused as a whole.

#include <array>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "l4lb/crdt.hpp"
#include "l4lb/types.hpp"

namespace l4lb {

enum class MemberState : uint8_t { Alive = 0, Suspect = 1, Dead = 2, Left = 3 };

/// "This machine is in that state", true for its incarnation; only the machine itself raises that number.
struct MemberInfo {
  NodeId id = 0;
  Endpoint at;  // where its gossip is
  uint32_t incarnation = 0;
  MemberState state = MemberState::Alive;
  NodeId accuser = 0;    // of a suspicion: who could not reach it
  Address ip;            // of the machine
  std::string hostname;  // at most 64 bytes
  bool operator==(const MemberInfo&) const = default;
};

struct Ping {
  uint32_t sequence = 0;
  NodeId target = 0;  // 0: whoever is there
  bool join = false;  // asks for all members
  bool operator==(const Ping&) const = default;
};
struct Ack {
  uint32_t sequence = 0;
  bool operator==(const Ack&) const = default;
};
/// "I cannot reach it either, but I am here": keeps a slow machine from blaming others.
struct Nack {
  uint32_t sequence = 0;
  bool operator==(const Nack&) const = default;
};
struct PingRequest {
  uint32_t sequence = 0;
  NodeId target = 0;
  Endpoint at;
  bool operator==(const PingRequest&) const = default;
};
struct Gossip {
  MemberInfo member;
  bool operator==(const Gossip&) const = default;
};
/// From a list of all members: tells, but accuses nobody.
struct Sync {
  MemberInfo member;
  bool operator==(const Sync&) const = default;
};
struct Digest {
  uint64_t members = 0;
  std::array<uint64_t, kDigestBuckets> buckets{};
  bool operator==(const Digest&) const = default;
};
struct MembersWanted {
  bool operator==(const MembersWanted&) const = default;
};
/// What the sender has of the owners of a bucket whose ids are in [first, last].
struct Owners {
  uint8_t bucket = 0;
  NodeId first = 0, last = 0;
  std::vector<std::pair<NodeId, uint64_t>> known;
  bool operator==(const Owners&) const = default;
};
struct Pull {
  NodeId owner = 0;
  uint64_t since = 0;
  uint64_t cleared = 0;
  bool operator==(const Pull&) const = default;
};

using Frame = std::variant<Ping, Ack, Nack, PingRequest, Gossip, Sync, Digest, MembersWanted, Owners, Pull, Chunk>;

constexpr size_t kMaxDatagram = 60'000;   // only for one entry that is larger than the usual
constexpr size_t kUsualDatagram = 1'300;  // fits one packet, with seal and headers
constexpr size_t kMaxFrames = 512;
constexpr size_t kMaxHostname = 64;
constexpr size_t kMaxVipHost = 253;
constexpr size_t kMaxBackends = 512;
constexpr size_t kMaxOwners = 64;

void encode(std::string& out, const Frame& frame);
std::string encode_frames(const std::vector<Frame>& frames);
base::Result<std::vector<Frame>> decode_frames(std::string_view bytes);

/// One entry as it is stored.
std::string encode_entry(const Entry& entry);
base::Result<Entry> decode_entry(std::string_view bytes);

}  // namespace l4lb
