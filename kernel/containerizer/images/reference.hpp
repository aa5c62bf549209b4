#pragma once

// Names of images (pure): "[registry[:port]/]repository[:tag][@digest]", and where a name leads.

#include <string>
#include <string_view>
#include <vector>

#include "kernel/containerizer/types.hpp"

namespace containerizer::images {

struct Reference {
  std::string registry{};  // host[:port] as written; empty: the agent's default registry
  std::string repository{};
  std::string tag{};     // "latest" when neither tag nor digest is given
  std::string digest{};  // "sha256:<hex>"; wins over the tag

  /// The manifest that is asked for: the digest, else the tag.
  const std::string& wanted() const { return digest.empty() ? tag : digest; }
  std::string render() const;
  bool operator==(const Reference&) const = default;
};

/// The first component is a registry when it has a '.' or ':' or is "localhost". Errors name the
/// part that is wrong.
Result<Reference> parse_reference(std::string_view text);

/// "sha256:" and 64 or "sha512:" and 128 lower case hexadecimal digits.
bool is_digest(std::string_view text);

/// Where registries are, as the agent's flags say.
struct RegistrySettings {
  struct Mirror {
    std::string registry;  // host[:port] that it stands for; empty: the default registry
    std::string url;       // "https://mirror.example:5000"
  };
  std::string default_registry = "https://registry-1.docker.io";
  std::vector<Mirror> mirrors{};
  std::vector<std::string>
      insecure{};  // host[:port]: certificates are not checked, and plain HTTP is tried as well
};

/// One place to ask; they are tried in order.
struct Endpoint {
  std::string url{};       // scheme://host:port, without a slash at the end
  std::string registry{};  // host[:port], for credentials
  std::string repository{};
  bool verify_tls = true;
  bool operator==(const Endpoint&) const = default;
};

/// The one name under which an image is kept, however it was written:
/// "registry-1.docker.io/library/ubuntu:latest".
std::string canonical_name(const Reference& reference, const RegistrySettings& settings);

std::vector<Endpoint> plan_endpoints(const Reference& reference, const RegistrySettings& settings);

/// "https://mirror", or "registry=https://mirror", separated by commas.
Result<std::vector<RegistrySettings::Mirror>> parse_mirrors(std::string_view text);

}  // namespace containerizer::images
