#pragma once

// A master of a benchmark's own: a process with a directory and ports, ended with the object.

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/testing/temporary_directory.hpp"
#include "tests/bench/swarm/sockets.hpp"

namespace swarm {

class MasterProcess {
 public:
  /// Starts it and waits until it serves. Its registry is on disk below its directory, unless `flags` name a --zk.
  explicit MasterProcess(std::vector<std::string> flags = {});
  ~MasterProcess();

  uint16_t port() const { return port_; }

  /// The same again, on the same port and directory; does not wait until it serves.
  void start();
  void stop(int signal);  // and waits for its end
  bool serves() const;

  double cpu_seconds() const;
  double resident_kib() const;

 private:
  bool wait_until_it_serves();

  base::testing::TemporaryDirectory directory_;
  std::vector<std::string> flags_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

/// As many descriptors as this process may have; inherited by what it starts. Returns how many.
size_t raise_descriptor_limit();

}  // namespace swarm
