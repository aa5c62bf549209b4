#include "marathon/access.hpp"

#include <sys/stat.h>

#include "base/crypto.hpp"
#include "base/file.hpp"
#include "kernel/auth/credentials.hpp"
#include "marathon/flags.hpp"

namespace marathon {
namespace {

constexpr size_t kMaxFile = 1 << 20;

/// The file, which nobody but its owner and group may read.
base::Result<std::string> read_secret_file(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 07) != 0) {
    return base::invalid("others can read " + path + ": chmod o= " + path);
  }
  return base::read_file(path, kMaxFile);
}

}  // namespace

base::Result<Access> Access::from(const Flags& flags) {
  Access out;
  out.realm_ = flags.http_realm;
  out.credentials_ = flags.http_credentials;
  if (flags.http_token_keys) {
    ASSIGN_OR_RETURN(const std::string text, base::read_file(*flags.http_token_keys, kMaxFile));
    auto keys = auth::TokenKeys::public_keys(text);
    if (!keys) return keys.error().with_context("--http_token_keys=" + *flags.http_token_keys);
    out.keys_ = std::move(*keys);
  }
  if (flags.http_token_secret_file) {
    auto text = read_secret_file(*flags.http_token_secret_file);
    if (!text) return text.error().with_context("--http_token_secret_file");
    auto secret = auth::TokenKeys::shared_secret(*text);
    base::wipe(*text);
    if (!secret) return secret.error().with_context("--http_token_secret_file=" + *flags.http_token_secret_file);
    out.secret_ = std::move(*secret);
  }
  if (flags.http_authorization) {
    ASSIGN_OR_RETURN(const std::string text, base::read_file(*flags.http_authorization, kMaxFile));
    auto table = Authorization::parse(text, out.keys_ || out.secret_);
    if (!table) return table.error().with_context("--http_authorization=" + *flags.http_authorization);
    out.table_ = std::move(*table);
  }
  return out;
}

/// The user that the request shows to be; absent: nobody.
std::optional<std::string> Access::user_of(const base::http::Request& request, base::Time now) const {
  const std::string_view header = request.headers.get_or("Authorization", "");
  if (const auto basic = auth::parse_basic(header)) {
    return table_ ? table_->user_of(basic->principal, basic->secret) : std::nullopt;
  }
  const std::string_view token = auth::token_in_header(header);
  if (token.empty()) return std::nullopt;
  for (const auto* keys : {&keys_, &secret_}) {
    if (!*keys) continue;
    if (auto claims = (*keys)->check(token, now)) return std::move(claims->uid);
  }
  return std::nullopt;
}

Access::Answer Access::decide(const base::http::Request& request, base::Time now) const {
  if (!credentials_ && !table_ && !keys_ && !secret_) return {};
  if (credentials_) {
    const auto basic = auth::parse_basic(request.headers.get_or("Authorization", ""));
    if (basic && base::equal_in_constant_time(basic->principal + ":" + basic->secret, *credentials_)) return {};
  }
  const auto user = user_of(request, now);
  if (!user) return {401};
  if (!table_) return {};
  if (!table_->allows(*user, request)) return {403};
  return {0, table_->viewer(*user)};
}

void Access::ask(base::http::Headers& headers) const {
  const bool tokens = keys_ || secret_;
  if (credentials_ || table_ || !tokens) headers.add("WWW-Authenticate", "Basic realm=\"" + realm_ + "\"");
  if (tokens) headers.add("WWW-Authenticate", "Bearer realm=\"" + realm_ + "\"");
}

}  // namespace marathon
