#include "base/http/sse.hpp"

#include <utility>

#include "base/strings.hpp"

namespace base::http {

namespace {

constexpr size_t kMaxEventBytes = size_t{16} << 20;

}  // namespace

std::string encode_sse(const SseEvent& event) {
  std::string out;
  out.reserve(event.data.size() + event.event.size() + event.id.size() + 32);
  if (!event.event.empty()) out.append("event: ").append(event.event).append("\n");
  if (!event.id.empty()) out.append("id: ").append(event.id).append("\n");
  for (std::string_view line : split(event.data, '\n')) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    out.append("data: ").append(line).append("\n");
  }
  out.append("\n");
  return out;
}

void SseDecoder::feed(std::string_view bytes, std::vector<SseEvent>& out) {
  while (!bytes.empty()) {
    if (skip_newline_ && bytes.front() == '\n') bytes.remove_prefix(1);
    skip_newline_ = false;
    size_t end = bytes.find_first_of("\r\n");
    if (end == std::string_view::npos) {
      if (buffer_.size() + bytes.size() > kMaxEventBytes) {
        oversized_ = true;
      } else {
        buffer_.append(bytes);
      }
      return;
    }
    std::string_view line = bytes.substr(0, end);
    skip_newline_ = bytes[end] == '\r';
    if (buffer_.empty()) {
      take_line(line, out);
    } else {
      if (buffer_.size() + line.size() > kMaxEventBytes) {
        oversized_ = true;
      } else {
        buffer_.append(line);
      }
      take_line(std::exchange(buffer_, {}), out);
    }
    bytes.remove_prefix(end + 1);
  }
}

void SseDecoder::take_line(std::string_view line, std::vector<SseEvent>& out) {
  if (std::exchange(first_line_, false) && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  if (line.empty()) {
    if (has_data_ && !oversized_) out.push_back(std::move(current_));
    current_ = {};
    has_data_ = false;
    oversized_ = false;
    return;
  }
  size_t colon = line.find(':');
  std::string_view name = line.substr(0, colon);
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (name == "data") {
    if (current_.data.size() + value.size() > kMaxEventBytes) {
      oversized_ = true;
      return;
    }
    if (has_data_) current_.data += '\n';
    current_.data.append(value);
    has_data_ = true;
  } else if (name == "event") {
    current_.event = value;
  } else if (name == "id") {
    current_.id = value;
  }
}

}  // namespace base::http
