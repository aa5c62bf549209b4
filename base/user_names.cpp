#include "base/user_names.hpp"

#include <grp.h>
#include <pwd.h>

#include <array>

namespace base {

std::string name_of_user(uid_t uid) {
  std::array<char, 4096> buffer;
  struct passwd entry;
  struct passwd* found = nullptr;
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return found->pw_name;
  return std::to_string(uid);
}

std::string name_of_group(gid_t gid) {
  std::array<char, 4096> buffer;
  struct group entry;
  struct group* found = nullptr;
  if (getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) return found->gr_name;
  return std::to_string(gid);
}

}  // namespace base
