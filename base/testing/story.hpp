#pragma once

// Stories for fuzzers of whole cores (decision 0071): what a fuzzer made, in pieces that happen one after the other.

#include <cstddef>
#include <cstdint>
#include <string_view>

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

}  // namespace base::testing
