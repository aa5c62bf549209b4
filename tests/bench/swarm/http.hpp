#pragma once

// A keep-alive HTTP/1.1 connection: requests one after the other without waiting for answers, and streams.

#include <deque>
#include <functional>
#include <string>
#include <string_view>

#include "tests/bench/swarm/sockets.hpp"

namespace swarm {

struct Answer {
  int status = 0;  // 0: the connection ended before
  std::string headers, body;

  /// Empty when absent; `name` in lower case.
  std::string header(const std::string& name) const;
};

class Http : private Socket {
 public:
  Http(Sockets& sockets, Endpoint server) : Socket(sockets), server_(std::move(server)) {}

  /// Requests go to another server from now on; what is under way is dropped without a word.
  void turn_to(Endpoint server);

  /// `fields`: complete lines of further headers. Opens the connection when there is none.
  void request(const std::string& method, const std::string& target, const std::string& fields, std::string_view body,
               std::function<void(Answer)> done);

  /// The answer's head, then pieces of its body as they come; `ended` at last. Nothing may be requested afterwards.
  struct Stream {
    std::function<void(const Answer& head)> on_head;
    std::function<void(std::string_view data)> on_data;
    std::function<void()> on_end;
  };
  void stream(const std::string& method, const std::string& target, const std::string& fields, std::string_view body,
              Stream stream);

  using Socket::close;
  using Socket::stop_reading;

 private:
  void on_data(std::string_view bytes) override;
  void on_closed() override;
  void write_request(const std::string& method, const std::string& target, const std::string& fields, std::string_view body);
  bool take_head();
  bool take_body();
  void finish();

  Endpoint server_;
  std::string in_;
  size_t at_ = 0;  // read so far
  bool in_body_ = false, chunked_ = false;
  size_t left_ = 0;  // of the body, or of the chunk
  Answer answer_;
  std::deque<std::function<void(Answer)>> waiting_;
  Stream stream_;
  bool streaming_ = false;
};

}  // namespace swarm
