#pragma once

// A repository's index, and several repositories as one catalog (pure).

#include <boost/json/fwd.hpp>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.hpp"
#include "universe/package.hpp"

namespace universe {

/// A package of an index that is not used, and why.
struct SetAside {
  std::string what;  // "redis 7.0-1", or "packages/3" when it has no name
  std::string reason;
};

struct RepositoryIndex {
  std::vector<std::shared_ptr<const Package>> packages;
  std::vector<SetAside> set_aside;  // the first 100
  size_t set_aside_count = 0;
};

struct IndexLimits {
  size_t max_bytes = size_t{64} << 20;
  size_t max_packages = 20'000;
};

/// {"packages":[...]}. One malformed package is set aside; a text that is no index at all is an error.
base::Result<RepositoryIndex> parse_index(std::string_view text, const IndexLimits& limits = {});

/// One folder of a repository in its source form: file name ("package.json", "config.json", "resource.json",
/// "marathon.json.mustache", "command.json") to content. `release` is the folder's name, for a package.json without one.
base::Result<boost::json::value> assemble_package(const std::map<std::string, std::string>& files, int64_t release);

/// Adds one document to an index, or sets it aside.
void add_package(RepositoryIndex& index, const boost::json::value& document, const std::string& where);
void set_aside(RepositoryIndex& index, std::string what, std::string reason);

/// Several repositories as one. Immutable: rebuilt when one of them changes.
class Catalog {
 public:
  struct Layer {
    std::string uri;
    std::shared_ptr<const RepositoryIndex> index;  // null: nothing known yet
  };

  struct Entry {
    std::shared_ptr<const Package> package;
    std::string uri;     // of its repository
    size_t layer = 0;
    std::string folded;  // name, description and tags in lower case, for search
  };

  Catalog() = default;

  /// The first repository wins where two have the same version of a package.
  explicit Catalog(const std::vector<Layer>& layers);

  /// Every version of a package, best first: lowest layer, then highest release. Null: unknown name.
  const std::vector<Entry>* versions(std::string_view name) const;

  const std::map<std::string, std::vector<Entry>, std::less<>>& packages() const { return packages_; }
  size_t version_count() const { return version_count_; }

  /// Whether some package refers to this URL.
  bool refers_to(const std::string& url) const { return links_.contains(url); }

 private:
  std::map<std::string, std::vector<Entry>, std::less<>> packages_;
  std::unordered_set<std::string> links_;
  size_t version_count_ = 0;
};

}  // namespace universe
