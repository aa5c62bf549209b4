#include "base/clock_watch.hpp"

#include <sys/timerfd.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <limits>
#include <optional>

#include "base/log.hpp"

namespace base {

struct ClockWatch::Impl : std::enable_shared_from_this<Impl> {
  using Descriptor = boost::asio::posix::stream_descriptor;

  std::function<void()> jumped;
  std::optional<Descriptor> descriptor;

  /// A timer that never fires, but is cancelled by a discontinuity of the clock.
  bool arm() {
    itimerspec never{};
    never.it_value.tv_sec = std::numeric_limits<time_t>::max() / 2;
    return ::timerfd_settime(descriptor->native_handle(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, nullptr) == 0;
  }

  void wait() {
    descriptor->async_wait(Descriptor::wait_read, [weak = weak_from_this()](const boost::system::error_code& error) {
      const auto self = weak.lock();
      if (error || !self || !self->jumped) return;
      uint64_t expirations = 0;
      const bool cancelled = ::read(self->descriptor->native_handle(), &expirations, sizeof expirations) < 0 && errno == ECANCELED;
      if (!self->arm()) return;
      self->wait();
      if (cancelled) self->jumped();
    });
  }
};

ClockWatch::ClockWatch(Loop& loop, std::function<void()> jumped) : impl_(std::make_shared<Impl>()) {
  const int fd = ::timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (fd < 0) {
    // Without it a jump is noticed when the core's timer fires, within half a minute.
    LOG_WARNING("no timerfd: {}", errno_error("timerfd_create", errno).message);
    return;
  }
  impl_->jumped = std::move(jumped);
  impl_->descriptor.emplace(loop.context(), fd);
  if (impl_->arm()) impl_->wait();
}

ClockWatch::~ClockWatch() { impl_->jumped = nullptr; }

}  // namespace base
