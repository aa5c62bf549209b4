#include "base/random.hpp"

#include <cstdio>

#include <random>

namespace base {

namespace {

uint64_t splitmix(uint64_t& x) {
  x += 0x9e3779b97f4a7c15;
  uint64_t z = x;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

}  // namespace

Random::Random(uint64_t seed) {
  for (uint64_t& word : state_) word = splitmix(seed);
}

Random Random::from_os() {
  std::random_device device;
  return Random((uint64_t{device()} << 32) ^ device());
}

// xoshiro256** 1.0 (Blackman and Vigna, public domain): small state, passes BigCrush.
uint64_t Random::next() {
  const uint64_t result = rotl(state_[1] * 5, 7) * 9;
  const uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = rotl(state_[3], 45);
  return result;
}

uint64_t Random::below(uint64_t bound) {
  CHECK(bound > 0);
  // Lemire's multiply-shift without the rejection step: the bias is below 2^-64 * bound.
  return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
}

double Random::unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

Duration Random::jitter(Duration limit) {
  if (limit <= Duration::zero()) return Duration::zero();
  return Duration(static_cast<int64_t>(below(static_cast<uint64_t>(limit.count()) + 1)));
}

std::string Random::uuid_bytes() {
  std::string bytes(16, '\0');
  for (size_t half = 0; half < 2; ++half) {
    uint64_t word = next();
    for (size_t i = 0; i < 8; ++i, word >>= 8) bytes[half * 8 + i] = static_cast<char>(word & 0xff);
  }
  bytes[6] = static_cast<char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3f) | 0x80);
  return bytes;
}

std::string Random::uuid() {
  static constexpr char kHex[] = "0123456789abcdef";
  const std::string bytes = uuid_bytes();
  std::string text;
  text.reserve(36);
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    const auto byte = static_cast<unsigned char>(bytes[i]);
    text.push_back(kHex[byte >> 4]);
    text.push_back(kHex[byte & 15]);
  }
  return text;
}

}  // namespace base
