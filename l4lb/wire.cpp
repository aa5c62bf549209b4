#include "l4lb/wire.hpp"

namespace l4lb {
namespace {

class Put {
 public:
  explicit Put(std::string& out) : out_(out) {}

  void u8(uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void u16(uint16_t value) {
    u8(static_cast<uint8_t>(value >> 8));
    u8(static_cast<uint8_t>(value));
  }
  void u64(uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) u8(static_cast<uint8_t>(value >> shift));
  }
  void number(uint64_t value) {  // LEB128
    for (; value >= 0x80; value >>= 7) u8(static_cast<uint8_t>(value | 0x80));
    u8(static_cast<uint8_t>(value));
  }
  void text(std::string_view value) {
    number(value.size());
    out_ += value;
  }
  void address(const Address& value) {
    u8(value.family);
    out_.append(reinterpret_cast<const char*>(value.bytes.data()), value.size());
  }
  void endpoint(const Endpoint& value) {
    address(value.address);
    u16(value.port);
  }
  void entry(const Entry& value) {
    text(value.vip.host);
    u8(static_cast<uint8_t>(value.vip.protocol));
    u16(value.vip.port);
    number(value.slot);
    number(value.version);
    number(value.backends.size());
    for (const Backend& backend : value.backends) {
      const bool same = backend.agent == backend.endpoint.address;
      u8(static_cast<uint8_t>((backend.weight << 1) | (same ? 1 : 0)));
      endpoint(backend.endpoint);
      if (!same) address(backend.agent);
    }
  }
  void member(const MemberInfo& value) {
    u64(value.id);
    endpoint(value.at);
    number(value.incarnation);
    u8(static_cast<uint8_t>(value.state));
    if (value.state == MemberState::Suspect) u64(value.accuser);
    address(value.ip);
    text(std::string_view(value.hostname).substr(0, kMaxHostname));
  }

 private:
  std::string& out_;
};

/// Reads until something is wrong; after that everything reads as zero and ok() is false.
class Get {
 public:
  explicit Get(std::string_view in) : in_(in) {}

  bool ok() const { return ok_; }
  bool at_end() const { return in_.empty(); }
  void fail() {
    ok_ = false;
    in_ = {};
  }

  uint8_t u8() {
    if (in_.empty()) return fail(), uint8_t{0};
    const auto value = static_cast<uint8_t>(in_.front());
    in_.remove_prefix(1);
    return value;
  }
  uint16_t u16() {
    const auto high = u8();
    return static_cast<uint16_t>(high << 8 | u8());
  }
  uint64_t u64() {
    uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | u8();
    return value;
  }
  uint64_t number(uint64_t limit = UINT64_MAX) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = u8();
      if (shift == 63 && byte > 1) return fail(), 0;
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        // One form per number: no needless zero bytes at the end.
        if (value > limit || (byte == 0 && shift > 0)) return fail(), 0;
        return ok_ ? value : 0;
      }
    }
    return fail(), 0;
  }
  std::string text(size_t limit) {
    const size_t size = number(limit);
    if (size > in_.size()) return fail(), std::string();
    std::string value(in_.substr(0, size));
    in_.remove_prefix(size);
    return value;
  }
  Address address() {
    Address value;
    value.family = u8();
    if (value.family != 0 && value.family != 4 && value.family != 6) return fail(), Address();
    for (size_t i = 0; i < value.size(); ++i) value.bytes[i] = u8();
    return value;
  }
  Endpoint endpoint() {
    Endpoint value;
    value.address = address();
    value.port = u16();
    return value;
  }
  /// An address that must be one, with a port that can be connected to.
  Endpoint real_endpoint() {
    Endpoint value = endpoint();
    if (!value.address || value.port == 0) fail();
    return value;
  }
  Entry entry() {
    Entry value;
    value.vip.host = text(kMaxVipHost);
    // It becomes part of rules and names: nothing but what such names have.
    for (const char c : value.vip.host)
      if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == ':')) fail();
    const uint8_t protocol = u8();
    if (protocol != 6 && protocol != 17) fail();
    value.vip.protocol = protocol == 17 ? Protocol::Udp : Protocol::Tcp;
    value.vip.port = u16();
    if (value.vip.host.empty() || value.vip.port == 0) fail();
    value.slot = static_cast<uint32_t>(number(UINT32_MAX));
    value.version = number();
    const size_t count = number(kMaxBackends);
    for (size_t i = 0; i < count && ok_; ++i) {
      Backend backend;
      const uint8_t flags = u8();
      backend.weight = static_cast<uint8_t>(flags >> 1);
      if (backend.weight > 1) fail();
      backend.endpoint = real_endpoint();
      if (flags & 1) {
        backend.agent = backend.endpoint.address;
      } else {
        backend.agent = address();
        if (backend.agent == backend.endpoint.address) fail();
      }
      value.backends.push_back(backend);
    }
    return value;
  }
  MemberInfo member() {
    MemberInfo value;
    value.id = u64();
    value.at = real_endpoint();
    value.incarnation = static_cast<uint32_t>(number(UINT32_MAX));
    const uint8_t state = u8();
    if (state > 3 || value.id == 0) fail();
    value.state = static_cast<MemberState>(state & 3);
    if (value.state == MemberState::Suspect) value.accuser = u64();
    value.ip = address();
    value.hostname = text(kMaxHostname);
    return value;
  }

 private:
  std::string_view in_;
  bool ok_ = true;
};

