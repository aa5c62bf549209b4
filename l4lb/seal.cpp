#include "l4lb/seal.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/strings.hpp"

namespace l4lb {
namespace {

// "L4G1", sender, life, salt, counter; then the sealed bytes and the tag.
constexpr std::string_view kMagic = "L4G1";
constexpr size_t kHeader = 4 + 4 * 8;
constexpr size_t kTag = 16;

void put(std::string& out, uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

uint64_t get(std::string_view bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

std::array<uint8_t, 12> nonce_of(uint64_t counter) {
  std::array<uint8_t, 12> nonce{};
  for (size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<uint8_t>(counter >> (56 - 8 * i));
  return nonce;
}

uint8_t* bytes_of(std::string& text) { return reinterpret_cast<uint8_t*>(text.data()); }
const uint8_t* bytes_of(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }

}  // namespace

base::Result<Key> parse_key(std::string_view text) {
  text = base::trim(text);
  if (text.size() != 2 * kKeyBytes) return base::invalid("the cluster key must be 64 hexadecimal digits");
  Key key{};
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                             : -1;
    if (digit < 0) return base::invalid("the cluster key must be 64 hexadecimal digits");
    key[i / 2] = static_cast<uint8_t>(key[i / 2] << 4 | digit);
  }
  return key;
}

std::string fingerprint(const Key& key) {
  // Of a value derived from the key, so that it tells nothing about it.
  std::array<uint8_t, 32> digest{};
  unsigned size = 0;
  static constexpr std::string_view kLabel = "l4lb fingerprint";
  HMAC(EVP_sha256(), key.data(), kKeyBytes, bytes_of(kLabel), kLabel.size(), digest.data(), &size);
  std::string out;
  for (size_t i = 0; i < 16; ++i) out += fmt::format("{:02x}", digest[i]);
  return out;
}

Seal::Seal(const Key& key, NodeId self, uint64_t life, uint64_t salt)
    : key_(key), self_(self), life_(life), salt_(salt) {
  own_ = derive(self, life, salt);
}

Key Seal::derive(NodeId node, uint64_t life, uint64_t salt) const {
  std::string input = "l4lb datagram";
  put(input, node);
  put(input, life);
  put(input, salt);
  Key out{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key_.data(), kKeyBytes, bytes_of(std::string_view(input)), input.size(), out.data(), &size);
  return out;
}

std::string Seal::close(std::string_view plain) {
  std::string out(kMagic);
  put(out, self_);
  put(out, life_);
  put(out, salt_);
  put(out, ++counter_);
  const auto nonce = nonce_of(counter_);
  out.resize(kHeader + plain.size() + kTag);
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int size = 0;
  CHECK(EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, own_.data(), nonce.data()) == 1);
  CHECK(EVP_EncryptUpdate(cipher.get(), nullptr, &size, bytes_of(out), kHeader) == 1);
  CHECK(EVP_EncryptUpdate(cipher.get(), bytes_of(out) + kHeader, &size, bytes_of(plain),
                          static_cast<int>(plain.size())) == 1);
  CHECK(EVP_EncryptFinal_ex(cipher.get(), bytes_of(out) + kHeader + size, &size) == 1);
  CHECK(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTag, bytes_of(out) + kHeader + plain.size()) == 1);
  return out;
}

std::variant<Seal::Opened, Seal::Refusal> Seal::open(std::string_view datagram) {
  if (datagram.size() < kHeader + kTag || datagram.substr(0, 4) != kMagic) return Refusal::Malformed;
  const NodeId node = get(datagram, 4);
  const uint64_t life = get(datagram, 12), salt = get(datagram, 20), counter = get(datagram, 28);
  if (node == 0 || counter == 0) return Refusal::Malformed;
  const auto it = senders_.find(node);
  const bool known = it != senders_.end() && it->second.life == life && it->second.salt == salt;
  const Key key = known ? it->second.key : derive(node, life, salt);

  Opened out{node, std::string(datagram.size() - kHeader - kTag, '\0')};
  const auto nonce = nonce_of(counter);
  std::string tag(datagram.substr(datagram.size() - kTag));
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int size = 0;
  if (EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) != 1 ||
      EVP_DecryptUpdate(cipher.get(), nullptr, &size, bytes_of(datagram), kHeader) != 1 ||
      EVP_DecryptUpdate(cipher.get(), bytes_of(out.plain), &size, bytes_of(datagram) + kHeader,
                        static_cast<int>(out.plain.size())) != 1 ||
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTag, tag.data()) != 1 ||
      EVP_DecryptFinal_ex(cipher.get(), bytes_of(out.plain) + size, &size) != 1)
    return Refusal::WrongKey;

  // Genuine. Only now may it change what is remembered of the sender.
  if (!known) {
    if (it != senders_.end() && life <= it->second.life) return Refusal::Replayed;
    if (it == senders_.end() && senders_.size() >= kMaxSenders) senders_.erase(senders_.begin());
    senders_[node] = Sender{life, salt, 0, key, {}};
  }
  Sender& sender = senders_[node];
  if (counter > sender.highest) {
    const uint64_t step = counter - sender.highest;
    sender.seen = step >= kWindow ? std::bitset<kWindow>() : sender.seen << step;
    sender.highest = counter;
    sender.seen.set(0);
    return out;
  }
  const uint64_t age = sender.highest - counter;
  if (age >= kWindow || sender.seen.test(age)) return Refusal::Replayed;
  sender.seen.set(age);
  return out;
}

}  // namespace l4lb
