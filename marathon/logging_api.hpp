#pragma once

// /logging: which level the log has, and changing it, for good or for a while. The original has one for each of its classes; here
// every name means the whole log. On one loop.

#include <string>

#include "base/http/message.hpp"
#include "base/log.hpp"
#include "base/loop.hpp"

namespace marathon {

class LoggingApi {
 public:
  explicit LoggingApi(base::Loop& loop) : loop_(loop) {}
  ~LoggingApi();
  LoggingApi(const LoggingApi&) = delete;
  LoggingApi& operator=(const LoggingApi&) = delete;

  /// GET tells, POST {"level", "logger", "durationSeconds"?} changes and answers with the same.
  base::http::Response handle(const base::http::Request& request);

 private:
  base::http::Response change(const std::string& body);

  base::Loop& loop_;
  base::Loop::TimerId timer_ = 0;
};

}  // namespace marathon
