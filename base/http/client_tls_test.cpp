#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <atomic>
#include <string>
#include <thread>

#include "base/file.hpp"
#include "base/http/client.hpp"
#include "base/testing/temporary_directory.hpp"

namespace base::http {
namespace {

/// Answers each TLS connection once with a body larger than a TLS record; certificate for "localhost" signed by itself.
class TlsServer {
 public:
  TlsServer() {
    EVP_PKEY* key = ::EVP_RSA_gen(2048);
    X509* certificate = ::X509_new();
    ::X509_set_version(certificate, 2);
    ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate), 1);
    ::X509_gmtime_adj(::X509_getm_notBefore(certificate), -3600);
    ::X509_gmtime_adj(::X509_getm_notAfter(certificate), 3600);
    ::X509_set_pubkey(certificate, key);
    X509_NAME* name = ::X509_get_subject_name(certificate);
    ::X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    ::X509_set_issuer_name(certificate, name);
    X509_EXTENSION* names = ::X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost");
    ::X509_add_ext(certificate, names, -1);
    ::X509_EXTENSION_free(names);
    ::X509_sign(certificate, key, ::EVP_sha256());
    FILE* file = std::fopen(ca_file().c_str(), "w");
    ::PEM_write_X509(file, certificate);
    std::fclose(file);
    context_ = ::SSL_CTX_new(::TLS_server_method());
    ::SSL_CTX_use_certificate(context_, certificate);
    ::SSL_CTX_use_PrivateKey(context_, key);
    ::X509_free(certificate);
    ::EVP_PKEY_free(key);

    listener_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 10), 0);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }

  ~TlsServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    ::SSL_CTX_free(context_);
  }

  std::string ca_file() const { return directory_ / "ca.pem"; }
  uint16_t port() const { return port_; }

 private:
  void serve() {
    for (;;) {
      Fd peer(::accept(listener_.get(), nullptr, nullptr));
      if (!peer) return;
      SSL* ssl = ::SSL_new(context_);
      ::SSL_set_fd(ssl, peer.get());
      if (::SSL_accept(ssl) == 1) {
        std::string request;
        char buffer[4096];
        int n = 0;
        while (request.find("\r\n\r\n") == std::string::npos &&
               (n = ::SSL_read(ssl, buffer, sizeof(buffer))) > 0) {
          request.append(buffer, static_cast<size_t>(n));
        }
        std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + std::string(200'000, 't');
        ::SSL_write(ssl, answer.data(), static_cast<int>(answer.size()));
        ::SSL_shutdown(ssl);
      }
      ::SSL_free(ssl);
    }
  }

  testing::TemporaryDirectory directory_;
  SSL_CTX* context_ = nullptr;
  Fd listener_;
  uint16_t port_ = 0;
  std::thread thread_;
};

Result<Response> ask(const std::string& host, uint16_t port, ClientOptions options) {
  Loop loop;
  Client client(loop, std::move(options));
  ClientRequest request;
  request.url = Url::parse("https://" + host + ":" + std::to_string(port) + "/x").value();
  Result<Response> result = internal("");
  client.request(request, [&](Result<Response> answer) {
    result = std::move(answer);
    loop.stop();
  });
  loop.run();
  return result;
}

TEST(TlsClient, trusts_the_given_authority_and_the_right_name_only) {
  TlsServer server;
  ClientOptions trusting;
  trusting.ca_file = server.ca_file();
  auto answer = ask("localhost", server.port(), trusting);
  ASSERT_TRUE(answer.has_value()) << answer.error().message;
  EXPECT_EQ(answer->body, std::string(200'000, 't'));

  auto unknown = ask("localhost", server.port(), {});
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code, Code::Unavailable);
  EXPECT_NE(unknown.error().message.find("certificate"), std::string::npos) << unknown.error().message;

  auto other_name = ask("127.0.0.1", server.port(), trusting);
  ASSERT_FALSE(other_name.has_value());
  EXPECT_NE(other_name.error().message.find("certificate"), std::string::npos) << other_name.error().message;

  ClientOptions careless;
  careless.verify_tls = false;
  EXPECT_TRUE(ask("127.0.0.1", server.port(), careless).has_value());

  ClientOptions lost;
  lost.ca_file = "/no/such/file";
  EXPECT_EQ(ask("localhost", server.port(), lost).error().code, Code::InvalidArgument);
}

}  // namespace
}  // namespace base::http
