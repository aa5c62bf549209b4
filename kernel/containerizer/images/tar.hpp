#pragma once

// Reads a tar stream piece by piece (pure): ustar, GNU long names, pax headers. What it cannot
// represent is an error.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "kernel/containerizer/types.hpp"

namespace containerizer::images {

struct TarEntry {
  enum class Type { File, HardLink, SymbolicLink, CharacterDevice, BlockDevice, Directory, Fifo };
  Type type = Type::File;
  std::string path{}, link{};
  uint32_t mode = 0;
  uint64_t uid = 0, gid = 0;
  uint64_t size = 0;  // of the data that follows
  int64_t mtime = 0;  // seconds
  uint32_t mtime_nanoseconds = 0;
  std::map<std::string, std::string> attributes{};  // extended, by name
};

class TarSink {
 public:
  virtual ~TarSink() = default;
  virtual Status on_entry(const TarEntry& entry) = 0;
  virtual Status on_data(std::string_view piece) = 0;  // of the last entry
  virtual Status on_entry_end() = 0;
};

class TarReader {
 public:
  explicit TarReader(TarSink& sink) : sink_(sink) {}

  /// After an error the reader is of no more use.
  Status feed(std::string_view bytes);

  /// An error when the archive is cut off.
  Status finish();

 private:
  enum class State { Header, Extension, Data, Padding, Ended };

  Status take_header();
  Status take_extension();
  Status take_pax(std::string_view records, bool global);
  Status begin_entry(char kind);

  TarSink& sink_;
  State state_ = State::Header;
  std::string block_{};  // of the header, or the extension's text
  char extension_ = 0;
  uint64_t remaining_ = 0;  // bytes of data or padding still to come
  uint64_t padding_ = 0;
  bool zero_block_ = false;
  bool entry_open_ = false;
  // From extensions, for the next entry.
  std::map<std::string, std::string> pax_{};
  std::string long_name_{}, long_link_{};
  TarEntry header_{};
};

}  // namespace containerizer::images
