// Fuzz entry point: any bytes as a datagram. What decodes must encode to the same bytes again.

#include <cstdint>

#include "base/check.hpp"
#include "l4lb/wire.hpp"

int fuzz_l4lb_wire(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto frames = l4lb::decode_frames(bytes);
  if (frames) CHECK(l4lb::encode_frames(*frames) == bytes);
  if (const auto entry = l4lb::decode_entry(bytes)) CHECK(l4lb::encode_entry(*entry) == bytes);
  return 0;
}
