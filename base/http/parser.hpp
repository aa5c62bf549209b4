#pragma once

// One HTTP/1 message after another out of a byte stream (internal to base/http; Beast's parser inside). Stricter than
// Beast where two readers of the same bytes could disagree about where a message ends.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/http/message.hpp"

namespace base::http {

enum class ParseEvent {
  NeedMore,  // everything usable was taken; call again with more bytes after what is left
  Head,      // head() is complete
  Body,      // piece() is the next part of the body
  Done,      // the message is complete; begin() before the next
  Failed,    // failure() says why
};

struct ParseFailure {
  int status = 400;  // what a server answers
  std::string message;
};

struct MessageInfo {
  bool http10 = false;
  bool keep_alive = true;
  bool chunked = false;
  bool upgrade = false;          // asks for, or is, a change of protocol
  bool expects_continue = false;
  bool until_close = false;      // an answer without a length
  std::optional<uint64_t> content_length;
};

class RequestParser {
 public:
  explicit RequestParser(size_t max_header_bytes);
  ~RequestParser();

  /// Forgets the last message.
  void begin();

  /// True after the first byte of a message until Done.
  bool started() const;

  /// Takes from the front of `data` until something happened.
  ParseEvent next(std::string_view& data);

  Request& head();
  const MessageInfo& info() const;
  std::string_view piece() const;
  const ParseFailure& failure() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class ResponseParser {
 public:
  explicit ResponseParser(size_t max_header_bytes);
  ~ResponseParser();

  /// `no_body`: the answer to HEAD.
  void begin(bool no_body);
  bool started() const;
  ParseEvent next(std::string_view& data);

  /// The stream has ended: Done when that completes the message, else Failed.
  ParseEvent end_of_stream();

  Response& head();
  const MessageInfo& info() const;
  std::string_view piece() const;
  const ParseFailure& failure() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace base::http
