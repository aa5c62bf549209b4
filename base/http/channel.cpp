#include "base/http/channel.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace base::http {

namespace {

class PlainChannel : public Channel {
 public:
  explicit PlainChannel(Fd fd) : fd_(std::move(fd)) {}

  int fd() const override { return fd_.get(); }

  ssize_t read(char* data, size_t size) override {
    for (;;) {
      ssize_t n = ::recv(fd_.get(), data, size, 0);
      if (n >= 0) return n;
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? kWouldBlock : kFailed;
    }
  }

  ssize_t write(const iovec* pieces, int count) override {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(pieces);
    message.msg_iovlen = static_cast<size_t>(count);
    for (;;) {
      ssize_t n = count == 1 ? ::send(fd_.get(), pieces->iov_base, pieces->iov_len, MSG_NOSIGNAL)
                             : ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
      if (n >= 0) return n;
      if (errno == EINTR) continue;
      return errno == EAGAIN || errno == EWOULDBLOCK ? kWouldBlock : kFailed;
    }
  }

  void finish() override { ::shutdown(fd_.get(), SHUT_WR); }

 private:
  Fd fd_;
};

}  // namespace

std::unique_ptr<Channel> plain_channel(Fd fd) {
  return std::make_unique<PlainChannel>(std::move(fd));
}

void OutQueue::append(std::string_view data) {
  if (data.empty()) return;
  tail().append(data);
  bytes_ += data.size();
}

void OutQueue::append(std::string&& data) {
  if (data.size() < kPieceBytes) return append(std::string_view(data));
  bytes_ += data.size();
  pieces_.push_back(std::move(data));
}

void OutQueue::append(OutQueue&& other) {
  for (std::string& piece : other.take()) append(std::move(piece));
}

std::vector<std::string> OutQueue::take() {
  pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
  if (offset_ > 0) pieces_.front().erase(0, offset_);
  auto taken = std::move(pieces_);
  clear();
  std::erase_if(taken, [](const std::string& piece) { return piece.empty(); });
  return taken;
}

void OutQueue::clear() {
  pieces_.clear();
  first_ = offset_ = bytes_ = 0;
}

std::string& OutQueue::tail() {
  if (pieces_.empty() || pieces_.back().size() >= kPieceBytes) pieces_.emplace_back();
  return pieces_.back();
}

bool OutQueue::write_to(Channel& channel, size_t& written) {
  constexpr size_t kMaxPieces = 32;
  std::array<iovec, kMaxPieces> vectors;
  while (bytes_ > 0) {
    size_t count = 0;
    size_t asked = 0;
    for (size_t i = first_; i < pieces_.size() && count < kMaxPieces; ++i) {
      size_t skip = i == first_ ? offset_ : 0;
      if (pieces_[i].size() == skip) continue;
      vectors[count++] = {pieces_[i].data() + skip, pieces_[i].size() - skip};
      asked += pieces_[i].size() - skip;
    }
    ssize_t n = channel.write(vectors.data(), static_cast<int>(count));
    if (n == Channel::kWouldBlock) break;
    if (n < 0) return false;
    auto done = static_cast<size_t>(n);
    written += done;
    bytes_ -= done;
    bool partial = done < asked;
    while (done > 0 || (first_ < pieces_.size() && pieces_[first_].size() == offset_)) {
      size_t step = std::min(done, pieces_[first_].size() - offset_);
      done -= step;
      offset_ += step;
      if (offset_ < pieces_[first_].size()) break;
      if (bytes_ == 0 && pieces_.size() == 1) break;  // keep its memory
      pieces_[first_] = {};
      ++first_;
      offset_ = 0;
    }
    if (partial && n == 0) break;
  }
  if (bytes_ == 0) {
    if (pieces_.size() > 1) pieces_.resize(1);
    if (!pieces_.empty()) pieces_[0].clear();
    first_ = offset_ = 0;
  } else if (first_ > 64) {
    pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  return true;
}

void OutQueue::lend(std::string& spare) {
  if (bytes_ != 0 || spare.capacity() <= std::string().capacity()) return;
  if (pieces_.empty()) pieces_.emplace_back();
  if (pieces_[0].capacity() < spare.capacity()) pieces_[0].swap(spare);
  pieces_[0].clear();
}

void OutQueue::give_back(std::string& spare) {
  if (bytes_ != 0 || pieces_.empty()) return;
  constexpr size_t kMaxSpare = 64 << 10;
  if (pieces_[0].capacity() > spare.capacity() && pieces_[0].capacity() <= kMaxSpare) {
    spare.swap(pieces_[0]);
  }
  pieces_.clear();
  first_ = offset_ = 0;
}

}  // namespace base::http
