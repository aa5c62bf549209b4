#pragma once

// One layer on its way from bytes as a registry has them to files: digest, unpack, digest, untar.
// Blocking; used by one thread at a time.

#include <memory>
#include <string>
#include <string_view>

#include "kernel/containerizer/images/unpack.hpp"

namespace containerizer::images {

struct LayerWanted {
  std::string
      digest{};  // of the bytes; empty: not to be checked (an archive names files, not digests)
  std::string diff_id{};  // of the unpacked tar
  uint64_t size = 0;      // of the bytes; 0 with an empty digest
};

class LayerWriter {
 public:
  /// `directory` must exist and be empty.
  static Result<std::unique_ptr<LayerWriter>> open(const std::string& directory, LayerWanted wanted,
                                                   UnpackLimits limits);
  ~LayerWriter();

  Status write(std::string_view bytes);

  /// Everything came: checks size and digests. Nothing of a layer may be used before this
  /// succeeded.
  Result<UnpackCounts> finish();

 private:
  struct Impl;
  explicit LayerWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace containerizer::images
