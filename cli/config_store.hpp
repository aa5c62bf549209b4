#pragma once

// ~/.dcos as the original lays it out: clusters/<id>/dcos.toml (mode 0600), an empty file
// "attached" in one of them.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace cli {

/// The part of TOML that these files use: sections, and keys with strings, numbers and booleans.
class Settings {
 public:
  static base::Result<Settings> parse(std::string_view text);
  std::string render() const;

  /// Keys are "section.name". Values come as text, without quotes.
  std::optional<std::string> get(std::string_view key) const;
  void set(const std::string& key, const std::string& value, bool quoted = true);
  bool erase(std::string_view key);
  std::vector<std::string> keys() const;

 private:
  struct Value {
    std::string text;
    bool quoted = true;
  };
  std::map<std::string, std::map<std::string, Value>> sections_{};
  const Value* find(std::string_view key) const;
};

struct Cluster {
  std::string id;
  std::string directory;  // empty: not configured, from DCOS_URL
  bool attached = false;
  Settings settings{};

  std::string name() const { return settings.get("cluster.name").value_or(""); }
  std::string url() const;  // without a slash at its end
  std::string token() const { return settings.get("core.dcos_acs_token").value_or(""); }
};

/// A setting that exists, and what it holds.
struct KnownKey {
  enum class Type { Text, Number, Flag, FlagOrPath };
  std::string_view key;
  Type type;
  std::string_view help;
};
const std::vector<KnownKey>& known_keys();
const KnownKey* find_key(std::string_view key);

class ConfigStore {
 public:
  explicit ConfigStore(std::string directory) : directory_(std::move(directory)) {}

  const std::string& directory() const { return directory_; }

  /// Configured clusters, by name.
  base::Result<std::vector<Cluster>> clusters() const;

  /// By exact id, name, or (unless `strict`) the start of an id.
  base::Result<Cluster> find(const std::string& name, bool strict) const;

  /// `wanted` (DCOS_CLUSTER) or the only one or the attached one.
  base::Result<Cluster> current(const std::string& wanted) const;

  base::Status save(Cluster& cluster) const;
  base::Status attach(const std::string& id) const;
  base::Status remove(const Cluster& cluster) const;

 private:
  std::string clusters_directory() const { return directory_ + "/clusters"; }
  std::string directory_;
};

}  // namespace cli
