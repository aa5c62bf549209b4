#include "base/http/tls_channel.hpp"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace base::http {

namespace {

constexpr char kHandshakeByte = 0x16;
constexpr int kAlertReasons = 1000;  // reasons from here on are alerts of the peer

class TlsChannel : public Channel {
 public:
  TlsChannel(Fd fd, SslPointer ssl) : fd_(std::move(fd)), ssl_(std::move(ssl)) { ::SSL_set_fd(ssl_.get(), fd_.get()); }

  ~TlsChannel() override {
    // Else the session would count as broken and not be resumed. Nothing is sent: an end is said by finish() alone.
    if (problem_.empty() && ::SSL_is_init_finished(ssl_.get()))
      ::SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }

  int fd() const override { return fd_.get(); }
  bool short_read_is_all() const override { return false; }  // a record is shorter than the buffer
  std::string problem() const override { return problem_; }
  bool secure() const override { return true; }

  Result<bool> handshake() override {
    ::ERR_clear_error();
    const int done = ::SSL_do_handshake(ssl_.get());
    if (done == 1) return true;
    const int reason = ::SSL_get_error(ssl_.get(), done);
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) return false;
    const long verdict = ::SSL_get_verify_result(ssl_.get());
    if (verdict != X509_V_OK && ERR_GET_REASON(::ERR_peek_error()) < kAlertReasons) {
      ::ERR_clear_error();
      return unavailable(std::string("the certificate is not accepted: ") + ::X509_verify_cert_error_string(verdict));
    }
    return unavailable("TLS handshake failed: " + tls_error("connection closed"));
  }

  ssize_t read(char* data, size_t size) override {
    ::ERR_clear_error();
    const int n = ::SSL_read(ssl_.get(), data, static_cast<int>(std::min<size_t>(size, 1 << 30)));
    return n > 0 ? n : outcome(n);
  }

  ssize_t write(const iovec* pieces, int count) override {
    ssize_t total = 0;
    for (int i = 0; i < count; ++i) {
      ::ERR_clear_error();
      const auto size = static_cast<int>(std::min<size_t>(pieces[i].iov_len, 1 << 30));
      const int n = ::SSL_write(ssl_.get(), pieces[i].iov_base, size);
      if (n <= 0) {
        if (total > 0) return total;
        const ssize_t result = outcome(n);
        return result == 0 ? kFailed : result;
      }
      total += n;
      if (n < size) break;
    }
    return total;
  }

  void finish() override {
    ::ERR_clear_error();
    ::SSL_shutdown(ssl_.get());
    ::ERR_clear_error();
    ::shutdown(fd_.get(), SHUT_WR);
  }

 protected:
  SSL* ssl() const { return ssl_.get(); }
  Fd take_fd() { return std::move(fd_); }

 private:
  ssize_t outcome(int n) {
    switch (::SSL_get_error(ssl_.get(), n)) {
      case SSL_ERROR_WANT_READ:
      case SSL_ERROR_WANT_WRITE: return kWouldBlock;
      case SSL_ERROR_ZERO_RETURN: return 0;
      default: problem_ = tls_error(""); return kFailed;
    }
  }

  Fd fd_;
  SslPointer ssl_;
  std::string problem_;
};

class TlsClientChannel : public TlsChannel {
 public:
  TlsClientChannel(Fd fd, SslPointer ssl, std::shared_ptr<void> kept)
      : TlsChannel(std::move(fd), std::move(ssl)), kept_(std::move(kept)) {}

 private:
  std::shared_ptr<void> kept_;
};

class TlsServerChannel : public TlsChannel {
 public:
  TlsServerChannel(Fd fd, SslPointer ssl, bool plain_allowed, HandshakeOutcome outcome)
      : TlsChannel(std::move(fd), std::move(ssl)), plain_allowed_(plain_allowed), outcome_(std::move(outcome)) {}

  ~TlsServerChannel() override {
    if (outcome_) outcome_(false, false);
  }

  Result<bool> handshake() override {
    if (!begun_) {
      char first = 0;
      const ssize_t n = ::recv(fd(), &first, 1, MSG_PEEK);
      if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return false;
      if (n <= 0) {
        outcome_ = nullptr;  // somebody who only looks whether the port is open
        return unavailable("");
      }
      if (first != kHandshakeByte) return refuse_plain();
      begun_ = true;
    }
    auto done = TlsChannel::handshake();
    if (done && *done) std::exchange(outcome_, nullptr)(true, ::SSL_session_reused(ssl()) == 1);
    return done;
  }

  // A plain client has a plain channel behind this one.
  int fd() const override { return plain_ ? plain_->fd() : TlsChannel::fd(); }
  ssize_t read(char* data, size_t size) override { return plain_ ? plain_->read(data, size) : TlsChannel::read(data, size); }
  ssize_t write(const iovec* pieces, int count) override {
    return plain_ ? plain_->write(pieces, count) : TlsChannel::write(pieces, count);
  }
  void finish() override { plain_ ? plain_->finish() : TlsChannel::finish(); }
  bool short_read_is_all() const override { return plain_ != nullptr; }
  bool secure() const override { return plain_ == nullptr; }

 private:
  Result<bool> refuse_plain() {
    if (plain_allowed_) {
      outcome_ = nullptr;
      plain_ = plain_channel(take_fd());
      return true;
    }
    // What has come is read first: bytes unread at the end would cost the client the answer.
    char ignored[4096];
    for (int i = 0; i < 16 && ::recv(fd(), ignored, sizeof ignored, 0) > 0; ++i) {}
    constexpr std::string_view kAnswer =
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: 49\r\n\r\n"
        "This port speaks TLS: use https:// instead here.\n";
    [[maybe_unused]] const ssize_t sent = ::send(fd(), kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
    ::shutdown(fd(), SHUT_WR);
    return unavailable("it speaks plain HTTP where TLS is required");
  }

  bool plain_allowed_;
  HandshakeOutcome outcome_;
  bool begun_ = false;
  std::unique_ptr<Channel> plain_;
};

}  // namespace

std::string tls_error(const std::string& fallback) {
  const unsigned long code = ::ERR_get_error();
  ::ERR_clear_error();
  if (code == 0) return fallback;
  const int reason = ERR_GET_REASON(code);
  if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
    if (reason == SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED) return "the other side refuses: certificate required";
    if (reason >= kAlertReasons)
      return std::string("the other side refuses: ") + ::SSL_alert_desc_string_long(reason - kAlertReasons);
    if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST || reason == SSL_R_PACKET_LENGTH_TOO_LONG)
      return "the other side does not speak TLS";
    if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) return fallback.empty() ? "connection closed" : fallback;
  }
  const char* text = ::ERR_reason_error_string(code);
  return text != nullptr ? text : fallback;
}

std::unique_ptr<Channel> tls_server_channel(Fd fd, SslPointer ssl, bool plain_allowed, HandshakeOutcome outcome) {
  return std::make_unique<TlsServerChannel>(std::move(fd), std::move(ssl), plain_allowed, std::move(outcome));
}

std::unique_ptr<Channel> tls_client_channel(Fd fd, SslPointer ssl, std::shared_ptr<void> kept) {
  return std::make_unique<TlsClientChannel>(std::move(fd), std::move(ssl), std::move(kept));
}

}  // namespace base::http
