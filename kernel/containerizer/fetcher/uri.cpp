#include "kernel/containerizer/fetcher/uri.hpp"

#include "base/strings.hpp"

namespace containerizer::fetcher {
namespace {

Unpack unpack_by_name(std::string_view name) {
  constexpr std::string_view kTar[] = {".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".tar"};
  for (const auto suffix : kTar)
    if (name.ends_with(suffix)) return Unpack::Tar;
  if (name.ends_with(".gz")) return Unpack::Gzip;
  if (name.ends_with(".zip")) return Unpack::Zip;
  return Unpack::Nothing;
}

std::string_view last_part(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

Status check_destination(const std::string& path) {
  if (path.empty() || path == "." || path == "..") return base::invalid("the URI does not end in a file name");
  if (path[0] == '/') return base::invalid("output_file must be relative to the sandbox");
  for (const auto part : base::split(path, '/'))
    if (part == "..") return base::invalid("output_file may not leave the sandbox");
  if (path.find('\0') != std::string::npos) return base::invalid("a file name may not contain NUL");
  return {};
}

/// Takes "#sha256=<hex>" or "#sha512=<hex>" off the end. Other fragments stay.
Status take_digest(std::string_view& value, FetchPlan& plan) {
  const size_t hash = value.rfind('#');
  if (hash == std::string_view::npos) return {};
  const std::string_view fragment = value.substr(hash + 1);
  const size_t digits = fragment.starts_with("sha256=") ? 64 : fragment.starts_with("sha512=") ? 128 : 0;
  if (digits == 0) return {};
  const std::string hex = base::to_lower(fragment.substr(7));
  if (hex.size() != digits || hex.find_first_not_of("0123456789abcdef") != std::string::npos)
    return base::invalid("the digest behind '#' must have " + std::to_string(digits) + " hexadecimal digits");
  plan.digest = std::string(fragment.substr(0, 6)) + ":" + hex;
  value = value.substr(0, hash);
  return {};
}

}  // namespace

Result<FetchPlan> plan_fetch(const mesos::v1::CommandInfo::URI& uri, const std::string& frameworks_home) {
  FetchPlan plan;
  std::string_view value = base::trim(uri.value());
  if (value.empty()) return base::invalid("the URI is empty");
  RETURN_IF_ERROR(take_digest(value, plan));
  const std::string lower = base::to_lower(value);
  std::string name;
  if (lower.starts_with("http://") || lower.starts_with("https://")) {
    plan.remote = true;
    plan.cache = uri.cache();
    plan.source = std::string(value);
    // A query is for the server; it is no part of the file's name.
    std::string_view path = value.substr(value.find("://") + 3);
    path = path.substr(0, path.find_first_of("?#"));
    name = path.find('/') == std::string_view::npos ? "" : base::percent_decode(last_part(path));
  } else if (lower.starts_with("file://")) {
    std::string_view path = value.substr(7);
    if (base::to_lower(path).starts_with("localhost/")) path = path.substr(9);
    if (path.empty() || path[0] != '/') return base::invalid("a file URI needs an absolute path");
    plan.source = std::string(path);
    name = std::string(last_part(path));
  } else if (value.find("://") != std::string_view::npos) {
    return base::unsupported("the scheme of this URI is not supported by this build (http, https, file)");
  } else if (value[0] == '/') {
    plan.source = std::string(value);
    name = std::string(last_part(value));
  } else {
    if (frameworks_home.empty())
      return base::invalid("a relative path needs the agent's --frameworks_home");
    plan.source = frameworks_home + "/" + std::string(value);
    name = std::string(last_part(value));
  }
  plan.destination = uri.has_output_file() ? uri.output_file() : name;
  RETURN_IF_ERROR(check_destination(plan.destination));
  plan.executable = uri.executable();
  // A program is run as it is: what is executable is not unpacked.
  if (uri.extract() && !uri.executable()) plan.unpack = unpack_by_name(plan.destination);
  return plan;
}

}  // namespace containerizer::fetcher
