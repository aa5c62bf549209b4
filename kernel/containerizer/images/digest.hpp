#pragma once

// Digests of content while it streams by.

#include <memory>
#include <string>
#include <string_view>

#include "kernel/containerizer/types.hpp"

namespace containerizer::images {

class Digester {
 public:
  /// "sha256" or "sha512".
  explicit Digester(std::string_view algorithm = "sha256");
  ~Digester();
  Digester(Digester&&) noexcept;
  Digester& operator=(Digester&&) noexcept;

  void update(std::string_view bytes);

  /// "sha256:<hex>". Once.
  std::string finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// "sha256:abc" -> "sha256".
std::string_view algorithm_of(std::string_view digest);

std::string sha256_of(std::string_view bytes);

/// An error that shows both when they differ.
Status same_digest(const std::string& wanted, const std::string& actual);

/// An error that shows both when `bytes` have another digest than `wanted`.
Status verify_digest(std::string_view bytes, const std::string& wanted);

}  // namespace containerizer::images
