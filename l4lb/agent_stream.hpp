#pragma once

// Follows one agent's task stream: connects, reads, and connects again. Silence ends a connection.

#include <functional>
#include <memory>
#include <string>

#include "base/http/client.hpp"
#include "base/random.hpp"
#include "l4lb/events.hpp"

namespace l4lb {

class AgentStream {
 public:
  struct Callbacks {
    std::function<void(Event)> on_event;
    std::function<void(const std::string& problem)> on_problem;
  };

  /// `url` is the agent's root, such as http://10.0.0.1:5051; it names the agent in events.
  AgentStream(base::Loop& loop, base::http::Client& client, std::string url, Callbacks callbacks);
  ~AgentStream();
  AgentStream(const AgentStream&) = delete;
  AgentStream& operator=(const AgentStream&) = delete;

  bool connected() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace l4lb
