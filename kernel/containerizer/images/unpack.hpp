#pragma once

// Writes the entries of a layer below a directory, in the form that overlayfs reads. Works by
// descriptors alone: a name or link of the archive can at most lead back into the directory.
// Blocking.

#include <memory>

#include "kernel/containerizer/images/tar.hpp"

namespace containerizer::images {

struct UnpackLimits {
  uint64_t max_bytes = uint64_t{64} << 30;  // of all files together
  uint64_t max_entries = 4'000'000;
};

struct UnpackCounts {
  uint64_t bytes = 0, entries = 0;
  uint64_t devices_skipped = 0;  // containers get their own /dev; nodes of an archive are not made
};

class Unpacker final : public TarSink {
 public:
  /// `root`: descriptor of an empty directory, kept open by the caller.
  Unpacker(int root, UnpackLimits limits);
  ~Unpacker() override;

  Status on_entry(const TarEntry& entry) override;
  Status on_data(std::string_view piece) override;
  Status on_entry_end() override;

  /// The times of directories, which every new entry in them would have changed.
  Status finish();

  const UnpackCounts& counts() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Removes what `name` in `directory` is, with everything below; does not follow links. Missing is
/// success.
Status remove_at(int directory, const char* name);

}  // namespace containerizer::images
