#include "installer/owner.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <cerrno>

#include "base/file.hpp"
#include "base/strings.hpp"

namespace installer {

base::Result<std::string> make_password() {
  static constexpr char kLetters[] = "abcdefghijkmnpqrstuvwxyz23456789";  // 32 of them: 5 bits each
  static_assert(sizeof kLetters == 33);
  unsigned char bytes[20];
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
    return base::errno_error("getrandom", errno);
  std::string out;
  for (unsigned char byte : bytes) out += kLetters[byte & 31];
  return out;
}

base::Status hand_over(const ClusterPlan& plan, const std::string& password) {
  RETURN_IF_ERROR(base::make_directories(plan.options.root + "/run"));
  return base::write_file_atomic(plan.owner_password_file(), password + "\n", 0600);
}

base::Result<std::optional<std::string>> first_password(const ClusterPlan& plan) {
  if (base::exists(plan.owner_password_file())) {
    ASSIGN_OR_RETURN(std::string text, base::read_file(plan.owner_password_file(), 4096));
    return std::optional<std::string>(base::trim(text));
  }
  if (base::exists(plan.options.root + "/gateway/login/users.db"))
    return std::optional<std::string>();
  ASSIGN_OR_RETURN(std::string password, make_password());
  RETURN_IF_ERROR(hand_over(plan, password));
  return std::optional<std::string>(std::move(password));
}

base::Status make_cluster_key(const ClusterPlan& plan) {
  if (base::exists(plan.cluster_key_file())) return {};
  unsigned char bytes[32];
  if (::getrandom(bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
    return base::errno_error("getrandom", errno);
  std::string text;
  for (unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  RETURN_IF_ERROR(base::make_directories(plan.options.root + "/l4lb", 0700));
  return base::write_file_atomic(plan.cluster_key_file(), text + "\n", 0600);
}

}  // namespace installer
