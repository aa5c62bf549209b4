#pragma once

// Calls to a storage plugin: gRPC without streams on a unix socket. The only place of gRPC here.

#include <functional>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "base/time.hpp"
#include "kernel/storage/provider.hpp"

namespace storage {

class Plugin {
 public:
  /// `socket`: a path, or unix:/path. Nothing is connected before the first call.
  Plugin(base::Loop& loop, const std::string& socket);

  /// Calls that are under way are cancelled; nobody is told.
  ~Plugin();
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  /// `done` comes on the loop. A plugin that is not there is kUnavailable, one that is silent kDeadlineExceeded.
  void call(const std::string& method, const std::string& body, base::Duration timeout, std::function<void(Answer)> done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace storage
