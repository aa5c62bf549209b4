#include "base/crypto.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Base64Url, is_strict) {
  std::string out;
  for (const char* text : {"", "Zg", "Zm8", "Zm9v", "-_-_"}) {
    EXPECT_TRUE(base64url_decode(text, out)) << text;
    EXPECT_EQ(base64url_encode(out), text);
  }
  for (const char* text : {"Z", "Zh", "Zm9", "Zg==", "Z g", "+/+/", "Zm9vY"})
    EXPECT_FALSE(base64url_decode(text, out)) << text;
}

TEST(Rsa, verifies_the_signature_that_the_standard_shows) {
  // RFC 7515 A.2: key, signing input and signature.
  const std::string pem =
      "-----BEGIN PUBLIC KEY-----\n"
      "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj\n"
      "NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz\n"
      "P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo\n"
      "9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB\n"
      "EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX\n"
      "FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp\n"
      "oQIDAQAB\n-----END PUBLIC KEY-----\n";
  const std::string input =
      "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
      "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
  const std::string signature =
      "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2"
      "Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSj"
      "tQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvW"
      "h6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
  std::string bytes;
  ASSERT_TRUE(base64url_decode(signature, bytes));
  auto key = PublicKey::parse(pem);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_TRUE(key->verify(input, bytes));
  EXPECT_FALSE(key->verify(input + "x", bytes));
  EXPECT_EQ(key->parts().e, "AQAB");
}

TEST(Rsa, keys_are_long_enough_and_of_that_kind) {
  const PrivateKey key = PrivateKey::make().value();
  EXPECT_FALSE(PublicKey::parse(""));
  EXPECT_FALSE(PublicKey::parse(key.pem()));
  auto small = PrivateKey::make(1024);
  ASSERT_TRUE(small);
  EXPECT_FALSE(PublicKey::parse(small->public_key().pem()));
  EXPECT_FALSE(PrivateKey::parse(small->pem()));
  auto read = PrivateKey::parse(key.pem());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->public_key().parts().id, key.public_key().parts().id);
  EXPECT_EQ(key.public_key().parts().id.size(), 64u);
  const std::string signature = key.sign("text").value();
  EXPECT_TRUE(PublicKey::parse(key.public_key().pem())->verify("text", signature));
  EXPECT_FALSE(key.public_key().verify("texts", signature));
  EXPECT_FALSE(key.public_key().verify("text", ""));
}

TEST(Sha256, of_nothing_is_known) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Secrets, differ_and_are_wiped) {
  std::string a = secret_bytes(32).value();
  EXPECT_EQ(a.size(), 32u);
  EXPECT_NE(a, secret_bytes(32).value());
  wipe(a);
  EXPECT_TRUE(a.empty());
}

TEST(Hmac, is_that_of_rfc_4231) {
  const std::string digest = hmac_sha256("Jefe", "what do ya want for nothing?");
  std::string hex;
  for (const char c : digest) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  EXPECT_EQ(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac_sha256("", "").size(), 32u);
}

TEST(Comparison, is_of_every_byte) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("ab", "ab"));
  for (const char* other : {"", "a", "aB", "abc"}) EXPECT_FALSE(equal_in_constant_time("ab", other)) << other;
  EXPECT_FALSE(equal_in_constant_time("", "a"));
}

}  // namespace
}  // namespace base
