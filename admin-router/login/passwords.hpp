#pragma once

// Hashes of passwords (pure): argon2id by libargon2, which stays in the .cpp file.

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace admin_router {

/// Argon2id with 19 MiB, two passes and one lane, in the PHC string form. Some 30 ms of one core.
base::Result<std::string> hash_password(std::string_view password, std::string_view salt);
/// False also for a hash that cannot be read.
bool check_password(std::string_view password, const std::string& hash);
/// A hash with the same cost that no password is known for: who asks about a user that does not
/// exist waits as long.
const std::string& nobodys_hash();

}  // namespace admin_router
