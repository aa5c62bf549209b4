#pragma once

// For tests: an authority that makes certificates, as PEM files in a directory of its own.

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdio>
#include <string>

#include "base/testing/temporary_directory.hpp"

namespace base::http {

struct CertificateWanted {
  std::string names = "DNS:localhost,IP:127.0.0.1";
  long begins_in_seconds = -3600;
  long ends_in_seconds = 90L * 24 * 3600;
};

class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name = "test authority") : key_(::EVP_EC_gen("P-256")), certificate_(::X509_new()) {
    fill(certificate_, key_, name, "", {});
    ::X509_set_issuer_name(certificate_, ::X509_get_subject_name(certificate_));
    ::X509_sign(certificate_, key_, ::EVP_sha256());
    write(ca_file(), 0644, [this](FILE* file) { ::PEM_write_X509(file, certificate_); });
  }
  ~TestAuthority() {
    ::X509_free(certificate_);
    ::EVP_PKEY_free(key_);
  }
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  std::string ca_file() const { return directory_ / "ca.pem"; }
  std::string cert_file(const std::string& name) const { return directory_ / (name + ".pem"); }
  std::string key_file(const std::string& name) const { return directory_ / (name + ".key"); }

  /// Makes (or replaces) the files of `name`.
  void issue(const std::string& name, const CertificateWanted& wanted = {}) {
    EVP_PKEY* key = ::EVP_EC_gen("P-256");
    X509* certificate = ::X509_new();
    fill(certificate, key, name, wanted.names, wanted);
    ::X509_set_issuer_name(certificate, ::X509_get_subject_name(certificate_));
    ::X509_sign(certificate, key_, ::EVP_sha256());
    write(cert_file(name), 0644, [&](FILE* file) { ::PEM_write_X509(file, certificate); });
    write(key_file(name), 0600, [&](FILE* file) { ::PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr); });
    ::X509_free(certificate);
    ::EVP_PKEY_free(key);
  }

 private:
  void fill(X509* certificate, EVP_PKEY* key, const std::string& name, const std::string& names, const CertificateWanted& wanted) {
    ::X509_set_version(certificate, 2);
    ::ASN1_INTEGER_set(::X509_get_serialNumber(certificate), ++serial_);
    ::X509_gmtime_adj(::X509_getm_notBefore(certificate), wanted.begins_in_seconds);
    ::X509_gmtime_adj(::X509_getm_notAfter(certificate), wanted.ends_in_seconds);
    ::X509_set_pubkey(certificate, key);
    ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    extend(certificate, names.empty() ? NID_basic_constraints : NID_subject_alt_name, names.empty() ? "critical,CA:TRUE" : names);
  }

  static void extend(X509* certificate, int kind, const std::string& value) {
    X509_EXTENSION* extension = ::X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    ASSERT_NE(extension, nullptr);
    ::X509_add_ext(certificate, extension, -1);
    ::X509_EXTENSION_free(extension);
  }

  /// Beside the old file, then in its place: a reader sees one or the other.
  template <class Call>
  static void write(const std::string& path, mode_t mode, Call call) {
    const std::string fresh = path + ".new";
    FILE* file = std::fopen(fresh.c_str(), "w");
    ASSERT_NE(file, nullptr);
    ::fchmod(::fileno(file), mode);
    call(file);
    std::fclose(file);
    ASSERT_EQ(std::rename(fresh.c_str(), path.c_str()), 0);
  }

  testing::TemporaryDirectory directory_;
  EVP_PKEY* key_;
  X509* certificate_;
  long serial_ = 0;
};

}  // namespace base::http
