#include "admin-router/login/passwords.hpp"

#include <argon2.h>

#include <fmt/format.h>

namespace admin_router {
namespace {

constexpr uint32_t kPasses = 2, kMemoryKib = 19 * 1024, kLanes = 1;
constexpr size_t kHashBytes = 32;

}  // namespace

base::Result<std::string> hash_password(std::string_view password, std::string_view salt) {
  std::string out(::argon2_encodedlen(kPasses, kMemoryKib, kLanes,
                                      static_cast<uint32_t>(salt.size()), kHashBytes, Argon2_id),
                  '\0');
  int code = ::argon2id_hash_encoded(kPasses, kMemoryKib, kLanes, password.data(), password.size(),
                                     salt.data(), salt.size(), kHashBytes, out.data(), out.size());
  if (code != ARGON2_OK)
    return base::internal(
        fmt::format("the password cannot be hashed: {}", ::argon2_error_message(code)));
  out.resize(out.find('\0'));
  return out;
}

bool check_password(std::string_view password, const std::string& hash) {
  return ::argon2id_verify(hash.c_str(), password.data(), password.size()) == ARGON2_OK;
}

const std::string& nobodys_hash() {
  // Of random bytes that were thrown away.
  static const std::string hash =
      "$argon2id$v=19$m=19456,t=2,p=1$UEd/3vXlKLHs/sf3174FLQ$"
      "FKUUr1egECfbaZqv04OrSzj6lgNA+2y0OWf+Z/6StUo";
  return hash;
}

}  // namespace admin_router