struct Encoder {
  Put put;

  void operator()(const Ping& f) {
    put.number(f.sequence);
    put.u64(f.target);
    put.u8(f.join ? 1 : 0);
  }
  void operator()(const Ack& f) { put.number(f.sequence); }
  void operator()(const Nack& f) { put.number(f.sequence); }
  void operator()(const PingRequest& f) {
    put.number(f.sequence);
    put.u64(f.target);
    put.endpoint(f.at);
  }
  void operator()(const Gossip& f) { put.member(f.member); }
  void operator()(const Sync& f) { put.member(f.member); }
  void operator()(const Digest& f) {
    put.u64(f.members);
    for (const uint64_t bucket : f.buckets) put.u64(bucket);
  }
  void operator()(const MembersWanted&) {}
  void operator()(const Owners& f) {
    put.u8(f.bucket);
    put.u64(f.first);
    put.u64(f.last);
    put.number(f.known.size());
    for (const auto& [id, version] : f.known) {
      put.u64(id);
      put.number(version);
    }
  }
  void operator()(const Pull& f) {
    put.u64(f.owner);
    put.number(f.since);
    put.number(f.cleared);
  }
  void operator()(const Chunk& f) {
    put.u64(f.owner);
    put.number(f.from);
    put.number(f.to);
    put.number(f.floor);
    put.u8(f.reset ? 1 : 0);
    put.number(f.entries.size());
    for (const Entry& entry : f.entries) put.entry(entry);
  }
};

bool boolean(Get& get) {
  const uint8_t value = get.u8();
  if (value > 1) get.fail();
  return value == 1;
}

Owners get_owners(Get& get) {
  Owners f;
  f.bucket = get.u8();
  if (f.bucket >= kDigestBuckets) get.fail();
  f.first = get.u64();
  f.last = get.u64();
  const size_t count = get.number(kMaxOwners);
  for (size_t i = 0; i < count && get.ok(); ++i) {
    const NodeId id = get.u64();
    f.known.emplace_back(id, get.number());
  }
  return f;
}

Chunk get_chunk(Get& get) {
  Chunk f;
  f.owner = get.u64();
  f.from = get.number();
  f.to = get.number();
  f.floor = get.number();
  f.reset = boolean(get);
  const size_t count = get.number(4096);
  for (size_t i = 0; i < count && get.ok(); ++i) {
    f.entries.push_back(get.entry());
    if (f.entries.back().version <= f.from || f.entries.back().version > f.to) get.fail();
  }
  if (f.owner == 0 || f.to < f.from) get.fail();
  return f;
}

Frame get_frame(Get& get, uint8_t kind) {
  const auto sequence = [&get] { return static_cast<uint32_t>(get.number(UINT32_MAX)); };
  switch (kind) {
    case 0: {
      Ping f;
      f.sequence = sequence();
      f.target = get.u64();
      f.join = boolean(get);
      return f;
    }
    case 1:
      return Ack{sequence()};
    case 2:
      return Nack{sequence()};
    case 3: {
      PingRequest f;
      f.sequence = sequence();
      f.target = get.u64();
      f.at = get.real_endpoint();
      return f;
    }
    case 4:
      return Gossip{get.member()};
    case 5:
      return Sync{get.member()};
    case 6: {
      Digest f;
      f.members = get.u64();
      for (uint64_t& bucket : f.buckets) bucket = get.u64();
      return f;
    }
    case 7:
      return MembersWanted{};
    case 8:
      return get_owners(get);
    case 9: {
      Pull f;
      f.owner = get.u64();
      f.since = get.number();
      f.cleared = get.number();
      return f;
    }
    case 10:
      return get_chunk(get);
    default:
      get.fail();
      return Ping{};
  }
}

}  // namespace

void encode(std::string& out, const Frame& frame) {
  Encoder encoder{Put(out)};
  encoder.put.u8(static_cast<uint8_t>(frame.index()));
  std::visit(encoder, frame);
}

std::string encode_frames(const std::vector<Frame>& frames) {
  std::string out;
  for (const Frame& frame : frames) encode(out, frame);
  return out;
}

base::Result<std::vector<Frame>> decode_frames(std::string_view bytes) {
  if (bytes.size() > kMaxDatagram) return base::invalid("datagram too large");
  std::vector<Frame> frames;
  Get get(bytes);
  while (!get.at_end()) {
    if (frames.size() >= kMaxFrames) return base::invalid("too many frames in a datagram");
    const uint8_t kind = get.u8();
    frames.push_back(get_frame(get, kind));
    if (!get.ok()) return base::invalid("a frame does not decode");
  }
  return frames;
}

std::string encode_entry(const Entry& entry) {
  std::string out;
  Put(out).entry(entry);
  return out;
}

base::Result<Entry> decode_entry(std::string_view bytes) {
  Get get(bytes);
  Entry entry = get.entry();
  if (!get.ok() || !get.at_end()) return base::invalid("an entry does not decode");
  return entry;
}

}  // namespace l4lb
