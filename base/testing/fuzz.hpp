#pragma once

// Runs a fuzz entry point without a fuzzing engine: on given inputs, and on random mutations of
// them from a seed. The entry points themselves are in the libFuzzer form (x_fuzz.cpp), to be
// linked with an engine for long runs.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"

namespace base::testing {

/// Tells a story from fuzzed bytes: its pieces, between lines of "---", one after the other, no more than
/// `max_pieces`; then its end. More than 64 KiB are left alone.
template <class Story>
int tell_story(const uint8_t* data, size_t size, size_t max_pieces) {
  if (size > 64 << 10) return 0;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view kSeparator = "\n---\n";
  Story story;
  for (size_t pieces = 0; pieces < max_pieces; ++pieces) {
    const size_t end = text.find(kSeparator);
    story.piece(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + kSeparator.size());
  }
  story.end();
  return 0;
}

using FuzzEntry = int (*)(const uint8_t* data, size_t size);

inline void run_entry(FuzzEntry entry, const std::string& input) {
  // An exact copy on the heap, so that a sanitizer sees every read past its end.
  const std::vector<uint8_t> copy(input.begin(), input.end());
  entry(copy.data(), copy.size());
}

/// One to eight small changes: flipped bits, new bytes, cuts, doubled pieces, pieces of another
/// input.
inline std::string mutate(std::string input, const std::vector<std::string>& corpus,
                          Random& random) {
  for (uint64_t changes = 1 + random.below(8); changes > 0; --changes) {
    const size_t at = input.empty() ? 0 : random.below(input.size());
    switch (random.below(6)) {
      case 0:
        if (!input.empty()) input[at] = static_cast<char>(input[at] ^ (1 << random.below(8)));
        break;
      case 1:
        input.insert(at, 1, static_cast<char>(random.below(256)));
        break;
      case 2:
        input.erase(at, 1 + random.below(4));
        break;
      case 3:
        input.resize(at);
        break;
      case 4:
        input.insert(at, input.substr(at, random.below(16)));
        break;
      default: {
        const std::string& other = random.choose(corpus);
        if (!other.empty())
          input.insert(at, other.substr(random.below(other.size()), random.below(32)));
      }
    }
  }
  return input;
}

/// Each input of `corpus` once, then `rounds` mutations.
inline void fuzz(FuzzEntry entry, const std::vector<std::string>& corpus, int rounds,
                 uint64_t seed) {
  Random random(seed);
  for (const std::string& input : corpus) run_entry(entry, input);
  for (int round = 0; round < rounds; ++round)
    run_entry(entry, mutate(random.choose(corpus), corpus, random));
}

}  // namespace base::testing
