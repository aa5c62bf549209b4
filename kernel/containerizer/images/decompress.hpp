#pragma once

// Unpacks a stream piece by piece (pure): gzip, zstd, or as it is; its first bytes say which.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "kernel/containerizer/types.hpp"

namespace containerizer::images {

class Decompressor {
 public:
  using Output = std::function<Status(std::string_view piece)>;

  explicit Decompressor(Output output);
  ~Decompressor();

  Status feed(std::string_view bytes);

  /// An error when the stream is cut off.
  Status finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace containerizer::images
