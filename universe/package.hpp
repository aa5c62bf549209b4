#pragma once

// One version of a package, as repositories publish it (package formats 2.0 to 5.0).

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace universe {

/// What search, selection and checks need is taken out once; the rest stays the text that it came as.
struct Package {
  std::string name, version;
  int64_t release = 0;  // "releaseVersion": higher is newer
  int format = 4;       // major part of "packagingVersion": 2 to 5
  std::string description;
  std::vector<std::string> tags;
  bool selected = false, framework = false;
  bool has_app = false;      // a Marathon template; without one it is for the command line only
  bool has_options = false;  // a schema of options
  std::vector<std::string> upgrades_from, downgrades_to;
  bool names_upgrades = false;     // either of the two lists is present
  std::string manager;             // a package that installs this one in our place
  std::string images;              // JSON text of resource.images; empty: none
  std::vector<std::string> links;  // what it refers to by http(s): assets, images, command lines
  std::string document;            // the whole package as compact JSON
};

/// Limits on one package; beyond them it is malformed.
constexpr size_t kMaxTemplateBytes = size_t{1} << 20;
constexpr size_t kMaxDocumentBytes = size_t{4} << 20;

/// Checks and takes apart. The error names every field that is wrong.
base::Result<Package> read_package(const boost::json::value& document);

bool valid_package_name(std::string_view name);
bool valid_package_version(std::string_view version);

/// "4.0" for 4.
std::string packaging_version(int format);

}  // namespace universe
