#pragma once

// Server-sent events (pure): encoder and incremental decoder.

#include <string>
#include <string_view>
#include <vector>

namespace base::http {

struct SseEvent {
  std::string event;  // empty: "message"
  std::string data;   // may have several lines
  std::string id;
};

std::string encode_sse(const SseEvent& event);

class SseDecoder {
 public:
  void feed(std::string_view bytes, std::vector<SseEvent>& out);

 private:
  std::string buffer_;
  SseEvent current_;
  bool has_data_ = false;
};

}  // namespace base::http
