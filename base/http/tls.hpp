#pragma once

// The certificate, key and authorities of one process, from files that are read again when they change: new connections use
// the new ones, open connections go on. OpenSSL stays in tls.cpp and tls_channel.cpp. On one loop.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/file.hpp"
#include "base/loop.hpp"
#include "base/result.hpp"
#include "base/tls_settings.hpp"

namespace base::http {

class Channel;

class Tls {
 public:
  struct Statistics {
    uint64_t accepted = 0;        // handshakes with clients that ended well
    uint64_t resumed = 0;         // those of them that went on with an earlier session
    uint64_t refused = 0;         // handshakes with clients that did not
    uint64_t reloads = 0;         // files read again with success
    uint64_t failed_reloads = 0;  // and without: what was read before stays
  };

  /// Reads the files. Errors name the file and what is wrong with it.
  static Result<std::shared_ptr<Tls>> open(TlsSettings settings);

  /// For main.cpp: opens, and reads the files again when they change and on SIGHUP, as long as there are any.
  static Result<std::shared_ptr<Tls>> for_daemon(Loop& loop, TlsSettings settings);

  ~Tls();
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  const TlsSettings& settings() const;

  /// Listeners take TLS connections, and the cluster's own daemons are reached by https.
  bool enabled() const { return settings().enabled; }

  /// "https" when enabled, else "http".
  const char* scheme() const { return enabled() ? "https" : "http"; }

  /// Looks for changed files every `period` until this object goes.
  void watch(Loop& loop, Duration period = seconds(2));

  /// Reads the files now (SIGHUP). An error is logged, returned, and changes nothing.
  Status reload();

  /// Of the certificate last read; empty without one: subject and end of validity, for people.
  std::string certificate() const;

  const Statistics& statistics() const;

  // For base/http and adapters that open sockets of their own ------------------------------------------------------

  /// A channel that takes the client's handshake on `fd`.
  Result<std::unique_ptr<Channel>> accept(Fd fd);

  /// A channel that opens a handshake with `host` (a name or a literal address), whose certificate must be for it when
  /// servers are verified. An earlier session with `host` and `port` is resumed.
  Result<std::unique_ptr<Channel>> connect(Fd fd, const std::string& host, uint16_t port);

  /// PEM texts last read, for libraries that speak TLS by themselves. `authorities` is empty without ca_file.
  struct Pem {
    std::string certificate, key, authorities;
  };
  const Pem& pem() const;

  struct Impl;
  explicit Tls(std::shared_ptr<Impl> impl);

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace base::http
