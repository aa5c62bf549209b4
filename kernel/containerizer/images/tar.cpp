#include "kernel/containerizer/images/tar.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace containerizer::images {
namespace {

constexpr size_t kBlock = 512;
constexpr uint64_t kMaxExtension = 1 << 20;

Error damaged(const std::string& what) {
  return Error{base::Code::Corrupt, "the tar archive is damaged: " + what};
}

std::string_view field(std::string_view block, size_t offset, size_t length) {
  const auto text = block.substr(offset, length);
  return text.substr(0, text.find('\0'));
}

/// Octal digits, or (first byte 0x80) a number in base 256. Negative numbers are refused.
std::optional<uint64_t> number(std::string_view block, size_t offset, size_t length) {
  const auto text = block.substr(offset, length);
  if (static_cast<unsigned char>(text[0]) & 0x80) {
    if (static_cast<unsigned char>(text[0]) != 0x80) return std::nullopt;
    uint64_t value = 0;
    for (size_t i = 1; i < length; ++i) {
      if (value >> 56) return std::nullopt;
      value = value << 8 | static_cast<unsigned char>(text[i]);
    }
    return value;
  }
  uint64_t value = 0;
  size_t at = 0;
  while (at < length && text[at] == ' ') ++at;
  for (; at < length && text[at] != ' ' && text[at] != '\0'; ++at) {
    if (text[at] < '0' || text[at] > '7' || value >> 60) return std::nullopt;
    value = value << 3 | static_cast<uint64_t>(text[at] - '0');
  }
  return value;
}

bool checksum_fits(std::string_view block) {
  const auto wanted = number(block, 148, 8);
  uint64_t sum = 0;
  int64_t signed_sum = 0;  // some old programs added signed characters
  for (size_t i = 0; i < kBlock; ++i) {
    const char c = i >= 148 && i < 156 ? ' ' : block[i];
    sum += static_cast<unsigned char>(c);
    signed_sum += static_cast<signed char>(c);
  }
  return wanted && (*wanted == sum || static_cast<int64_t>(*wanted) == signed_sum);
}

std::optional<TarEntry::Type> type_of(char kind) {
  switch (kind) {
    case '\0':
    case '0':
    case '7':
      return TarEntry::Type::File;
    case '1':
      return TarEntry::Type::HardLink;
    case '2':
      return TarEntry::Type::SymbolicLink;
    case '3':
      return TarEntry::Type::CharacterDevice;
    case '4':
      return TarEntry::Type::BlockDevice;
    case '5':
      return TarEntry::Type::Directory;
    case '6':
      return TarEntry::Type::Fifo;
    default:
      return std::nullopt;
  }
}

Status parse_time(std::string_view text, TarEntry& entry) {
  const size_t dot = text.find('.');
  const auto seconds = base::parse_int(text.substr(0, dot));
  if (!seconds) return damaged("a time is not a number");
  entry.mtime = *seconds;
  entry.mtime_nanoseconds = 0;
  if (dot == std::string_view::npos) return {};
  std::string digits(text.substr(dot + 1, 9));
  digits.resize(9, '0');
  if (const auto fraction = base::parse_uint(digits))
    entry.mtime_nanoseconds = static_cast<uint32_t>(*fraction);
  return {};
}

}  // namespace

Status TarReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    switch (state_) {
      case State::Ended:
        return {};  // whatever follows the end is not the archive's
      case State::Header: {
        const size_t take = std::min(kBlock - block_.size(), bytes.size());
        block_.append(bytes.substr(0, take));
        bytes.remove_prefix(take);
        if (block_.size() == kBlock) RETURN_IF_ERROR(take_header());
        break;
      }
      case State::Extension: {
        const size_t take = static_cast<size_t>(std::min<uint64_t>(remaining_, bytes.size()));
        block_.append(bytes.substr(0, take));
        bytes.remove_prefix(take);
        remaining_ -= take;
        if (remaining_ == 0) RETURN_IF_ERROR(take_extension());
        break;
      }
      case State::Data: {
        const size_t take = static_cast<size_t>(std::min<uint64_t>(remaining_, bytes.size()));
        RETURN_IF_ERROR(sink_.on_data(bytes.substr(0, take)));
        bytes.remove_prefix(take);
        remaining_ -= take;
        if (remaining_ > 0) break;
        entry_open_ = false;
        RETURN_IF_ERROR(sink_.on_entry_end());
        remaining_ = padding_;
        state_ = remaining_ > 0 ? State::Padding : State::Header;
        break;
      }
      case State::Padding: {
        const size_t take = static_cast<size_t>(std::min<uint64_t>(remaining_, bytes.size()));
        bytes.remove_prefix(take);
        remaining_ -= take;
        if (remaining_ == 0) state_ = State::Header;
        break;
      }
    }
  }
  return {};
}

Status TarReader::finish() {
  if (state_ == State::Ended) return {};
  const bool pending = !pax_.empty() || !long_name_.empty() || !long_link_.empty();
  if (state_ == State::Header && block_.empty() && !pending && !entry_open_) return {};
  return damaged("it is cut off");
}

