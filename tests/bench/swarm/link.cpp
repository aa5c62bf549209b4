#include "tests/bench/swarm/link.hpp"

#include <algorithm>

// RFC 9113 (HTTP/2), RFC 7541 (header compression; only literals and the static table), gRPC over HTTP/2.

namespace swarm {

namespace {

enum Frame : uint8_t { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6, kGoAway = 7, kWindowUpdate = 8 };
constexpr uint8_t kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8;
constexpr uint32_t kStream = 1;
constexpr size_t kFrameBytes = 16 << 10;
constexpr uint32_t kWholeWindow = 0x7fffffff;  // we never hold the master back
constexpr int64_t kDefaultWindow = 65'535;
constexpr uint16_t kInitialWindowSize = 4;

std::string big_endian(uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

uint32_t number(std::string_view bytes) {
  uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::string literal(std::string_view text) {
  std::string out(1, static_cast<char>(text.size()));  // shorter than 127
  return out.append(text);
}

const std::string& request_headers() {
  static const std::string block = [] {
    std::string out = "\x83\x86";                                                 // :method POST, :scheme http
    out += "\x04" + literal("/dcos.internal.v1.AgentLink/Connect");               // :path
    out += "\x01" + literal("127.0.0.1");                                         // :authority
    out += std::string("\x0f\x10", 2) + literal("application/grpc");              // content-type
    out += std::string(1, '\0') + literal("te") + literal("trailers");
    return out;
  }();
  return block;
}

}  // namespace

void Link::frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view body) {
  std::string head = big_endian(body.size(), 3);
  head.push_back(static_cast<char>(type));
  head.push_back(static_cast<char>(flags));
  send(head + big_endian(stream, 4));
  send(body);
}

void Link::connect(const Endpoint& master) {
  in_.clear();
  message_.clear();
  waiting_.clear();
  window_ = stream_window_ = initial_window_ = kDefaultWindow;
  open(master);
  send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  frame(kSettings, 0, 0, big_endian(kInitialWindowSize, 2) + big_endian(kWholeWindow, 4));
  frame(kWindowUpdate, 0, 0, big_endian(kWholeWindow - kDefaultWindow, 4));
  frame(kHeaders, kEndHeaders, kStream, request_headers());
}

void Link::send_message(const dcos::internal::v1::AgentMessage& message) {
  if (!is_open()) return;
  const size_t size = message.ByteSizeLong();
  waiting_ += std::string(1, '\0') + big_endian(size, 4);
  message.AppendToString(&waiting_);
  pump();
}

void Link::pump() {
  size_t sent = 0;
  while (sent < waiting_.size() && window_ > 0 && stream_window_ > 0) {
    const size_t piece = std::min({waiting_.size() - sent, kFrameBytes, static_cast<size_t>(std::min(window_, stream_window_))});
    frame(kData, 0, kStream, std::string_view(waiting_).substr(sent, piece));
    window_ -= static_cast<int64_t>(piece);
    stream_window_ -= static_cast<int64_t>(piece);
    sent += piece;
  }
  waiting_.erase(0, sent);
}

void Link::on_data(std::string_view bytes) {
  in_.append(bytes);
  size_t at = 0;
  while (in_.size() - at >= 9) {
    const std::string_view head = std::string_view(in_).substr(at, 9);
    const size_t size = number(head.substr(0, 3));
    if (in_.size() - at - 9 < size) break;
    frame_stream_ = number(head.substr(5)) & 0x7fffffff;
    const bool go_on = on_frame(static_cast<uint8_t>(head[3]), static_cast<uint8_t>(head[4]),
                                std::string_view(in_).substr(at + 9, size));
    if (!go_on) {
      if (is_open()) {
        close();
        on_lost();
      }
      return;
    }
    at += 9 + size;
  }
  in_.erase(0, at);
}

/// False: the stream has ended, or a callback closed the link.
bool Link::on_frame(uint8_t type, uint8_t flags, std::string_view body) {
  switch (type) {
    case kSettings:
      if (!(flags & kAck)) on_settings(body);
      return true;
    case kPing:
      if (!(flags & kAck)) frame(kPing, kAck, 0, body);
      return true;
    case kWindowUpdate: on_window(frame_stream_, number(body)); return true;
    case kHeaders: return !(flags & kEndStream);
    case kReset:
    case kGoAway: return false;
    case kData: break;
    default: return true;
  }
  if (flags & kPadded) return false;  // gRPC never pads
  message_.append(body);
  size_t at = 0;
  while (message_.size() - at >= 5) {
    const size_t size = number(std::string_view(message_).substr(at + 1, 4));
    if (message_.size() - at - 5 < size) break;
    dcos::internal::v1::MasterMessage message;
    if (!message.ParseFromArray(message_.data() + at + 5, static_cast<int>(size))) return false;
    at += 5 + size;
    on_message(message);
    if (!is_open()) return false;
  }
  message_.erase(0, at);
  return !(flags & kEndStream);
}

void Link::on_settings(std::string_view body) {
  for (size_t at = 0; at + 6 <= body.size(); at += 6) {
    if (number(body.substr(at, 2)) != kInitialWindowSize) continue;
    const int64_t initial = number(body.substr(at + 2, 4));
    stream_window_ += initial - initial_window_;
    initial_window_ = initial;
  }
  frame(kSettings, kAck, 0, "");
  pump();
}

void Link::on_window(uint32_t stream, uint32_t more) {
  (stream == 0 ? window_ : stream_window_) += more & 0x7fffffff;
  pump();
}

}  // namespace swarm
