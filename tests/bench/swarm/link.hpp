#pragma once

// The agent's end of the link to the master, spoken directly: the parts of HTTP/2 and gRPC that one stream of messages
// needs. A connection costs its benchmark a hundredth of what gRPC's own client costs.

#include <string>
#include <string_view>

#include "kernel/api/internal/agent_link.pb.h"
#include "tests/bench/swarm/sockets.hpp"

namespace swarm {

class Link : private Socket {
 public:
  explicit Link(Sockets& sockets) : Socket(sockets) {}

  /// Connects; messages may be sent at once.
  void connect(const Endpoint& master);
  void send_message(const dcos::internal::v1::AgentMessage& message);
  using Socket::close;
  using Socket::is_open;

 protected:
  virtual void on_message(const dcos::internal::v1::MasterMessage& message) = 0;
  /// Refused, broken, or ended by the master.
  virtual void on_lost() = 0;

 private:
  void on_data(std::string_view bytes) override;
  void on_closed() override { on_lost(); }
  bool on_frame(uint8_t type, uint8_t flags, std::string_view body);
  void on_settings(std::string_view body);
  void on_window(uint32_t stream, uint32_t more);
  void pump();
  void frame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view body);

  std::string in_, message_;  // incomplete frame, incomplete message
  uint32_t frame_stream_ = 0;
  std::string waiting_;       // what the windows do not admit yet
  int64_t window_ = 0, stream_window_ = 0, initial_window_ = 0;
};

}  // namespace swarm
