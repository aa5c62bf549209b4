#include "kernel/auth/token_keys.hpp"

#include <gtest/gtest.h>

#include "base/crypto.hpp"

namespace auth {
namespace {

const std::string kSecret = "0123456789abcdef0123456789abcdef";
constexpr base::Time kNow{base::seconds(1'700'000'000)};

const base::PrivateKey& issuer() {
  static const base::PrivateKey key = base::PrivateKey::make().value();
  return key;
}

const base::PrivateKey& stranger() {
  static const base::PrivateKey key = base::PrivateKey::make().value();
  return key;
}

std::string jwk(const base::PrivateKey& key, const std::string& more = "") {
  const auto parts = key.public_key().parts();
  return R"({"kty":"RSA","alg":"RS256","use":"sig","kid":")" + parts.id + R"(","n":")" + parts.n + R"(","e":")" + parts.e + "\"" +
         more + "}";
}

std::string by_rsa(const base::PrivateKey& key, const Claims& claims, const std::string& kid = "") {
  const std::string text = render_unsigned(kid, claims);
  return text + "." + base::base64url_encode(key.sign(text).value());
}

std::string by_secret(const std::string& secret, const Claims& claims) {
  const std::string text = render_unsigned("", claims, JwtAlgorithm::Hs256);
  return text + "." + base::base64url_encode(base::hmac_sha256(secret, text));
}

Claims bob(std::optional<int64_t> exp = 1'700'000'001) { return {"bob", exp, ""}; }

TEST(TokenKeys, believes_the_issuers_signature_however_its_key_is_given) {
  const auto pem = TokenKeys::public_keys(issuer().public_key().pem());
  const auto set = TokenKeys::public_keys(R"({"keys":[{"kty":"EC","crv":"P-256"},)" + jwk(stranger()) + "," + jwk(issuer()) + "]}");
  ASSERT_TRUE(pem) << pem.error().message;
  ASSERT_TRUE(set) << set.error().message;
  const std::string id = issuer().public_key().parts().id;
  for (const TokenKeys* keys : {&*pem, &*set}) {
    for (const std::string& kid : {std::string(), id}) {
      const auto claims = keys->check(by_rsa(issuer(), bob(), kid), kNow);
      ASSERT_TRUE(claims) << claims.error().message;
      EXPECT_EQ(claims->uid, "bob");
    }
    EXPECT_FALSE(keys->check(by_rsa(issuer(), bob(), "another"), kNow));
    EXPECT_FALSE(keys->check(by_rsa(stranger(), bob(), id), kNow)) << "the name of a key is no signature";
    std::string changed = by_rsa(issuer(), bob());
    changed[changed.find('.') + 3] ^= 1;
    EXPECT_FALSE(keys->check(changed, kNow));
  }
  EXPECT_FALSE(pem->check(by_rsa(stranger(), bob()), kNow));
}

TEST(TokenKeys, a_token_ends_with_the_second_it_names_and_must_name_one) {
  const auto keys = TokenKeys::public_keys(issuer().public_key().pem());
  EXPECT_TRUE(keys->check(by_rsa(issuer(), bob(1'700'000'001)), kNow));
  EXPECT_FALSE(keys->check(by_rsa(issuer(), bob(1'700'000'000)), kNow));
  EXPECT_FALSE(keys->check(by_rsa(issuer(), bob(std::nullopt)), kNow));
}

TEST(TokenKeys, a_shared_secret_and_a_public_key_are_never_taken_for_each_other) {
  const auto secret = TokenKeys::shared_secret(kSecret + "\n");
  const auto keys = TokenKeys::public_keys(issuer().public_key().pem());
  ASSERT_TRUE(secret);
  EXPECT_TRUE(secret->check(by_secret(kSecret, bob()), kNow));
  EXPECT_FALSE(secret->check(by_secret(kSecret + "x", bob()), kNow));
  EXPECT_FALSE(secret->check(by_rsa(issuer(), bob()), kNow));
  EXPECT_FALSE(keys->check(by_secret(issuer().public_key().pem(), bob()), kNow)) << "the public key is no secret";
  EXPECT_FALSE(keys->check(by_secret(kSecret, bob()), kNow));
}

TEST(TokenKeys, bad_files_are_refused_with_the_place) {
  const std::string parts = jwk(issuer());
  for (const auto& [text, error] : std::vector<std::pair<std::string, std::string>>{
           {"", "PEM"}, {"{", ""}, {"{}", "keys"}, {R"({"keys":[]})", "no RSA key"}, {R"({"keys":[5]})", "/keys/0"},
           {R"({"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]})", "/keys/0"}, {R"({"keys":[{"kty":"RSA","n":"*","e":"AQAB"}]})", "/keys/0"},
           {R"({"keys":[)" + parts + "," + parts + "]}", "/keys/1"}, {R"({"keys":[)" + jwk(issuer(), R"(,"alg":"RS512")") + "]}", ""}}) {
    const auto keys = TokenKeys::public_keys(text);
    ASSERT_FALSE(keys) << text;
    EXPECT_NE(keys.error().message.find(error), std::string::npos) << keys.error().message;
  }
  const auto weak = TokenKeys::shared_secret("hunter2");
  ASSERT_FALSE(weak);
  EXPECT_EQ(weak.error().message.find("hunter2"), std::string::npos);
}

}  // namespace
}  // namespace auth
