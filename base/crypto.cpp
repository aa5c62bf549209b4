#include "base/crypto.hpp"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <sys/random.h>

#include <fmt/format.h>

#include <array>
#include <cerrno>

namespace base {
namespace {

constexpr int kBitsLeast = 2048, kBitsMost = 8192;

struct Free {
  void operator()(BIO* bio) const { ::BIO_free(bio); }
  void operator()(EVP_MD_CTX* context) const { ::EVP_MD_CTX_free(context); }
  void operator()(BIGNUM* number) const { ::BN_free(number); }
  void operator()(OSSL_PARAM_BLD* builder) const { ::OSSL_PARAM_BLD_free(builder); }
  void operator()(OSSL_PARAM* parameters) const { ::OSSL_PARAM_free(parameters); }
  void operator()(EVP_PKEY_CTX* context) const { ::EVP_PKEY_CTX_free(context); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

EVP_PKEY* raw(const std::shared_ptr<void>& key) {
  return static_cast<EVP_PKEY*>(key.get());
}

std::shared_ptr<void> own(EVP_PKEY* key) {
  return {key, [](void* gone) { ::EVP_PKEY_free(static_cast<EVP_PKEY*>(gone)); }};
}

// A key with a passphrase is refused instead of asking the terminal for it.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

Status check_kind(EVP_PKEY* key) {
  if (::EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
    return invalid("the key is not an RSA key");
  int bits = ::EVP_PKEY_get_bits(key);
  if (bits < kBitsLeast || bits > kBitsMost)
    return invalid(fmt::format("the RSA key has {} bits; between {} and {} are taken", bits,
                                     kBitsLeast, kBitsMost));
  return {};
}

Owned<BIO> reader(std::string_view text) {
  return Owned<BIO>(::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string content(BIO* bio) {
  char* data = nullptr;
  long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : std::string();
}

Owned<BIGNUM> number_of(EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  CHECK(::EVP_PKEY_get_bn_param(key, name, &number) == 1);
  return Owned<BIGNUM>(number);
}

std::string big_endian(const BIGNUM* number) {
  std::string out(static_cast<size_t>(BN_num_bytes(number)), '\0');
  ::BN_bn2bin(number, reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

std::string decimal(const BIGNUM* number) {
  char* text = ::BN_bn2dec(number);
  CHECK(text != nullptr);
  std::string out(text);
  OPENSSL_free(text);
  return out;
}

constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

int digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '-' ? 62 : c == '_' ? 63 : -1;
}

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

Result<PublicKey> PublicKey::parse(std::string_view pem) {
  if (pem.size() > 16 << 10) return invalid("the key is longer than 16 KiB");
  auto bio = reader(pem);
  EVP_PKEY* key = ::PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr);
  if (key == nullptr)
    return invalid("the key is not a PEM text of the kind \"BEGIN PUBLIC KEY\"");
  PublicKey out;
  out.key_ = own(key);
  RETURN_IF_ERROR(check_kind(key));
  return out;
}

Result<PublicKey> PublicKey::from_parts(std::string_view n, std::string_view e) {
  std::string modulus, exponent;
  if (!base64url_decode(n, modulus) || !base64url_decode(e, exponent) || modulus.empty() || exponent.empty() ||
      modulus.size() > static_cast<size_t>(kBitsMost) / 8 || exponent.size() > 8) {
    return invalid("the key's n and e are not two numbers in base64url");
  }
  const auto number = [](const std::string& text) {
    return Owned<BIGNUM>(::BN_bin2bn(bytes(text), static_cast<int>(text.size()), nullptr));
  };
  const auto n_number = number(modulus), e_number = number(exponent);
  Owned<OSSL_PARAM_BLD> builder(::OSSL_PARAM_BLD_new());
  CHECK(::OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n_number.get()) == 1 &&
        ::OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e_number.get()) == 1);
  Owned<OSSL_PARAM> parameters(::OSSL_PARAM_BLD_to_param(builder.get()));
  Owned<EVP_PKEY_CTX> context(::EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  if (::EVP_PKEY_fromdata_init(context.get()) != 1 ||
      ::EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return invalid("the key's n and e make no RSA key");
  }
  PublicKey out;
  out.key_ = own(key);
  RETURN_IF_ERROR(check_kind(key));
  return out;
}

bool PublicKey::verify(std::string_view text, std::string_view signature) const {
  Owned<EVP_MD_CTX> context(::EVP_MD_CTX_new());
  return ::EVP_DigestVerifyInit(context.get(), nullptr, ::EVP_sha256(), nullptr, raw(key_)) == 1 &&
         ::EVP_DigestVerify(context.get(), bytes(signature), signature.size(), bytes(text),
                            text.size()) == 1;
}

PublicKey::Parts PublicKey::parts() const {
  auto n = number_of(raw(key_), OSSL_PKEY_PARAM_RSA_N);
  auto e = number_of(raw(key_), OSSL_PKEY_PARAM_RSA_E);
  return {base64url_encode(big_endian(n.get())), base64url_encode(big_endian(e.get())),
          sha256_hex(decimal(e.get()) + decimal(n.get()) + "RSA")};
}

std::string PublicKey::pem() const {
  Owned<BIO> bio(::BIO_new(::BIO_s_mem()));
  CHECK(::PEM_write_bio_PUBKEY(bio.get(), raw(key_)) == 1);
  return content(bio.get());
}

Result<PrivateKey> PrivateKey::make(unsigned bits) {
  EVP_PKEY* key = ::EVP_RSA_gen(bits);
  if (key == nullptr) return internal("no RSA key could be made");
  PrivateKey out;
  out.key_ = own(key);
  return out;
}

Result<PrivateKey> PrivateKey::parse(std::string_view pem) {
  if (pem.size() > 64 << 10) return invalid("the key is longer than 64 KiB");
  auto bio = reader(pem);
  EVP_PKEY* key = ::PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr);
  if (key == nullptr) return invalid("the key is not a PEM text of a private key");
  PrivateKey out;
  out.key_ = own(key);
  RETURN_IF_ERROR(check_kind(key));
  return out;
}

Result<std::string> PrivateKey::sign(std::string_view text) const {
  Owned<EVP_MD_CTX> context(::EVP_MD_CTX_new());
  std::string out(static_cast<size_t>(::EVP_PKEY_get_size(raw(key_))), '\0');
  size_t size = out.size();
  if (::EVP_DigestSignInit(context.get(), nullptr, ::EVP_sha256(), nullptr, raw(key_)) != 1 ||
      ::EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size,
                       bytes(text), text.size()) != 1)
    return internal("the signature could not be made");
  out.resize(size);
  return out;
}

PublicKey PrivateKey::public_key() const {
  // The same key object; PublicKey has no way to its private half.
  PublicKey out;
  out.key_ = key_;
  return out;
}

std::string PrivateKey::pem() const {
  Owned<BIO> bio(::BIO_new(::BIO_s_mem()));
  CHECK(::PEM_write_bio_PKCS8PrivateKey(bio.get(), raw(key_), nullptr, nullptr, 0, nullptr,
                                        nullptr) == 1);
  return content(bio.get());
}

Result<std::string> secret_bytes(size_t count) {
  std::string out(count, '\0');
  for (size_t got = 0; got < count;) {
    const ssize_t more = ::getrandom(out.data() + got, count - got, 0);
    if (more < 0 && errno == EINTR) continue;
    if (more <= 0) return errno_error("the system gives no random bytes", errno);
    got += static_cast<size_t>(more);
  }
  return out;
}

std::string base64url_encode(std::string_view text) {
  std::string out;
  out.reserve((text.size() * 4 + 2) / 3);
  uint32_t held = 0;
  int bits = 0;
  for (char c : text) {
    held = (held << 8) | static_cast<unsigned char>(c);
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      out += kAlphabet[(held >> bits) & 63];
    }
  }
  if (bits > 0) out += kAlphabet[(held << (6 - bits)) & 63];
  return out;
}

bool base64url_decode(std::string_view text, std::string& out) {
  out.clear();
  if (text.size() % 4 == 1) return false;
  out.reserve(text.size() * 3 / 4);
  uint32_t held = 0;
  int bits = 0;
  for (char c : text) {
    int value = digit(c);
    if (value < 0) return false;
    held = (held << 6) | static_cast<uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>((held >> bits) & 0xff);
    }
  }
  return (held & ((1u << bits) - 1)) == 0;
}

std::string sha256_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  CHECK(::EVP_Digest(text.data(), text.size(), digest.data(), &size, ::EVP_sha256(), nullptr) == 1);
  std::string out;
  for (unsigned i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
  return out;
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::string out(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
       reinterpret_cast<unsigned char*>(out.data()), &size);
  out.resize(size);
  return out;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b.empty() ? 0 : b[i % b.size()]);
  }
  return difference == 0;
}

void wipe(std::string& secret) {
  ::OPENSSL_cleanse(secret.data(), secret.size());
  secret.clear();
}

}  // namespace base
