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
  pieces_.push_back({std::move(data), nullptr});
}

void OutQueue::append(std::shared_ptr<const std::string> data) {
  // Who is behind already must not copy what all others share.
  if (data->size() < kPieceBytes && bytes_ < 4 * kPieceBytes) return append(std::string_view(*data));
  bytes_ += data->size();
  pieces_.push_back({{}, std::move(data)});
}

void OutQueue::append(OutQueue&& other) {
  other.drop_written();
  for (Piece& piece : other.pieces_) piece.shared ? append(std::move(piece.shared)) : append(std::move(piece.own));
  other.clear();
}

void OutQueue::drop_written() {
  pieces_.erase(pieces_.begin(), pieces_.begin() + static_cast<std::ptrdiff_t>(first_));
  first_ = 0;
  if (offset_ == 0) return;
  Piece& piece = pieces_.front();
  piece.own = piece.text().substr(offset_);
  piece.shared = nullptr;
  offset_ = 0;
}

std::vector<std::string> OutQueue::take() {
  drop_written();
  std::vector<std::string> taken;
  for (Piece& piece : pieces_) {
    if (piece.text().empty()) continue;
    taken.push_back(piece.shared ? *piece.shared : std::move(piece.own));
  }
  clear();
  return taken;
}

void OutQueue::clear() {
  pieces_.clear();
  first_ = offset_ = bytes_ = 0;
}

std::string& OutQueue::tail() {
  if (pieces_.empty() || pieces_.back().shared || pieces_.back().own.size() >= kPieceBytes) pieces_.emplace_back();
  return pieces_.back().own;
}

bool OutQueue::write_to(Channel& channel, size_t& written, size_t most) {
  constexpr size_t kMaxPieces = 32;
  std::array<iovec, kMaxPieces> vectors;
  while (bytes_ > 0 && written < most) {
    size_t count = 0;
    size_t asked = 0;
    for (size_t i = first_; i < pieces_.size() && count < kMaxPieces && asked < most - written; ++i) {
      size_t skip = i == first_ ? offset_ : 0;
      const std::string& text = pieces_[i].text();
      if (text.size() == skip) continue;
      const size_t size = std::min(text.size() - skip, most - written - asked);
      vectors[count++] = {const_cast<char*>(text.data()) + skip, size};
      asked += size;
    }
    ssize_t n = channel.write(vectors.data(), static_cast<int>(count));
    if (n == Channel::kWouldBlock) break;
    if (n < 0) return false;
    auto done = static_cast<size_t>(n);
    written += done;
    bytes_ -= done;
    bool partial = done < asked;
    while (done > 0 || (first_ < pieces_.size() && pieces_[first_].text().size() == offset_)) {
      size_t step = std::min(done, pieces_[first_].text().size() - offset_);
      done -= step;
      offset_ += step;
      if (offset_ < pieces_[first_].text().size()) break;
      if (bytes_ == 0 && pieces_.size() == 1 && !pieces_[0].shared) break;  // keep its memory
      pieces_[first_] = {};
      ++first_;
      offset_ = 0;
    }
    if (partial && n == 0) break;
  }
  if (bytes_ == 0) {
    if (pieces_.size() > 1) pieces_.resize(1);
    if (!pieces_.empty()) {
      pieces_[0].shared = nullptr;
      pieces_[0].own.clear();
    }
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
  if (pieces_[0].own.capacity() < spare.capacity()) pieces_[0].own.swap(spare);
  pieces_[0].own.clear();
}

void OutQueue::give_back(std::string& spare) {
  if (bytes_ != 0 || pieces_.empty()) return;
  constexpr size_t kMaxSpare = 64 << 10;
  if (pieces_[0].own.capacity() > spare.capacity() && pieces_[0].own.capacity() <= kMaxSpare) {
    spare.swap(pieces_[0].own);
  }
  pieces_.clear();
  first_ = offset_ = 0;
}

}  // namespace base::http
