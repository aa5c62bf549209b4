#pragma once

// Manifests, indexes and configurations of images (pure): Docker schema 2 and OCI.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/containerizer/types.hpp"

namespace containerizer::images {

/// The Accept header of a request for a manifest.
extern const char* const kManifestTypes;

struct Descriptor {
  std::string media_type{}, digest{};
  uint64_t size = 0;
  bool operator==(const Descriptor&) const = default;
};

struct Platform {
  std::string os = "linux", architecture = "amd64", variant{};
  std::string render() const;

  /// That of this build.
  static Platform own();
};

/// Either the manifest of one image, or where in an index the one for our platform is.
struct Manifest {
  std::optional<Descriptor> elsewhere{};
  Descriptor config{};
  std::vector<Descriptor> layers{};  // lowest first
};

/// `media_type`: the Content-Type of the answer; what the text says of itself counts more.
Result<Manifest> decode_manifest(std::string_view text, std::string_view media_type,
                                 const Platform& platform);

/// What an image says about running it.
struct ImageConfig {
  std::vector<std::string> entrypoint{}, command{}, environment{};
  std::string working_directory{}, user{}, stop_signal{};
  std::vector<std::string> volumes{};
  std::map<std::string, std::string> labels{};
  std::vector<std::string> diff_ids{};  // of the unpacked layers, lowest first
};

Result<ImageConfig> decode_config(std::string_view text);

}  // namespace containerizer::images
