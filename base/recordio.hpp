#pragma once

// RecordIO framing of the kernel's event streams: decimal length, line feed, that many bytes.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace base {

/// One framed record.
std::string encode_record(std::string_view payload);

/// Incremental decoder for bytes in any chunking. After an error it stays failed.
class RecordDecoder {
 public:
  /// Records larger than `max_record` bytes are an error (TooLarge).
  explicit RecordDecoder(size_t max_record = 64 << 20) : max_record_(max_record) {}

  /// Appends the records completed by `bytes` to `out`.
  Status feed(std::string_view bytes, std::vector<std::string>& out);

 private:
  size_t max_record_;
  std::string buffer_;
  bool in_payload_ = false;
  size_t length_ = 0;
  bool failed_ = false;
};

}  // namespace base
