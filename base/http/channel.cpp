#include "base/http/channel.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
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

std::string tls_error(const std::string& fallback) {
  unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  if (code == 0) return fallback;
  const char* text = ::ERR_reason_error_string(code);
  return text ? text : fallback;
}

struct SslDeleter {
  void operator()(SSL* ssl) const { ::SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
};

class TlsChannel : public Channel {
 public:
  TlsChannel(Fd fd, std::unique_ptr<SSL, SslDeleter> ssl)
      : fd_(std::move(fd)), ssl_(std::move(ssl)) {
    ::SSL_set_fd(ssl_.get(), fd_.get());
  }

  int fd() const override { return fd_.get(); }

  Result<bool> handshake() override {
    ::ERR_clear_error();
    int done = ::SSL_do_handshake(ssl_.get());
    if (done == 1) return true;
    int reason = ::SSL_get_error(ssl_.get(), done);
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) return false;
    long verdict = ::SSL_get_verify_result(ssl_.get());
    if (verdict != X509_V_OK) {
      ::ERR_clear_error();
      return unavailable(std::string("the certificate is not accepted: ") +
                         ::X509_verify_cert_error_string(verdict));
    }
    return unavailable("TLS handshake failed: " + tls_error("connection closed"));
  }

  ssize_t read(char* data, size_t size) override {
    ::ERR_clear_error();
    int n = ::SSL_read(ssl_.get(), data, static_cast<int>(std::min<size_t>(size, 1 << 30)));
    if (n > 0) return n;
    return outcome(n);
  }

  ssize_t write(const iovec* pieces, int count) override {
    ssize_t total = 0;
    for (int i = 0; i < count; ++i) {
      ::ERR_clear_error();
      auto size = static_cast<int>(std::min<size_t>(pieces[i].iov_len, 1 << 30));
      int n = ::SSL_write(ssl_.get(), pieces[i].iov_base, size);
      if (n <= 0) {
        if (total > 0) return total;
        ssize_t result = outcome(n);
        return result == 0 ? kFailed : result;
      }
      total += n;
      if (n < size) break;
    }
    return total;
  }

  void finish() override {
    ::SSL_shutdown(ssl_.get());
    ::shutdown(fd_.get(), SHUT_WR);
  }

 private:
  ssize_t outcome(int n) {
    switch (::SSL_get_error(ssl_.get(), n)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE: return kWouldBlock;
      case SSL_ERROR_ZERO_RETURN: return 0;
      default: ::ERR_clear_error(); return kFailed;
    }
  }

  Fd fd_;
  std::unique_ptr<SSL, SslDeleter> ssl_;
};

class OpenSslClientContext : public TlsContext {
 public:
  OpenSslClientContext(std::unique_ptr<SSL_CTX, SslDeleter> context, bool verify)
      : context_(std::move(context)), verify_(verify) {}

  Result<std::unique_ptr<Channel>> connect(Fd fd, const std::string& host) override {
    std::unique_ptr<SSL, SslDeleter> ssl(::SSL_new(context_.get()));
    if (!ssl) return internal("cannot make a TLS connection: " + tls_error("no memory"));
    std::array<unsigned char, 16> address;
    bool literal = ::inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
                   ::inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
    if (!literal) SSL_set_tlsext_host_name(ssl.get(), host.c_str());
    if (verify_) {
      X509_VERIFY_PARAM* expected = ::SSL_get0_param(ssl.get());
      int set = literal ? ::X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str())
                        : ::X509_VERIFY_PARAM_set1_host(expected, host.c_str(), host.size());
      if (set != 1) return invalid("'" + host + "' cannot be the name in a certificate");
    }
    ::SSL_set_connect_state(ssl.get());
    return std::unique_ptr<Channel>(std::make_unique<TlsChannel>(std::move(fd), std::move(ssl)));
  }

 private:
  std::unique_ptr<SSL_CTX, SslDeleter> context_;
  bool verify_;
};

}  // namespace

std::unique_ptr<Channel> plain_channel(Fd fd) {
  return std::make_unique<PlainChannel>(std::move(fd));
}

Result<std::shared_ptr<TlsContext>> tls_client_context(const std::string& ca_file, bool verify) {
  std::unique_ptr<SSL_CTX, SslDeleter> context(::SSL_CTX_new(::TLS_client_method()));
  if (!context) return internal("cannot use TLS: " + tls_error("no memory"));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  // Large pieces may be accepted in part, and a repeated write may come from another address.
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                       SSL_MODE_RELEASE_BUFFERS);
  if (verify) {
    ::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    int loaded = ca_file.empty()
                     ? ::SSL_CTX_set_default_verify_paths(context.get())
                     : ::SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr);
    if (loaded != 1) {
      return invalid("cannot read the certificate authorities" +
                     (ca_file.empty() ? std::string() : " in " + ca_file) + ": " +
                     tls_error("unknown reason"));
    }
  }
  std::shared_ptr<TlsContext> result =
      std::make_shared<OpenSslClientContext>(std::move(context), verify);
  return result;
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
