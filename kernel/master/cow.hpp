#pragma once

#include <atomic>
#include <memory>
#include <utility>

namespace master {

/// A value that is cheap to share with readers on other threads and cheap to change while nobody reads it: edit() copies
/// only when a snapshot still holds the value. One owner, on the core's thread.
template <class T>
class Cow {
 public:
  Cow() : value_(std::make_shared<T>()) {}
  explicit Cow(T value) : value_(std::make_shared<T>(std::move(value))) {}

  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }

  /// What a snapshot keeps.
  std::shared_ptr<const T> share() const { return value_; }

  T& edit() {
    if (value_.use_count() > 1) {
      value_ = std::make_shared<T>(*value_);
    } else {
      // Pairs with the release of the last reader's reference on its thread.
      std::atomic_thread_fence(std::memory_order_acquire);
    }
    return *value_;
  }

 private:
  std::shared_ptr<T> value_;
};

}  // namespace master
