#pragma once

// The profiles of disks where operators keep them: a file, or a URL that is asked from time to time.

#include <functional>
#include <memory>
#include <string>

#include "base/http/client.hpp"
#include "base/loop.hpp"
#include "base/pool.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "kernel/agent/modules.hpp"
#include "kernel/storage/profiles.hpp"

namespace agent {

class ProfileWatch {
 public:
  using Changed = std::function<void(storage::Profiles)>;

  /// `kept`: a file that has what a URL said last, for the next start.
  ProfileWatch(base::Loop& loop, base::Pool& pool, ProfileSource source, std::string kept, Changed changed);
  ~ProfileWatch();

  /// Tells what there is, and every change from then on. A file that cannot be used is an error; of a URL what it said last is
  /// taken until it answers.
  base::Status start();

  /// Something was told, or there is no source. Before that nobody can say that a profile does not exist.
  bool known() const { return known_; }

 private:
  void poll();
  void heard(base::Result<std::string> text);
  base::Status take(const std::string& text);

  base::Loop& loop_;
  base::Pool& pool_;
  ProfileSource source_;
  std::string kept_;
  Changed changed_;
  base::http::Client client_;
  base::Random random_ = base::Random::from_os();
  std::string text_, pending_;  // what was told last; what is told after a while
  bool known_ = false, asking_ = false, complained_ = false;
  base::Loop::TimerId timer_ = 0, wait_timer_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace agent
