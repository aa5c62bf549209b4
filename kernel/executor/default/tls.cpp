#include "kernel/executor/default/tls.hpp"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <string.h>

namespace executor {
namespace {

/// One for the program; null: the library could not be begun.
SSL_CTX* context() {
  static SSL_CTX* const kContext = [] {
    // What a file of the machine's says of TLS is for others: a container may lack it, or bring its own.
    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
    SSL_CTX* made = SSL_CTX_new(TLS_client_method());
    if (made == nullptr) return made;
    SSL_CTX_set_verify(made, SSL_VERIFY_NONE, nullptr);  // a task's certificate is rarely made out to 127.0.0.1
    SSL_CTX_set_mode(made, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(made, SSL_OP_IGNORE_UNEXPECTED_EOF);  // an answer's end is told by HTTP
    return made;
  }();
  return kContext;
}

class OpenSsl final : public Tls {
 public:
  explicit OpenSsl(SSL* ssl) : ssl_(ssl) {}
  ~OpenSsl() override { SSL_free(ssl_); }
  OpenSsl(const OpenSsl&) = delete;
  OpenSsl& operator=(const OpenSsl&) = delete;

  ssize_t send(const void* data, size_t length) override { return done(SSL_write(ssl_, data, static_cast<int>(length))); }
  ssize_t receive(void* data, size_t length) override { return done(SSL_read(ssl_, data, static_cast<int>(length))); }
  short awaited() const override { return awaited_; }
  bool pending() const override { return SSL_pending(ssl_) > 0; }
  std::string problem() const override { return problem_; }

 private:
  ssize_t done(int result) {
    const int error = errno;
    awaited_ = POLLIN;
    if (result > 0) return result;
    switch (SSL_get_error(ssl_, result)) {
      case SSL_ERROR_ZERO_RETURN: return 0;
      case SSL_ERROR_WANT_WRITE: awaited_ = POLLOUT; [[fallthrough]];
      case SSL_ERROR_WANT_READ: errno = EAGAIN; return -1;
      default: break;
    }
    const unsigned long reason = ERR_get_error();
    const char* words = reason == 0 ? nullptr : ERR_reason_error_string(reason);
    problem_ = words != nullptr ? std::string("TLS: ") + words : error != 0 ? strerror(error) : "TLS: the connection was closed";
    ERR_clear_error();
    errno = EPROTO;
    return -1;
  }

  SSL* ssl_;
  short awaited_ = POLLIN;
  std::string problem_;
};

}  // namespace

std::unique_ptr<Tls> Tls::on(int fd) {
  SSL* ssl = context() == nullptr ? nullptr : SSL_new(context());
  if (ssl == nullptr || SSL_set_fd(ssl, fd) != 1) {
    SSL_free(ssl);
    return nullptr;
  }
  SSL_set_connect_state(ssl);
  return std::make_unique<OpenSsl>(ssl);
}

}  // namespace executor
