#include "kernel/containerizer/fd_watch.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace containerizer {

struct FdWatch::Impl : std::enable_shared_from_this<FdWatch::Impl> {
  Impl(base::Loop& loop, base::Fd fd, std::function<void()> call)
      : descriptor(loop.context(), fd.release()), readable(std::move(call)) {}

  void wait() {
    armed = true;
    descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                            self->armed = false;
                            if (error || !self->readable || self->paused) return;
                            const auto call = self->readable;  // survives the watch's end in the call
                            call();
                            if (self->readable && !self->armed && !self->paused) self->wait();
                          });
  }

  boost::asio::posix::stream_descriptor descriptor;
  std::function<void()> readable, writable;
  bool armed = false, paused = false;
};

FdWatch::FdWatch(base::Loop& loop, base::Fd fd, std::function<void()> readable)
    : impl_(std::make_shared<Impl>(loop, std::move(fd), std::move(readable))) {
  impl_->wait();
}

FdWatch::~FdWatch() {
  impl_->readable = nullptr;
  impl_->writable = nullptr;
  boost::system::error_code ignored;
  impl_->descriptor.close(ignored);
}

void FdWatch::pause(bool pause) {
  impl_->paused = pause;
  if (!pause && !impl_->armed) impl_->wait();
}

void FdWatch::when_writable(std::function<void()> call) {
  impl_->writable = std::move(call);
  impl_->descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                               [impl = impl_](const boost::system::error_code& error) {
                                 if (error) return;
                                 if (const auto next = std::exchange(impl->writable, nullptr)) next();
                               });
}

int FdWatch::fd() const { return impl_->descriptor.native_handle(); }

}  // namespace containerizer
