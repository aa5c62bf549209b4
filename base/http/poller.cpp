#include "base/http/poller.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <memory>
#include <vector>

#include "base/check.hpp"

namespace base::http {

namespace asio = boost::asio;

namespace {

class EpollPoller : public asio::execution_context::service, public Poller {
 public:
  inline static asio::execution_context::id id;

  explicit EpollPoller(asio::execution_context& context)
      : service(context),
        descriptor_(static_cast<asio::io_context&>(context)),
        buffer_(std::make_unique<char[]>(kReadBytes)) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    CHECK_MSG(epoll_ >= 0, "epoll_create1 failed");
    descriptor_.assign(epoll_);
    wait();
  }

  Result<uint64_t> add(int fd, std::shared_ptr<Watcher> watcher) override {
    uint32_t slot = 0;
    if (free_.empty()) {
      slot = static_cast<uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      slot = free_.back();
      free_.pop_back();
    }
    slots_[slot].watcher = std::move(watcher);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.u64 = uint64_t{slots_[slot].generation} << 32 | slot;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
      int error = errno;
      slots_[slot].watcher.reset();
      free_.push_back(slot);
      return errno_error("cannot watch a socket", error);
    }
    return event.data.u64;
  }

  void remove(int fd, uint64_t ticket) override {
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
    auto slot = static_cast<uint32_t>(ticket);
    if (slot >= slots_.size() || slots_[slot].generation != ticket >> 32) return;
    ++slots_[slot].generation;  // events of this batch for the old socket are ignored
    auto dropped = std::move(slots_[slot].watcher);
    free_.push_back(slot);
  }

  char* read_buffer() override { return buffer_.get(); }

 private:
  struct Slot {
    uint32_t generation = 1;
    std::shared_ptr<Watcher> watcher;
  };

  void shutdown() override {
    auto dropped = std::move(slots_);
    slots_.clear();
    free_.clear();
    dropped.clear();
    boost::system::error_code ignored;
    descriptor_.close(ignored);
  }

  void wait() {
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                           [this](const boost::system::error_code& error) {
                             if (error) return;
                             handle();
                             wait();
                           });
  }

  void handle() {
    std::array<epoll_event, 256> events;
    int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<size_t>(i)];
      auto slot = static_cast<uint32_t>(event.data.u64);
      if (slot >= slots_.size() || slots_[slot].generation != event.data.u64 >> 32) continue;
      auto watcher = slots_[slot].watcher;
      watcher->on_ready((event.events & EPOLLRDHUP) != 0,
                        (event.events & (EPOLLHUP | EPOLLERR)) != 0);
    }
  }

  int epoll_ = -1;
  asio::posix::stream_descriptor descriptor_;
  std::unique_ptr<char[]> buffer_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
};

}  // namespace

Poller& Poller::of(Loop& loop) { return asio::use_service<EpollPoller>(loop.context()); }

}  // namespace base::http
