#include "base/ha/acting.hpp"

#include <unistd.h>

#include <cstdio>

#include "base/log.hpp"

namespace base::ha {

void Acting::contend(Contest contest) {
  Member::Callbacks callbacks;
  callbacks.on_leading = [this, on_leading = std::move(contest.on_leading)](std::unique_ptr<Store> opened) {
    opened_ = std::move(opened);
    store_ = opened_.get();
    on_leading();
  };
  callbacks.on_lost = [this](const std::string& why) { stop(why); };
  callbacks.serve = std::move(contest.serve);
  callbacks.refuse = std::move(contest.refuse);
  member_ = std::make_unique<Member>(loop_, std::move(contest.options), std::move(callbacks));
  member_->start();
}

void Acting::stop(const std::string& why) {
  if (stopped_) return;
  stopped_ = true;
  begun_ = false;
  LOG_ERROR("the leadership is lost, and this process ends: {}", why);
  // Later, because this may be called by what is taken down here. The session's end lets the next one begin.
  loop_.post([this, weak = std::weak_ptr(alive_)] {
    if (weak.expired()) return;
    resign();
    loop_.stop(kLeadershipLost);
  });
}

void Acting::resign() {
  begun_ = false;
  take_down_();
  if (opened_) store_ = nullptr;
  opened_.reset();
  member_.reset();
}

int end_process(int exit_code) {
  if (exit_code == 0) return 0;
  std::fflush(nullptr);
  ::_exit(exit_code);
}

}  // namespace base::ha
