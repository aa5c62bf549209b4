#pragma once

// One struct per command. The table of all commands gives parsing, help at every level and
// completion.

#include <array>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace cli {

class Context;

struct Option {
  std::string_view name{};  // without the dashes
  char letter = 0;
  bool takes_value = false;
  std::string_view help{};
};

/// What stood behind a command's name.
struct Arguments {
  std::vector<std::string> words;
  std::map<std::string, std::vector<std::string>, std::less<>> options;

  bool has(std::string_view option) const { return options.find(option) != options.end(); }
  /// The last value given, or "".
  std::string get(std::string_view option) const;
  /// The value as a whole number, or `fallback` when the option is not given.
  base::Result<int64_t> number(std::string_view option, int64_t fallback) const;
};

/// A command's work. The value is the exit code.
using Run = base::Result<int> (*)(Context&, const Arguments&);

struct Command {
  std::string_view path{};  // "marathon app list"; a group of commands has no run
  std::string_view summary{};
  std::string_view usage{};          // what follows the path: "<app-id> [<property>...]"
  std::array<Option, 10> options{};  // until the first without a name
  int least = 0;                     // words
  int most = 0;                      // -1: any number
  Run run = nullptr;
  std::string_view
      completes{};  // what its words are: "app", "cluster", "config-key", "command", "shell"
  bool hidden = false;
  bool words_end_options = false;  // what follows the first word is no option of ours
};

/// Every command, groups before their members.
std::span<const Command> commands();

const Command* find_command(std::string_view path);

/// The names one level below `path` ("" for the root), sorted, without hidden ones.
std::vector<const Command*> members(std::string_view path);

}  // namespace cli
