#include "admin-router/chunks.hpp"

#include <algorithm>

#include "admin-router/http_head.hpp"

namespace admin_router {
namespace {

constexpr uint32_t kMaxExtension = 256;
constexpr uint32_t kMaxTrailers = 8192;
constexpr uint64_t kMaxChunk = uint64_t{1} << 40;

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool control(char c) {
  auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && byte != '\t') || byte == 0x7f;
}

// Fields that would change how the message is framed or routed, had they come in the head.
bool forbidden_trailer(std::string_view name) {
  Name known = known_name(name);
  return known == Name::ContentLength || known == Name::TransferEncoding || known == Name::Host ||
         known == Name::Connection || known == Name::Authorization || known == Name::Trailer;
}

}  // namespace

size_t ChunkScanner::scan(std::string_view data, std::string* payload) {
  size_t i = 0;
  while (i < data.size() && state_ == State::More) {
    if (at_ == At::Data) {
      size_t take = static_cast<size_t>(std::min<uint64_t>(left_, data.size() - i));
      if (payload != nullptr) payload->append(data.substr(i, take));
      i += take;
      left_ -= take;
      if (left_ == 0) at_ = At::DataCr;
      continue;
    }
    if (!step(data[i])) return fail(i);
    ++i;
  }
  return i;
}

bool ChunkScanner::step(char c) {
  switch (at_) {
    case At::SizeStart:
      if (hex(c) < 0) return false;
      left_ = static_cast<uint64_t>(hex(c));
      line_bytes_ = 0;
      at_ = At::Size;
      return true;
    case At::Size:
      if (hex(c) >= 0) {
        left_ = left_ * 16 + static_cast<uint64_t>(hex(c));
        return left_ <= kMaxChunk && ++line_bytes_ < 16;
      }
      if (c == '\r') {
        at_ = At::SizeLf;
        return true;
      }
      if (c != ';') return false;
      at_ = At::Extension;
      return true;
    case At::Extension:
      if (c == '\r') {
        at_ = At::SizeLf;
        return true;
      }
      return !control(c) && ++line_bytes_ < kMaxExtension;
    case At::SizeLf:
      if (c != '\n') return false;
      line_bytes_ = 0;
      at_ = left_ == 0 ? At::LineStart : At::Data;
      return true;
    case At::DataCr:
      at_ = At::DataLf;
      return c == '\r';
    case At::DataLf:
      at_ = At::SizeStart;
      return c == '\n';
    case At::LineStart:
      if (c == '\r') {
        at_ = At::EndLf;
        return true;
      }
      trailer_name_.clear();
      at_ = At::Trailer;
      [[fallthrough]];
    case At::Trailer:
      if (c == '\r') {
        at_ = At::TrailerLf;
        return trailer_name_.ends_with(':');
      }
      if (control(c) || ++line_bytes_ > kMaxTrailers) return false;
      if (!trailer_name_.ends_with(':')) {
        if (c == ' ' || c == '\t') return false;
        if (c == ':' && (trailer_name_.empty() || forbidden_trailer(trailer_name_))) return false;
        trailer_name_ += c;
      }
      return true;
    case At::TrailerLf:
      at_ = At::LineStart;
      return c == '\n';
    case At::EndLf:
      if (c != '\n') return false;
      state_ = State::Done;
      return true;
    case At::Data:
      return true;
  }
  return false;
}

}  // namespace admin_router
