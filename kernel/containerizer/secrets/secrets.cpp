#include "kernel/containerizer/secrets/secrets.hpp"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/strings.hpp"

namespace containerizer::secrets {
namespace {

using mesos::v1::Secret;

Status check_private(int file, const std::string& what) {
  struct stat info;
  if (fstat(file, &info) != 0) return base::errno_error(what, errno);
  if (info.st_uid != geteuid() || (info.st_mode & 077) != 0)
    return base::forbidden(what + " must belong to the agent's user and be closed to all others (chmod go=)");
  return {};
}

class Directory final : public Resolver {
 public:
  explicit Directory(base::Fd directory) : directory_(std::move(directory)) {}

  Result<std::string> find(const Secret::Reference& reference) const override {
    ASSIGN_OR_RETURN(const std::string path, path_of(reference));
    const std::string what = "the secret '" + base::valid_utf8(path) + "'";
    struct open_how how {};
    how.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    const base::Fd file(static_cast<int>(syscall(SYS_openat2, directory_.get(), path.c_str(), &how, sizeof how)));
    if (!file && errno == ENOENT) return base::not_found("there is no " + what.substr(4));
    if (!file) return base::errno_error(what, errno);
    RETURN_IF_ERROR(check_private(file.get(), what));
    struct stat info;
    if (fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) return base::invalid(what + " is not a file");
    if (static_cast<uint64_t>(info.st_size) > kMaxSecret) return base::invalid(what + " is larger than 1 MiB");
    std::string content(kMaxSecret + 1, '\0');
    size_t length = 0;
    for (;;) {
      const ssize_t count = read(file.get(), content.data() + length, content.size() - length);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return base::errno_error(what, errno);
      if (count == 0) break;
      length += static_cast<size_t>(count);
      if (length > kMaxSecret) return base::invalid(what + " is larger than 1 MiB");
    }
    return content.substr(0, length);
  }

 private:
  base::Fd directory_;
};

}  // namespace

Result<std::shared_ptr<const Resolver>> open_directory(const std::string& path) {
  base::Fd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return base::errno_error("--secret_dir=" + path, errno);
  RETURN_IF_ERROR(check_private(directory.get(), "--secret_dir=" + path));
  return std::shared_ptr<const Resolver>(std::make_shared<Directory>(std::move(directory)));
}

Result<std::string> path_of(const Secret::Reference& reference) {
  std::string path = reference.name();
  while (path.starts_with('/')) path.erase(0, 1);
  if (reference.has_key()) path += "/" + reference.key();
  if (path.empty() || path.size() > 1024 || path.find('\0') != std::string::npos)
    return base::invalid("a secret needs a name of at most 1024 characters");
  return path;
}

Status check(const Secret& secret, const Resolver* resolver) {
  if (secret.type() == Secret::VALUE) {
    if (!secret.has_value()) return base::invalid("a secret of type VALUE has no value");
    return secret.value().data().size() > kMaxSecret ? Status(base::invalid("a secret is larger than 1 MiB")) : Status();
  }
  if (secret.type() != Secret::REFERENCE || !secret.has_reference())
    return base::invalid("a secret needs the type VALUE or REFERENCE and what belongs to it");
  if (resolver == nullptr)
    return base::unsupported("the secret '" + base::valid_utf8(secret.reference().name()) +
                             "' is in a store, and this agent has none (--secret_dir, --secret_command)");
  return {};
}

Result<std::string> resolve(const Secret& secret, const Resolver* resolver) {
  RETURN_IF_ERROR(check(secret, resolver));
  if (secret.type() == Secret::VALUE) return secret.value().data();
  return resolver->find(secret.reference());
}

}  // namespace containerizer::secrets
