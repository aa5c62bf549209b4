#pragma once

// The cryptography of the login (pure): RSA signatures, password hashes, digests. OpenSSL and
// libargon2 do the work and stay in the .cpp file. Randomness comes in as an argument, except for
// new keys, which a shell makes.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace admin_router {

/// An RSA key as others may know it.
class PublicKey {
 public:
  /// From PEM (SubjectPublicKeyInfo), RSA with 2048 to 8192 bits; all else is an error in words.
  static base::Result<PublicKey> parse(std::string_view pem);

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
  static base::Result<PrivateKey> make(unsigned bits = 2048);
  /// From PEM, PKCS#8 or PKCS#1.
  static base::Result<PrivateKey> parse(std::string_view pem);

  /// RSASSA-PKCS1-v1_5 with SHA-256.
  base::Result<std::string> sign(std::string_view text) const;
  PublicKey public_key() const;
  /// PKCS#8. A secret.
  std::string pem() const;

 private:
  std::shared_ptr<void> key_;  // EVP_PKEY
};

/// Bytes of the operating system's generator for secrets.
base::Result<std::string> secret_bytes(size_t count);

std::string base64url_encode(std::string_view bytes);
/// Strict: the URL alphabet, no padding, no bits that say nothing.
bool base64url_decode(std::string_view text, std::string& out);

std::string sha256_hex(std::string_view bytes);
bool same_secret(std::string_view a, std::string_view b);  // time depends on the lengths only

/// Argon2id with 19 MiB, two passes and one lane, in the PHC string form. Some 30 ms of one core.
base::Result<std::string> hash_password(std::string_view password, std::string_view salt);
/// False also for a hash that cannot be read.
bool check_password(std::string_view password, const std::string& hash);
/// A hash with the same cost that no password is known for: who asks about a user that does not
/// exist waits as long.
const std::string& nobodys_hash();

/// Overwrites and empties.
void wipe(std::string& secret);

}  // namespace admin_router
