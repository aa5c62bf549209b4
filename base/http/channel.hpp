#pragma once

// A non-blocking connection, plain or TLS, and the queue of what is to be written to it (internal to base/http).

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"

namespace base::http {

class Channel {
 public:
  static constexpr ssize_t kWouldBlock = -1;
  static constexpr ssize_t kFailed = -2;

  virtual ~Channel() = default;
  virtual int fd() const = 0;
  /// Bytes read, 0 at the end, or one of the constants above.
  virtual ssize_t read(char* data, size_t size) = 0;
  virtual ssize_t write(const iovec* pieces, int count) = 0;
  /// Tells the peer that nothing more will be written.
  virtual void finish() = 0;
  /// True when established; false when it needs another readiness; an error when it cannot be.
  virtual Result<bool> handshake() { return true; }
  /// Whether a read of less than was asked for has emptied the socket.
  virtual bool short_read_is_all() const { return true; }
  /// After kFailed: why, as far as there is more to say than that the connection is gone.
  virtual std::string problem() const { return {}; }
  /// Whether nobody on the way can read along.
  virtual bool secure() const { return false; }
};

std::unique_ptr<Channel> plain_channel(Fd fd);

/// What waits to be written, in order. Small pieces are copied together, large ones kept as they are.
class OutQueue {
 public:
  bool empty() const { return bytes_ == 0; }
  size_t bytes() const { return bytes_; }
  void append(std::string_view data);
  void append(std::string&& data);
  void append(std::shared_ptr<const std::string> data);  // kept without a copy, unless it is small
  void append(OutQueue&& other);
  void clear();

  /// Empties the queue.
  std::vector<std::string> take();

  /// Text to append to in place; call grown() afterwards.
  std::string& tail();
  void grown(size_t bytes) { bytes_ += bytes; }

  /// Writes as much as the channel takes, but no more than about `most` bytes. False when the connection has failed.
  bool write_to(Channel& channel, size_t& written, size_t most = SIZE_MAX);

  /// Takes the memory of `spare` when it has none of its own, and gives it back when empty.
  void lend(std::string& spare);
  void give_back(std::string& spare);

 private:
  static constexpr size_t kPieceBytes = 16 << 10;

  struct Piece {
    std::string own;
    std::shared_ptr<const std::string> shared;  // null: own
    const std::string& text() const { return shared ? *shared : own; }
  };

  /// Drops the pieces that are written, in whole or in part.
  void drop_written();

  std::vector<Piece> pieces_;
  size_t first_ = 0;   // pieces before are written
  size_t offset_ = 0;  // written bytes of the first piece
  size_t bytes_ = 0;
};

}  // namespace base::http
