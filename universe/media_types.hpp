#pragma once

// Versioned media types and the choice among them (pure).

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace universe {

constexpr std::string_view kErrorType = "application/vnd.dcos.package.error+json;charset=utf-8;version=v1";
constexpr std::string_view kCapabilitiesType = "application/vnd.dcos.capabilities+json;charset=utf-8;version=v1";
constexpr std::string_view kRepositoryType = "application/vnd.dcos.universe.repo+json;charset=utf-8;version=v4";

/// What a repository is asked for.
std::string repository_accept();

struct MediaType {
  std::string type, subtype;                                    // lower case
  std::vector<std::pair<std::string, std::string>> parameters;  // without q; names in lower case
  double q = 1;

  bool operator==(const MediaType&) const = default;
};

/// "application/vnd.dcos.package.<name>+json;charset=utf-8;version=v<version>"; `family` is "package" or "service".
std::string media_type(std::string_view family, std::string_view name, int version);

base::Result<MediaType> parse_media_type(std::string_view text);

/// The items of an Accept header; one that does not parse is an error.
base::Result<std::vector<MediaType>> parse_accept(std::string_view text);

/// Whether `wanted` (which may lack parameters, or be a wildcard) is met by `offered`.
bool accepts(const MediaType& wanted, const MediaType& offered);

/// Which of `offered` the header asks for: highest q, then the most specific wish, then the first offered. A wish for
/// application/json or a wildcard is met by the first offered.
std::optional<size_t> negotiate(const std::vector<MediaType>& wanted, const std::vector<std::string>& offered);

/// Whether a request's Content-Type is the one expected, or plain JSON.
bool is_content(const MediaType& given, std::string_view expected);

}  // namespace universe
