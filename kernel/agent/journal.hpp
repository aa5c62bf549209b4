#pragma once

// Write before act: collects what an event changes in the store and holds back the effects that may happen only when
// that is durable. One commit is under way at a time, so that a commit that fails (disk full) and is tried again can
// never overwrite a later one; what accumulates meanwhile shares the next commit.

#include <string>
#include <vector>

#include "base/time.hpp"
#include "kernel/agent/effects.hpp"

namespace agent {

class Journal {
 public:
  static constexpr const char* kRetryTimer = "journal/retry";

  void put(std::string key, std::string value) { next_.put(std::move(key), std::move(value)); }
  void erase(std::string key) { next_.erase(std::move(key)); }

  /// `effect` happens after everything put so far is durable, and after effects given before it.
  template <class T>
  void then(T effect) {
    waiting_.emplace_back(std::move(effect));
  }

  /// At the end of every event: starts a commit, or lets the effects go when there is nothing to commit.
  void flush(Effects& out);

  void persisted(const base::Status& status, base::Now now, Effects& out);
  void retry(Effects& out);

  /// Commits fail at the moment.
  bool failing() const { return failures_ > 0; }

 private:
  base::StoreBatch next_, current_;
  std::vector<Effect> waiting_, after_current_;
  bool busy_ = false;
  uint64_t failures_ = 0;
};

}  // namespace agent
