#pragma once

// One table per daemon: name, type, default, sentence. The table gives parsing (arguments and environment), --help,
// the docs page and /flags. Rules of the original: --name=value, --name and --no-name for booleans, MESOS_NAME in the
// environment (arguments win), "file:///path" for values marked from_file, unknown flag is an error. Pure: argv, the
// environment and a file reader are handed in.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace base {

/// A size in bytes; "512MB" on the command line.
struct Bytes {
  uint64_t value = 0;
  auto operator<=>(const Bytes&) const = default;
};

class FlagTable {
 public:
  struct Options {
    std::vector<std::string> aliases{};          // older names, still accepted
    bool required = false;
    bool from_file = false;                      // "file:///path" or "/path" is replaced by the file's content
    bool secret = false;                         // never shown
    std::function<Status(const std::string& text)> validate{};
  };

  using Environment = std::map<std::string, std::string>;
  using FileReader = std::function<Result<std::string>(const std::string& path)>;

  /// `summary` is the first paragraph of --help. `environment_prefix` is e.g. "MESOS_".
  FlagTable(std::string program, std::string summary, std::string environment_prefix);
  ~FlagTable();
  FlagTable(const FlagTable&) = delete;
  FlagTable& operator=(const FlagTable&) = delete;

  /// Starts a headed group in --help.
  void section(std::string title);

  // The target holds the default. T is one of bool, int64_t, uint16_t, uint32_t, uint64_t, double, std::string,
  // Duration, Bytes and std::optional of these. The target must outlive the table's last use.
  template <class T>
  void add(T* target, std::string name, std::string sentence) { add(target, std::move(name), std::move(sentence), Options()); }
  template <class T>
  void add(T* target, std::string name, std::string sentence, Options options);

  /// Reads the environment, then arguments (argv[0] is skipped), then checks required flags. --help and --version set
  /// help_requested() and version_requested() and skip the check. Words that are no flags are errors unless
  /// `positional` is given.
  Status parse(int argc, const char* const* argv, const Environment& environment, const FileReader& read,
               std::vector<std::string>* positional = nullptr);

  bool help_requested() const;
  bool version_requested() const;

  /// The --help text, 100 columns.
  std::string help() const;

  /// Effective values in the original's spelling; unset optional flags and secrets are left out.
  std::map<std::string, std::string> effective() const;

 private:
  struct Flag;
  Flag* find(std::string_view name);
  std::string program_, summary_, prefix_;
  std::vector<std::unique_ptr<Flag>> flags_;
  std::string section_;
  bool help_ = false, version_ = false;
};

}  // namespace base
