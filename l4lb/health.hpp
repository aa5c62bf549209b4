#pragma once

// Passive failure marks (pure): a backend that refused a connection from this machine gets no new ones for a while,
// longer each time. Local knowledge: never told to others, whose way to the backend may be another.

#include <map>
#include <vector>

#include "base/time.hpp"
#include "l4lb/types.hpp"

namespace l4lb {

struct FailureMarksOptions {
  base::Duration first = base::seconds(5);
  base::Duration longest = base::seconds(60);
  base::Duration memory = base::seconds(120);  // after which the first time begins again
  size_t limit = 10'000;
};

class FailureMarks {
 public:
  explicit FailureMarks(FailureMarksOptions options = {}) : options_(options) {}

  /// True when it was not marked before.
  bool fail(const Endpoint& backend, base::Instant now);
  bool marked(const Endpoint& backend, base::Instant now) const;

  /// Marks that have ended since the last call.
  std::vector<Endpoint> expire(base::Instant now);
  base::Instant next() const;  // when the first mark ends; far away when there is none
  size_t active() const { return active_; }

 private:
  struct Mark {
    base::Instant until{};
    base::Duration length{};
    bool active = false;
  };
  FailureMarksOptions options_;
  std::map<Endpoint, Mark> marks_;
  size_t active_ = 0;
};

}  // namespace l4lb