Status TarReader::take_header() {
  const std::string block = std::exchange(block_, {});
  if (std::all_of(block.begin(), block.end(), [](char c) { return c == '\0'; })) {
    if (zero_block_) state_ = State::Ended;
    zero_block_ = true;
    return {};
  }
  zero_block_ = false;
  if (!checksum_fits(block)) return damaged("a header has a wrong checksum");
  const char kind = block[156];
  const auto size = number(block, 124, 12);
  if (!size) return damaged("a size is not a number");
  if (kind == 'L' || kind == 'K' || kind == 'x' || kind == 'g') {
    if (*size > kMaxExtension) return damaged("a name or header is longer than 1 MiB");
    extension_ = kind;
    remaining_ = *size;
    padding_ = (kBlock - *size % kBlock) % kBlock;
    state_ = State::Extension;
    return remaining_ == 0 ? take_extension() : Status();
  }
  const auto mode = number(block, 100, 8), uid = number(block, 108, 8), gid = number(block, 116, 8);
  const auto mtime = number(block, 136, 12);
  if (!mode || !uid || !gid) return damaged("a mode, user or group is not a number");
  header_ = TarEntry();
  header_.mode = static_cast<uint32_t>(*mode & 07777);
  header_.uid = *uid;
  header_.gid = *gid;
  header_.size = *size;
  header_.mtime = mtime ? static_cast<int64_t>(std::min<uint64_t>(*mtime, INT64_MAX)) : 0;
  header_.path = std::string(field(block, 0, 100));
  header_.link = std::string(field(block, 157, 100));
  // The prefix field belongs to ustar; GNU's own format has times there.
  if (block.compare(257, 6, std::string_view("ustar\0", 6)) == 0 && block[345] != '\0')
    header_.path = std::string(field(block, 345, 155)) + "/" + header_.path;
  return begin_entry(kind);
}

Status TarReader::take_extension() {
  const std::string text = std::exchange(block_, {});
  remaining_ = padding_;
  state_ = remaining_ > 0 ? State::Padding : State::Header;
  switch (extension_) {
    case 'L':
      long_name_ = text.substr(0, text.find('\0'));
      return {};
    case 'K':
      long_link_ = text.substr(0, text.find('\0'));
      return {};
    default:
      return take_pax(text, extension_ == 'g');
  }
}

Status TarReader::take_pax(std::string_view records, bool global) {
  while (!records.empty()) {
    const size_t blank = records.find(' ');
    if (blank == std::string_view::npos || blank > 10) return damaged("a pax header has no length");
    const auto length = base::parse_uint(records.substr(0, blank));
    if (!length || *length <= blank + 1 || *length > records.size() || records[*length - 1] != '\n')
      return damaged("a pax header has a wrong length");
    const auto record = records.substr(blank + 1, *length - blank - 2);
    records.remove_prefix(*length);
    const size_t equals = record.find('=');
    if (equals == std::string_view::npos) return damaged("a pax header has no '='");
    // Global headers say things such as the commit that an archive was made from; nothing that a
    // layer needs.
    if (!global)
      pax_[std::string(record.substr(0, equals))] = std::string(record.substr(equals + 1));
  }
  return {};
}

Status TarReader::begin_entry(char kind) {
  const auto pax = std::exchange(pax_, {});
  const std::string long_name = std::exchange(long_name_, {}),
                    long_link = std::exchange(long_link_, {});
  if (kind == 'S' || pax.contains("GNU.sparse.major") || pax.contains("GNU.sparse.map") ||
      pax.contains("GNU.sparse.size"))
    return base::unsupported("the tar archive has sparse files, which are not supported");
  const auto type = type_of(kind);
  if (!type)
    return damaged(std::string("an entry of the unknown kind '") +
                   (kind >= ' ' && kind < 127 ? kind : '?') + "'");
  header_.type = *type;
  if (!long_name.empty()) header_.path = long_name;
  if (!long_link.empty()) header_.link = long_link;
  for (const auto& [name, value] : pax) {
    if (name == "path") header_.path = value;
    if (name == "linkpath") header_.link = value;
    if (name == "mtime") RETURN_IF_ERROR(parse_time(value, header_));
    if (name == "size" || name == "uid" || name == "gid") {
      const auto given = base::parse_uint(value);
      if (!given) return damaged("the pax " + name + " is not a number");
      (name == "size" ? header_.size : name == "uid" ? header_.uid : header_.gid) = *given;
    }
    if (name.starts_with("SCHILY.xattr.")) header_.attributes[name.substr(13)] = value;
  }
  // Old archives mark directories by the slash alone.
  if (header_.type == TarEntry::Type::File && header_.path.ends_with('/') && header_.size == 0)
    header_.type = TarEntry::Type::Directory;
  if (header_.path.find('\0') != std::string::npos || header_.link.find('\0') != std::string::npos)
    return damaged("a name contains a NUL character");
  if (header_.type != TarEntry::Type::File) {
    // Links and directories have no data, whatever their size field says of what they stand for.
    if (header_.type == TarEntry::Type::Directory && header_.size > 0)
      return damaged("a directory has data");
    header_.size = 0;
  }
  if (header_.size > uint64_t{1} << 62) return damaged("a size is too large");
  RETURN_IF_ERROR(sink_.on_entry(header_));
  padding_ = (kBlock - header_.size % kBlock) % kBlock;
  remaining_ = header_.size;
  if (remaining_ == 0) {
    state_ = State::Header;
    return sink_.on_entry_end();
  }
  entry_open_ = true;
  state_ = State::Data;
  return {};
}

}  // namespace containerizer::images
