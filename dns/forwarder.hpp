#pragma once

// Asks others: the request's own bytes go to each resolver in turn, over the client's transport, until one answers. Keeps
// answers; bounds what is under way, in all and for each client. Runs on one loop.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/loop.hpp"
#include "dns/forward.hpp"

namespace dns {

struct ForwarderOptions {
  base::Duration timeout = base::seconds(5);  // of one try
  size_t limit = 1024;
  AnswerCache::Limits cache{};
};

struct ForwarderCounters {
  uint64_t hits = 0, asked = 0, answered = 0, failed = 0, refused = 0, overflowed = 0;
};

class Forwarder {
 public:
  /// Gets the answer, which may be an error; nothing when there are too many requests. Never inside ask().
  using Done = std::function<void(std::optional<std::string>)>;

  Forwarder(base::Loop& loop, const ForwardRules& rules, ForwarderOptions options);
  ~Forwarder();

  void ask(std::string request, const Query& query, const Address& source, bool tcp, Done done);

  size_t under_way() const;
  const ForwarderCounters& counters() const;
  const AnswerCache& cache() const;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace dns
