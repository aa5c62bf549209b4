#pragma once

// Cryptography by OpenSSL, which stays in the .cpp file: RSA signatures, digests, secrets. What is
// random here (new keys, secret_bytes) is for shells; the rest is pure.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace base {

/// An RSA key as others may know it.
class PublicKey {
 public:
  /// From PEM (SubjectPublicKeyInfo), RSA with 2048 to 8192 bits; all else is an error in words.
  static Result<PublicKey> parse(std::string_view pem);

  /// From a JWK's members n and e (base64url), with the same limits.
  static Result<PublicKey> from_parts(std::string_view n, std::string_view e);

  /// Whether `signature` is RSASSA-PKCS1-v1_5 with SHA-256 of `text` under this key.
  bool verify(std::string_view text, std::string_view signature) const;

  /// The JWK members n and e (base64url), and the id: SHA-256 (hex) of decimal e, decimal n and
  /// "RSA".
  struct Parts {
    std::string n, e, id;
  };
  Parts parts() const;
  std::string pem() const;

 private:
  friend class PrivateKey;
  std::shared_ptr<void> key_;  // EVP_PKEY
};

class PrivateKey {
 public:
  /// Takes a good part of a second: call it on a pool. The one thing here that is not repeatable.
  static Result<PrivateKey> make(unsigned bits = 2048);
  /// From PEM, PKCS#8 or PKCS#1.
  static Result<PrivateKey> parse(std::string_view pem);

  /// RSASSA-PKCS1-v1_5 with SHA-256.
  Result<std::string> sign(std::string_view text) const;
  PublicKey public_key() const;
  /// PKCS#8. A secret.
  std::string pem() const;

 private:
  std::shared_ptr<void> key_;  // EVP_PKEY
};

/// Bytes of the operating system's generator for secrets.
Result<std::string> secret_bytes(size_t count);

std::string base64url_encode(std::string_view bytes);
/// Strict: the URL alphabet, no padding, no bits that say nothing.
bool base64url_decode(std::string_view text, std::string& out);

std::string sha256_hex(std::string_view bytes);

/// 32 bytes.
std::string hmac_sha256(std::string_view key, std::string_view text);

/// In a time that depends on the sizes only.
bool equal_in_constant_time(std::string_view a, std::string_view b);

/// Overwrites and empties.
void wipe(std::string& secret);

}  // namespace base
