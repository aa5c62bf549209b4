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

/// Takes lines ended by LF, CRLF or CR. An event larger than 16 MiB is dropped.
class SseDecoder {
 public:
  void feed(std::string_view bytes, std::vector<SseEvent>& out);

 private:
  void take_line(std::string_view line, std::vector<SseEvent>& out);

  std::string buffer_;  // the begun line
  bool skip_newline_ = false;
  bool first_line_ = true;
  bool oversized_ = false;
  SseEvent current_;
  bool has_data_ = false;
};

}  // namespace base::http
