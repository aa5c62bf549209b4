#include "marathon/import/backup_tar.hpp"

#include <fmt/format.h>

#include "base/http/gzip.hpp"
#include "base/strings.hpp"
#include "marathon/import/original.pb.h"

namespace marathon::original {

namespace {

constexpr size_t kBlock = 512;
constexpr size_t kMostOfOne = size_t{64} << 20;  // opened
constexpr const char* kVersionNode = "internal:storage:version";

base::Error damaged(const std::string& why) { return base::Error{base::Code::Corrupt, "it is no whole backup of Marathon: " + why}; }

/// Up to the first zero.
std::string_view text_of(std::string_view block, size_t offset, size_t length) {
  const auto field = block.substr(offset, length);
  return field.substr(0, field.find('\0'));
}

/// Octal digits between blanks; -1: something else.
int64_t number_of(std::string_view block, size_t offset, size_t length) {
  int64_t value = 0;
  bool any = false;
  for (const char c : text_of(block, offset, length)) {
    if (c == ' ') continue;
    if (c < '0' || c > '7') return -1;
    value = value * 8 + (c - '0');
    any = true;
  }
  return any ? value : -1;
}

bool is_whole(std::string_view header) {
  constexpr size_t kSum = 148, kSumLength = 8;
  int64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) sum += i >= kSum && i < kSum + kSumLength ? ' ' : static_cast<unsigned char>(header[i]);
  return number_of(header, kSum, kSumLength) == sum;
}

/// As in the names of nodes: Java leaves out seconds that are zero.
std::string with_seconds(std::string version) {
  constexpr size_t kMinutes = 16;  // of "2020-01-01T00:00Z"
  if (version.size() > kMinutes && version[kMinutes] != ':') version.insert(kMinutes, ":00");
  return version;
}

base::Status add(Nodes& nodes, const std::string& name, std::string_view content) {
  const auto pieces = base::split(name, '/');
  const bool item = pieces.size() == 3 && pieces[1] == "items", version = pieces.size() == 4 && pieces[1] == "versions";
  if (!item && !version) return damaged(fmt::format("'{}' is not the name of a node", base::valid_utf8(name.substr(0, 200))));
  std::string data(content);
  if (data.starts_with("\x1f\x8b")) {
    auto opened = base::http::gunzip(data, kMostOfOne);
    if (!opened) return opened.error().with_context(name);
    data = std::move(*opened);
  }
  const std::string category(pieces[0]), id(pieces[2]);
  if (category == kVersionNode) {
    StoreEntry entry;
    entry.set_name(kVersionNode);
    entry.set_value(data);
    nodes[kVersionNode] = entry.SerializeAsString();
    return {};
  }
  nodes.emplace(category, "");
  // In which of its buckets a node lies says nothing.
  nodes[category + "/0/" + id + (version ? "/" + with_seconds(std::string(pieces[3])) : "")] = std::move(data);
  return {};
}

}  // namespace

base::Result<Nodes> nodes_of_backup(std::string_view tar) {
  Nodes nodes;
  std::string long_name;
  while (true) {
    if (tar.size() < kBlock) return damaged("it is cut off");
    const std::string_view header = tar.substr(0, kBlock);
    tar.remove_prefix(kBlock);
    if (header.find_first_not_of('\0') == std::string_view::npos) break;
    const int64_t size = number_of(header, 124, 12);
    if (!is_whole(header) || size < 0) return damaged("it is not a tar, or damaged");
    const auto bytes = static_cast<size_t>(size), padded = (bytes + kBlock - 1) / kBlock * kBlock;
    if (tar.size() < padded) return damaged("it is cut off");
    const std::string_view content = tar.substr(0, bytes);
    tar.remove_prefix(padded);
    const char kind = header[156];
    if (kind == 'L') {
      long_name = text_of(content, 0, content.size());
      continue;
    }
    if (kind != '0' && kind != '\0') return damaged(fmt::format("it has an entry of kind '{}'", kind));
    const std::string name = long_name.empty() ? std::string(text_of(header, 0, 100)) : std::move(long_name);
    long_name.clear();
    RETURN_IF_ERROR(add(nodes, name, content));
  }
  if (!nodes.contains(kVersionNode)) return damaged("it does not say of which version it is");
  return nodes;
}

}  // namespace marathon::original
