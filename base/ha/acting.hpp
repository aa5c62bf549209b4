#pragma once

// Whether this process acts: alone with a store of its own, or as the one of several that leads. What a daemon's shell holds and
// asks before each act. One loop, one thread.

#include <functional>
#include <memory>
#include <string>

#include "base/ha/member.hpp"

namespace base::ha {

/// The exit code of a process that has lost the leadership, or given it up: its supervisor starts it again.
constexpr int kLeadershipLost = 103;

class Acting {
 public:
  /// `store`: its own, or null for one of several. `take_down`: what sends for the shell goes, so that nothing of a lost
  /// leadership leaves the process.
  Acting(Loop& loop, Store* store, std::function<void()> take_down)
      : loop_(loop), store_(store), take_down_(std::move(take_down)) {}

  struct Contest {
    Member::Options options;
    std::function<void()> on_leading;  // the store is open; call serving() when it is read
    std::function<void(http::Request, http::Responder)> serve;
    std::function<http::Response(int status, const std::string& message)> refuse;
  };

  /// One of several from now on.
  void contend(Contest contest);

  /// Null: not opened yet.
  Store* store() const { return store_; }

  /// Null: alone.
  Member* member() const { return member_.get(); }

  /// The shell's core has what is stored: events may enter it.
  void begin() { begun_ = true; }
  bool begun() const { return begun_; }

  /// Requests that wait for a leader are served.
  void serving() {
    if (member_) member_->serving();
  }

  /// To be asked before each act.
  bool may_act() const { return begun_ && (!member_ || member_->may_act()); }

  /// Nothing enters or leaves the core any more; then the process ends, so that nothing of this leadership is left over.
  void stop(const std::string& why);
  bool stopped() const { return stopped_; }

  /// Of one of several: the next one need not wait for the session to end.
  void resign();

 private:
  Loop& loop_;
  Store* store_;
  std::function<void()> take_down_;
  std::unique_ptr<Store> opened_{};
  std::unique_ptr<Member> member_{};
  bool begun_ = false;  // and no other process acts
  bool stopped_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

/// The end of a daemon's main. After a lost leadership nobody waits for connections of that time to come to their end.
int end_process(int exit_code);

}  // namespace base::ha
