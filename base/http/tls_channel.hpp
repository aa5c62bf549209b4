#pragma once

// A connection that speaks TLS by OpenSSL (internal to base/http).

#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>

#include "base/http/channel.hpp"

namespace base::http {

struct SslDeleter {
  void operator()(SSL* ssl) const { ::SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  void operator()(SSL_SESSION* session) const { ::SSL_SESSION_free(session); }
};
using SslPointer = std::unique_ptr<SSL, SslDeleter>;
using SslContextPointer = std::unique_ptr<SSL_CTX, SslDeleter>;

/// The oldest error in OpenSSL's queue in words, which is emptied.
std::string tls_error(const std::string& fallback);

/// How a handshake with a client ended; `resumed` only when it ended well.
using HandshakeOutcome = std::function<void(bool well, bool resumed)>;

/// `plain_allowed`: a client that does not begin with a handshake gets a plain connection; else it is told in HTTP to use
/// https, and refused.
std::unique_ptr<Channel> tls_server_channel(Fd fd, SslPointer ssl, bool plain_allowed, HandshakeOutcome outcome);

/// `kept` lives as long as the channel.
std::unique_ptr<Channel> tls_client_channel(Fd fd, SslPointer ssl, std::shared_ptr<void> kept);

}  // namespace base::http
