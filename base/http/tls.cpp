#include "base/http/tls.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <list>
#include <map>
#include <utility>

#include "base/http/channel.hpp"
#include "base/http/tls_channel.hpp"
#include "base/log.hpp"

namespace base::http {

namespace {

constexpr size_t kMaxFileBytes = size_t{4} << 20;
constexpr size_t kMaxSessions = 256;  // kept for resumption, as a client
constexpr char kForwardSecret[] = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES";
constexpr std::array<unsigned char, 9> kHttp11 = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
constexpr Duration kExpiresSoon = hours(24 * 14);

/// What tells whether a file has changed.
std::string signature(const std::string& path) {
  struct stat status{};
  if (path.empty()) return {};
  if (::stat(path.c_str(), &status) != 0) return "gone";
  return std::to_string(status.st_ino) + " " + std::to_string(status.st_size) + " " + std::to_string(status.st_mtim.tv_sec) + "." +
         std::to_string(status.st_mtim.tv_nsec);
}

int no_passphrase(char*, int, int, void*) { return 0; }  // never asks the terminal

int choose_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* offered, unsigned count, void*) {
  unsigned char* chosen = nullptr;
  if (::SSL_select_next_proto(&chosen, size, kHttp11.data(), kHttp11.size(), offered, count) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

int session_slot() {
  static const int index = ::SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

/// Sessions with servers, by host and port; those not used for longest go first.
class Sessions {
 public:
  void keep(const std::string& key, SSL_SESSION* session) {
    forget(key);
    order_.push_back(key);
    entries_.emplace(key, Entry{std::unique_ptr<SSL_SESSION, SslDeleter>(session), std::prev(order_.end())});
    if (entries_.size() > kMaxSessions) forget(std::string(order_.front()));
  }

  SSL_SESSION* find(const std::string& key) const {
    const auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : found->second.session.get();
  }

 private:
  struct Entry {
    std::unique_ptr<SSL_SESSION, SslDeleter> session;
    std::list<std::string>::iterator place;
  };

  void forget(const std::string& key) {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return;
    order_.erase(found->second.place);
    entries_.erase(found);
  }

  std::list<std::string> order_;
  std::map<std::string, Entry> entries_;
};

/// A connection on its way to a server: where its session goes.
struct Destination {
  std::weak_ptr<Sessions> sessions;
  std::string key;
};

int keep_session(SSL* ssl, SSL_SESSION* session) {
  const auto* destination = static_cast<Destination*>(::SSL_get_ex_data(ssl, session_slot()));
  if (destination == nullptr) return 0;
  const auto sessions = destination->sessions.lock();
  if (!sessions) return 0;
  sessions->keep(destination->key, session);
  return 1;  // the session is ours
}

Status configure(SSL_CTX* context, const TlsSettings& settings) {
  SSL_CTX_set_min_proto_version(context, settings.tls_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(context, settings.tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
  ::SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // Large pieces may be accepted in part, and a repeated write may come from another address.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  const std::string ciphers = settings.ciphers.empty() ? kForwardSecret : settings.ciphers;
  if (::SSL_CTX_set_cipher_list(context, ciphers.c_str()) != 1)
    return invalid("'" + ciphers + "' names no cipher suite: see --ssl_ciphers (LIBPROCESS_SSL_CIPHERS)");
  ::SSL_CTX_set_verify_depth(context, settings.verify_depth);
  ::SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  ::ERR_clear_error();
  return {};
}

Status load_authorities(SSL_CTX* context, const TlsSettings& settings) {
  const bool named = !settings.ca_file.empty() || !settings.ca_dir.empty();
  const int loaded = named ? ::SSL_CTX_load_verify_locations(context, settings.ca_file.empty() ? nullptr : settings.ca_file.c_str(),
                                                             settings.ca_dir.empty() ? nullptr : settings.ca_dir.c_str())
                           : ::SSL_CTX_set_default_verify_paths(context);
  if (loaded == 1) return {};
  const std::string where = settings.ca_file.empty() ? settings.ca_dir : settings.ca_file;
  return invalid("cannot read the certificate authorities" + (named ? " in " + where : std::string()) + ": " + tls_error("unknown reason"));
}

Status load_certificate(SSL_CTX* context, const TlsSettings& settings) {
  if (settings.cert_file.empty()) return {};
  struct stat status{};
  if (::stat(settings.key_file.c_str(), &status) != 0) return errno_error("cannot read the private key " + settings.key_file, errno);
  if ((status.st_mode & 07) != 0)
    return invalid("others can read the private key " + settings.key_file + ": chmod o= " + settings.key_file);
  if (::SSL_CTX_use_certificate_chain_file(context, settings.cert_file.c_str()) != 1)
    return invalid("cannot read the certificate " + settings.cert_file + ": " + tls_error("unknown reason"));
  if (::SSL_CTX_use_PrivateKey_file(context, settings.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    const bool mismatch = ERR_GET_REASON(::ERR_peek_error()) == X509_R_KEY_VALUES_MISMATCH;
    const std::string why = tls_error("unknown reason");
    if (mismatch) return invalid("the private key " + settings.key_file + " does not belong to the certificate " + settings.cert_file);
    return invalid("cannot read the private key " + settings.key_file + " (PEM, without a passphrase): " + why);
  }
  if (::SSL_CTX_check_private_key(context) == 1) return {};
  ::ERR_clear_error();
  return invalid("the private key " + settings.key_file + " does not belong to the certificate " + settings.cert_file);
}

std::string describe(const X509* certificate) {
  const std::unique_ptr<BIO, decltype(&::BIO_free)> text(::BIO_new(::BIO_s_mem()), ::BIO_free);
  ::X509_NAME_print_ex(text.get(), ::X509_get_subject_name(certificate), 0, XN_FLAG_ONELINE & ~ASN1_STRFLGS_ESC_MSB);
  ::BIO_puts(text.get(), ", valid until ");
  ::ASN1_TIME_print(text.get(), ::X509_get0_notAfter(certificate));
  char* data = nullptr;
  const long size = BIO_get_mem_data(text.get(), &data);
  return {data, static_cast<size_t>(size)};
}

/// What an operator should hear about the certificate's time; empty: nothing.
std::string time_warning(const X509* certificate) {
  if (::X509_cmp_current_time(::X509_get0_notBefore(certificate)) > 0) return "is not valid yet";
  if (::X509_cmp_current_time(::X509_get0_notAfter(certificate)) < 0) return "has expired";
  int days = 0, seconds_left = 0;
  ::ASN1_TIME_diff(&days, &seconds_left, nullptr, ::X509_get0_notAfter(certificate));
  return hours(24) * days < kExpiresSoon ? "expires within two weeks" : "";
}

/// What was read from the files at one time.
struct Loaded {
  SslContextPointer server;  // null unless enabled
  SslContextPointer client;  // null until it is needed, unless wanted_at_once()
  Tls::Pem pem;
  std::string certificate, warning;
};

Result<SslContextPointer> make_context(const SSL_METHOD* method, const TlsSettings& settings) {
  SslContextPointer context(::SSL_CTX_new(method));
  if (!context) return internal("cannot use TLS: " + tls_error("no memory"));
  RETURN_IF_ERROR(configure(context.get(), settings));
  RETURN_IF_ERROR(load_certificate(context.get(), settings));
  return context;
}

Result<SslContextPointer> client_context(const TlsSettings& settings) {
  ASSIGN_OR_RETURN(SslContextPointer client, make_context(::TLS_client_method(), settings));
  if (settings.verify_server) {
    RETURN_IF_ERROR(load_authorities(client.get(), settings));
    ::SSL_CTX_set_verify(client.get(), SSL_VERIFY_PEER, nullptr);
  }
  ::SSL_CTX_set_alpn_protos(client.get(), kHttp11.data(), kHttp11.size());
  SSL_CTX_set_session_cache_mode(client.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  ::SSL_CTX_sess_set_new_cb(client.get(), keep_session);
  return client;
}

/// Whether there is anything in the settings that could be wrong, or is in use for certain. Most daemons of a cluster without
/// TLS never need OpenSSL, which takes 4 MiB.
bool wanted_at_once(const TlsSettings& settings) {
  return settings.enabled || !settings.ciphers.empty() || !settings.cert_file.empty() || !settings.ca_file.empty() ||
         !settings.ca_dir.empty();
}

Result<Loaded> load(const TlsSettings& settings) {
  Loaded out;
  if (wanted_at_once(settings)) {
    ASSIGN_OR_RETURN(out.client, client_context(settings));
  }
  if (settings.enabled) {
    ASSIGN_OR_RETURN(out.server, make_context(::TLS_server_method(), settings));
    SSL_CTX* server = out.server.get();
    if (settings.verify_client) {
      RETURN_IF_ERROR(load_authorities(server, settings));
      ::SSL_CTX_set_verify(server, SSL_VERIFY_PEER | (settings.require_client ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
      // Tells clients whose certificates are taken.
      if (!settings.ca_file.empty()) ::SSL_CTX_set_client_CA_list(server, ::SSL_load_client_CA_file(settings.ca_file.c_str()));
    }
    ::SSL_CTX_set_options(server, SSL_OP_CIPHER_SERVER_PREFERENCE);
    ::SSL_CTX_set_alpn_select_cb(server, choose_protocol, nullptr);
    constexpr std::array<unsigned char, 4> kId = {'d', 'c', 'o', 's'};
    ::SSL_CTX_set_session_id_context(server, kId.data(), kId.size());
  }
  if (!settings.cert_file.empty()) {
    ASSIGN_OR_RETURN(out.pem.certificate, read_file(settings.cert_file, kMaxFileBytes));
    ASSIGN_OR_RETURN(out.pem.key, read_file(settings.key_file, kMaxFileBytes));
    const X509* certificate = ::SSL_CTX_get0_certificate(out.client.get());
    out.certificate = describe(certificate);
    out.warning = time_warning(certificate);
  }
  if (!settings.ca_file.empty()) {
    ASSIGN_OR_RETURN(out.pem.authorities, read_file(settings.ca_file, kMaxFileBytes));
  }
  return out;
}

}  // namespace

struct Tls::Impl : std::enable_shared_from_this<Tls::Impl> {
  TlsSettings settings;
  Loaded loaded;
  std::shared_ptr<Sessions> sessions = std::make_shared<Sessions>();
  Statistics statistics;
  std::string seen;  // signatures of the files when they were read last
  Loop* loop = nullptr;
  Loop::TimerId timer = 0;

  std::string signatures() const {
    return signature(settings.cert_file) + "|" + signature(settings.key_file) + "|" + signature(settings.ca_file) + "|" +
           signature(settings.ca_dir);
  }

  Status read() {
    seen = signatures();
    ASSIGN_OR_RETURN(loaded, load(settings));
    sessions = std::make_shared<Sessions>();  // of servers that another certificate or authority has judged
    if (!loaded.warning.empty()) LOG_WARNING("the certificate {} ({}) {}", settings.cert_file, loaded.certificate, loaded.warning);
    return {};
  }

  Status read_again() {
    if (Status done = read(); !done) {
      ++statistics.failed_reloads;
      LOG_ERROR("TLS goes on with the certificate and authorities read before: {}", done.error().message);
      return done;
    }
    ++statistics.reloads;
    LOG_INFO("TLS: read the certificate and authorities again{}", loaded.certificate.empty() ? "" : ": " + loaded.certificate);
    return {};
  }
};

Tls::Tls(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Tls::~Tls() {
  if (impl_->loop != nullptr) impl_->loop->cancel(impl_->timer);
}

Result<std::shared_ptr<Tls>> Tls::open(TlsSettings settings) {
  auto impl = std::make_shared<Impl>();
  impl->settings = std::move(settings);
  RETURN_IF_ERROR(impl->read());
  return std::make_shared<Tls>(std::move(impl));
}

Result<std::shared_ptr<Tls>> Tls::for_daemon(Loop& loop, TlsSettings settings) {
  const bool has_files = !settings.cert_file.empty() || !settings.ca_file.empty() || !settings.ca_dir.empty();
  ASSIGN_OR_RETURN(auto tls, open(std::move(settings)));
  if (!has_files) return tls;
  tls->watch(loop);
  loop.on_signal(SIGHUP, [weak = std::weak_ptr<Tls>(tls)] {
    if (const auto still = weak.lock()) (void)still->reload();
  });
  if (tls->enabled()) LOG_INFO("TLS: {}", tls->certificate());
  return tls;
}

const TlsSettings& Tls::settings() const { return impl_->settings; }

void Tls::watch(Loop& loop, Duration period) {
  if (impl_->loop != nullptr) impl_->loop->cancel(impl_->timer);
  impl_->loop = &loop;
  impl_->timer = loop.every(period, [impl = impl_.get()] {
    if (impl->signatures() != impl->seen) (void)impl->read_again();
  });
}

Status Tls::reload() { return impl_->read_again(); }
std::string Tls::certificate() const { return impl_->loaded.certificate; }
const Tls::Statistics& Tls::statistics() const { return impl_->statistics; }
const Tls::Pem& Tls::pem() const { return impl_->loaded.pem; }

Result<std::unique_ptr<Channel>> Tls::accept(Fd fd) {
  if (!impl_->loaded.server) return internal("TLS is not enabled");
  SslPointer ssl(::SSL_new(impl_->loaded.server.get()));
  if (!ssl) return internal("cannot take a TLS connection: " + tls_error("no memory"));
  ::SSL_set_accept_state(ssl.get());
  const auto count = [weak = impl_->weak_from_this()](bool well, bool resumed) {
    const auto impl = weak.lock();
    if (!impl) return;
    ++(well ? impl->statistics.accepted : impl->statistics.refused);
    if (resumed) ++impl->statistics.resumed;
  };
  return tls_server_channel(std::move(fd), std::move(ssl), impl_->settings.support_downgrade, count);
}

Result<std::unique_ptr<Channel>> Tls::connect(Fd fd, const std::string& host, uint16_t port) {
  if (!impl_->loaded.client) {
    ASSIGN_OR_RETURN(impl_->loaded.client, client_context(impl_->settings));
  }
  SslPointer ssl(::SSL_new(impl_->loaded.client.get()));
  if (!ssl) return internal("cannot make a TLS connection: " + tls_error("no memory"));
  std::array<unsigned char, 16> address;
  const bool literal =
      ::inet_pton(AF_INET, host.c_str(), address.data()) == 1 || ::inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
  if (!literal) SSL_set_tlsext_host_name(ssl.get(), host.c_str());
  if (impl_->settings.verify_server) {
    X509_VERIFY_PARAM* expected = ::SSL_get0_param(ssl.get());
    const int set = literal ? ::X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str())
                            : ::X509_VERIFY_PARAM_set1_host(expected, host.c_str(), host.size());
    if (set != 1) return invalid("'" + host + "' cannot be the name in a certificate");
  }
  ::SSL_set_connect_state(ssl.get());
  auto destination = std::make_shared<Destination>();
  destination->sessions = impl_->sessions;
  destination->key = host + " " + std::to_string(port);
  if (SSL_SESSION* session = impl_->sessions->find(destination->key)) ::SSL_set_session(ssl.get(), session);
  ::SSL_set_ex_data(ssl.get(), session_slot(), destination.get());
  return tls_client_channel(std::move(fd), std::move(ssl), std::move(destination));
}

}  // namespace base::http
