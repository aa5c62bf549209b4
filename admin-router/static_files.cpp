#include "admin-router/static_files.hpp"

#include <fmt/core.h>
#include <sys/stat.h>

#include "base/file.hpp"
#include "base/strings.hpp"

namespace admin_router {
namespace {

constexpr uint64_t kMaxFile = 32 << 20;
constexpr uint64_t kMaxCached = 64 << 20;

// The file's path below the root, or "" for one that must not be opened.
std::string file_name(std::string_view path) {
  std::string name;
  for (std::string_view piece : base::tokenize(path, '/')) {
    std::string decoded = base::percent_decode(piece);
    if (decoded == ".." || decoded == "." || decoded.find('/') != std::string::npos ||
        decoded.find('\0') != std::string::npos)
      return "";
    name += "/" + decoded;
  }
  return path.ends_with('/') ? name + "/index.html" : name;
}

}  // namespace

std::string_view media_type(std::string_view name) {
  struct Row {
    std::string_view ending, type;
  };
  static constexpr Row kRows[] = {
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".json", "application/json"},
      {".map", "application/json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".jpg", "image/jpeg"},
      {".ico", "image/x-icon"},
      {".webp", "image/webp"},
      {".woff2", "font/woff2"},
      {".woff", "font/woff"},
      {".ttf", "font/ttf"},
      {".txt", "text/plain; charset=utf-8"},
      {".webmanifest", "application/manifest+json"},
      {".wasm", "application/wasm"},
  };
  for (const Row& row : kRows)
    if (name.ends_with(row.ending)) return row.type;
  return "application/octet-stream";
}

std::optional<StaticFiles::File> StaticFiles::find(std::string_view path) {
  if (root_.empty()) return std::nullopt;
  std::string name = file_name(path);
  if (name.empty()) return std::nullopt;
  std::string full = root_ + name;
  struct stat info {};
  if (::stat(full.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  uint64_t size = static_cast<uint64_t>(info.st_size);
  int64_t changed = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
  auto it = cache_.find(name);
  if (it != cache_.end() && it->second.changed_ns == changed && it->second.size == size)
    return it->second.file;

  auto content = base::read_file(full, kMaxFile);
  if (!content) return std::nullopt;
  File file{std::make_shared<const std::string>(*std::move(content)),
            fmt::format("\"{:x}-{:x}\"", changed, size), media_type(name)};
  if (it != cache_.end()) cached_bytes_ -= it->second.size;
  if (cached_bytes_ + size > kMaxCached) {
    cache_.clear();
    cached_bytes_ = 0;
  }
  cached_bytes_ += size;
  cache_[name] = Cached{file, changed, size};
  return file;
}

}  // namespace admin_router
