// Repositories in their source form, read from a directory.

#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/json.hpp>

#include "base/file.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "universe/fetcher.hpp"

namespace universe {
namespace {

constexpr const char* kFiles[] = {"package.json", "config.json", "resource.json", "marathon.json.mustache",
                                  "command.json"};
constexpr uint64_t kMaxFileBytes = uint64_t{4} << 20;

struct Folder {
  std::string path, what;
  int64_t release = 0;
};

std::vector<std::string> names_in(const std::string& dir) {
  auto names = base::list_directory(dir);
  return names ? std::move(*names) : std::vector<std::string>{};
}

/// Any file's name, size and time go in.
void add_to_signature(uint64_t& hash, const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return;
  const std::string text = fmt::format("{} {} {}.{} {}\n", path, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
                                       info.st_ino);
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
}

FetchOutcome failed(FetchOutcome::Kind kind, std::string cause) {
  FetchOutcome out;
  out.kind = kind;
  out.cause = std::move(cause);
  return out;
}

}  // namespace

FetchOutcome read_tree(const std::string& dir, const std::string& known_etag, const IndexLimits& limits) {
  std::string packages;
  for (const std::string& candidate : {dir + "/repo/packages", dir + "/packages"}) {
    if (packages.empty() && base::exists(candidate)) packages = candidate;
  }
  if (packages.empty()) {
    return failed(FetchOutcome::Kind::Malformed,
                  dir + " holds neither repo/packages nor packages: a repository's directory has one of them");
  }
  std::vector<Folder> folders;
  uint64_t hash = 14695981039346656037u;
  for (const std::string& letter : names_in(packages)) {
    for (const std::string& name : names_in(packages + "/" + letter)) {
      for (const std::string& release : names_in(fmt::format("{}/{}/{}", packages, letter, name))) {
        const auto number = base::parse_uint(release);
        if (!number || *number > INT64_MAX) continue;
        Folder folder{fmt::format("{}/{}/{}/{}", packages, letter, name, release), fmt::format("{}/{}", name, release),
                      static_cast<int64_t>(*number)};
        if (!base::exists(folder.path + "/package.json")) continue;
        if (folders.size() == limits.max_packages) {
          return failed(FetchOutcome::Kind::Malformed,
                        fmt::format("{} has more than {} packages", dir, limits.max_packages));
        }
        for (const char* file : kFiles) add_to_signature(hash, folder.path + "/" + file);
        folders.push_back(std::move(folder));
      }
    }
  }
  FetchOutcome out;
  out.etag = fmt::format("tree-{:016x}-{}", hash, folders.size());
  if (out.etag == known_etag) {
    out.kind = FetchOutcome::Kind::Unchanged;
    return out;
  }
  RepositoryIndex index;
  for (const Folder& folder : folders) {
    std::map<std::string, std::string> files;
    for (const char* file : kFiles) {
      const std::string path = folder.path + "/" + file;
      if (!base::exists(path)) continue;
      if (auto text = base::read_file(path, kMaxFileBytes)) files[file] = std::move(*text);
    }
    auto document = assemble_package(files, folder.release);
    if (document) {
      add_package(index, *document, folder.what);
    } else {
      set_aside(index, folder.what, document.error().message);
    }
  }
  out.kind = FetchOutcome::Kind::Fresh;
  out.index = std::make_shared<const RepositoryIndex>(std::move(index));
  return out;
}

}  // namespace universe
