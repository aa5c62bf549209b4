#include "admin-router/poller.hpp"

#include <sys/epoll.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/check.hpp"

namespace admin_router {
namespace {

constexpr int kBatch = 256;
constexpr int kRounds = 8;  // then the rest of the daemon gets its turn

}  // namespace

struct Poller::Impl : std::enable_shared_from_this<Poller::Impl> {
  explicit Impl(base::Loop& loop) : descriptor(loop.context()) {
    int fd = ::epoll_create1(EPOLL_CLOEXEC);
    CHECK(fd >= 0);
    descriptor.assign(fd);
  }

  void wait() {
    descriptor.async_wait(boost::asio::posix::descriptor_base::wait_read,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                            if (error || self->closed) return;
                            self->turn();
                            if (!self->closed) self->wait();
                          });
  }

  void turn() {
    std::array<epoll_event, kBatch> events;
    for (int round = 0; round < kRounds; ++round) {
      int count = ::epoll_wait(descriptor.native_handle(), events.data(), kBatch, 0);
      if (count <= 0) return;
      for (int i = 0; i < count; ++i) {
        auto& event = events[static_cast<size_t>(i)];
        static_cast<Watch*>(event.data.ptr)->on_ready(event.events);
      }
      if (after_turn) after_turn();
    }
  }

  boost::asio::posix::stream_descriptor descriptor;
  std::function<void()> after_turn;
  bool closed = false;
};

Poller::Poller(base::Loop& loop) : impl_(std::make_shared<Impl>(loop)) {
  impl_->wait();
}

Poller::~Poller() {
  impl_->closed = true;
  impl_->after_turn = nullptr;
  boost::system::error_code ignored;
  impl_->descriptor.close(ignored);
}

bool Poller::add(int fd, Watch& watch, bool edge) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | (edge ? EPOLLOUT | EPOLLET : 0u);
  event.data.ptr = &watch;
  return ::epoll_ctl(impl_->descriptor.native_handle(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void Poller::remove(int fd) {
  ::epoll_ctl(impl_->descriptor.native_handle(), EPOLL_CTL_DEL, fd, nullptr);
}

void Poller::set_after_turn(std::function<void()> call) {
  impl_->after_turn = std::move(call);
}

}  // namespace admin_router
