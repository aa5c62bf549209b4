#include "base/recordio.hpp"

#include <algorithm>

namespace base {

std::string encode_record(std::string_view payload) {
  std::string out = std::to_string(payload.size());
  out.reserve(out.size() + 1 + payload.size());
  out += '\n';
  out += payload;
  return out;
}

Status RecordDecoder::feed(std::string_view bytes, std::vector<std::string>& out) {
  if (failed_) return Error{Code::Corrupt, "the record stream has failed before"};
  const auto fail = [&](Code code, std::string message) -> Status {
    failed_ = true;
    buffer_.clear();
    return Error{code, std::move(message)};
  };
  while (true) {
    if (!in_payload_) {
      const size_t end = bytes.find('\n');
      buffer_ += bytes.substr(0, end);
      // 20 digits hold any 64-bit length: a longer header is not a record stream.
      if (buffer_.size() > 20 || buffer_.find_first_not_of("0123456789") != std::string::npos) {
        return fail(Code::Corrupt, "a record's length is not a number");
      }
      if (end == std::string_view::npos) return {};
      if (buffer_.empty()) return fail(Code::Corrupt, "a record has no length");
      length_ = 0;
      for (char c : buffer_) {
        length_ = length_ * 10 + static_cast<size_t>(c - '0');
        if (length_ > max_record_) return fail(Code::TooLarge, "a record is larger than " + std::to_string(max_record_) + " bytes");
      }
      buffer_.clear();
      bytes.remove_prefix(end + 1);
      in_payload_ = true;
    }
    const size_t take = std::min(length_ - buffer_.size(), bytes.size());
    buffer_ += bytes.substr(0, take);
    bytes.remove_prefix(take);
    if (buffer_.size() < length_) return {};
    out.push_back(std::move(buffer_));
    buffer_.clear();
    in_payload_ = false;
  }
}

}  // namespace base
