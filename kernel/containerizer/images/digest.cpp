#include "kernel/containerizer/images/digest.hpp"

#include <openssl/evp.h>

#include "base/check.hpp"

namespace containerizer::images {

struct Digester::Impl {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  std::string algorithm;
  ~Impl() { EVP_MD_CTX_free(context); }
};

Digester::Digester(std::string_view algorithm) : impl_(std::make_unique<Impl>()) {
  impl_->algorithm = algorithm == "sha512" ? "sha512" : "sha256";
  CHECK(impl_->context != nullptr);
  CHECK(EVP_DigestInit_ex(impl_->context,
                          impl_->algorithm == "sha512" ? EVP_sha512() : EVP_sha256(),
                          nullptr) == 1);
}

Digester::~Digester() = default;
Digester::Digester(Digester&&) noexcept = default;
Digester& Digester::operator=(Digester&&) noexcept = default;

void Digester::update(std::string_view bytes) {
  EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size());
}

std::string Digester::finish() {
  unsigned char value[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  EVP_DigestFinal_ex(impl_->context, value, &length);
  std::string out = impl_->algorithm + ":";
  constexpr char kDigits[] = "0123456789abcdef";
  for (unsigned int i = 0; i < length; ++i) {
    out += kDigits[value[i] >> 4];
    out += kDigits[value[i] & 15];
  }
  return out;
}

std::string_view algorithm_of(std::string_view digest) {
  return digest.substr(0, digest.find(':'));
}

std::string sha256_of(std::string_view bytes) {
  Digester digester;
  digester.update(bytes);
  return digester.finish();
}

Status same_digest(const std::string& wanted, const std::string& actual) {
  if (actual == wanted) return {};
  return Error{base::Code::Corrupt,
               "wrong digest: " + wanted + " was asked for, " + actual + " came"};
}

Status verify_digest(std::string_view bytes, const std::string& wanted) {
  Digester digester(algorithm_of(wanted));
  digester.update(bytes);
  return same_digest(wanted, digester.finish());
}

}  // namespace containerizer::images
