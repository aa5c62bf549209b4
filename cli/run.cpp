#include "cli/run.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/numbers.hpp"
#include "cli/command.hpp"

namespace cli {

base::Result<int> print_version(Context& context);

namespace {

constexpr std::string_view kGlobalOptions =
    "    --version\n        Print version information\n"
    "    -v, -vv\n        Say what is done (DCOS_VERBOSITY=1 or 2)\n"
    "    -h, --help\n        Show usage help\n";

const Option* find_option(const Command& command, std::string_view name) {
  for (const Option& option : command.options)
    if (!option.name.empty() &&
        (option.name == name || (name.size() == 1 && option.letter == name[0])))
      return &option;
  return nullptr;
}

std::string hint(std::string_view path) {
  return path.empty() ? "Run `dcos --help` for the list of commands."
                      : fmt::format("Run `dcos {} --help` for its usage.", path);
}

// "-q", "--lines=3", "--lines 3", "-vq".
base::Status parse_option(const Command& command, const std::vector<std::string>& words, size_t& at,
                          Arguments& out, bool& help) {
  const std::string& word = words[at];
  std::string_view text(word);
  bool is_long = text.starts_with("--");
  text.remove_prefix(is_long ? 2 : 1);
  if ((is_long && text == "help") || (!is_long && text == "h")) {
    help = true;
    return {};
  }
  size_t equal = text.find('=');
  std::string_view name = is_long ? text.substr(0, equal) : text.substr(0, 1);
  const Option* option = find_option(command, name);
  if (option == nullptr)
    return base::invalid(fmt::format("unknown flag: {}{}", is_long ? "--" : "-", name));
  std::string value;
  if (!is_long && !option->takes_value) {
    for (char letter : text) {
      const Option* each = find_option(command, std::string_view(&letter, 1));
      if (each == nullptr || each->takes_value)
        return base::invalid(fmt::format("unknown flag: -{}", letter));
      out.options[std::string(each->name)].push_back("");
    }
    return {};
  }
  if (option->takes_value) {
    if (is_long && equal != std::string_view::npos) {
      value = text.substr(equal + 1);
    } else if (!is_long && text.size() > 1) {
      value = text.substr(text.size() > 1 && text[1] == '=' ? 2 : 1);
    } else if (at + 1 < words.size()) {
      value = words[++at];
    } else {
      return base::invalid(fmt::format("flag needs an argument: --{}", option->name));
    }
  } else if (is_long && equal != std::string_view::npos) {
    if (text.substr(equal + 1) == "false") return {};
    if (text.substr(equal + 1) != "true")
      return base::invalid(fmt::format("--{} takes no value", option->name));
  }
  out.options[std::string(option->name)].push_back(value);
  return {};
}

base::Status parse(const Command& command, const std::vector<std::string>& words, size_t from,
                   Arguments& out, bool& help) {
  bool only_words = false;
  for (size_t i = from; i < words.size(); ++i) {
    const std::string& word = words[i];
    bool number = word.size() > 1 && word[0] == '-' && word[1] >= '0' && word[1] <= '9';
    if (only_words || word.size() < 2 || word[0] != '-' || number) {
      out.words.push_back(word);
      only_words = only_words || command.words_end_options;
    } else if (word == "--") {
      only_words = true;
    } else {
      RETURN_IF_ERROR(parse_option(command, words, i, out, help));
      if (help) return {};
    }
  }
  int count = static_cast<int>(out.words.size());
  if (count < command.least)
    return base::invalid(fmt::format("missing argument: dcos {} {}", command.path, command.usage));
  if (command.most >= 0 && count > command.most)
    return base::invalid(
        fmt::format("too many arguments: \"{}\"", out.words[static_cast<size_t>(command.most)]));
  return {};
}

// The longest command at the start of `words`; `used` tells how many of them it is.
const Command* match(const std::vector<std::string>& words, size_t from, size_t& used) {
  const Command* found = nullptr;
  std::string path;
  for (size_t i = from; i < words.size() && i < from + 4; ++i) {
    path += (path.empty() ? "" : " ") + words[i];
    const Command* command = find_command(path);
    if (command == nullptr) break;
    found = command;
    used = i + 1;
  }
  return found;
}

int fail(Context& context, std::string_view message) {
  context.note(fmt::format("Error: {}", message));
  return 1;
}

int run_command(Context& context, const Command& command, const std::vector<std::string>& words,
                size_t used) {
  if (command.run == nullptr) {
    bool help = used >= words.size() || words[used] == "--help" || words[used] == "-h";
    if (help) {
      context.out(help_text(command.path));
      return 0;
    }
    return fail(context, fmt::format("unknown command \"{}\" for \"dcos {}\"\n{}", words[used],
                                     command.path, hint(command.path)));
  }
  Arguments arguments;
  bool help = false;
  auto status = parse(command, words, used, arguments, help);
  if (help) {
    context.out(help_text(command.path));
    return 0;
  }
  if (!status)
    return fail(context, fmt::format("{}\n{}", status.error().message, hint(command.path)));
  auto code = command.run(context, arguments);
  return code ? *code : fail(context, code.error().message);
}

}  // namespace

std::string Arguments::get(std::string_view option) const {
  auto it = options.find(option);
  return it == options.end() || it->second.empty() ? "" : it->second.back();
}

base::Result<int64_t> Arguments::number(std::string_view option, int64_t fallback) const {
  if (!has(option)) return fallback;
  auto value = base::parse_int(get(option));
  if (!value)
    return base::invalid(
        fmt::format("--{} must be a whole number, not \"{}\"", option, get(option)));
  return value;
}

const Command* find_command(std::string_view path) {
  for (const Command& command : commands())
    if (command.path == path) return &command;
  return nullptr;
}

std::vector<const Command*> members(std::string_view path) {
  std::vector<const Command*> out;
  for (const Command& command : commands()) {
    if (command.hidden) continue;
    std::string_view rest = command.path;
    if (!path.empty()) {
      if (!rest.starts_with(path) || rest.size() <= path.size() || rest[path.size()] != ' ')
        continue;
      rest.remove_prefix(path.size() + 1);
    }
    if (rest.find(' ') == std::string_view::npos) out.push_back(&command);
  }
  std::sort(out.begin(), out.end(),
            [](const Command* a, const Command* b) { return a->path < b->path; });
  return out;
}

std::string help_text(std::string_view path) {
  const Command* command = path.empty() ? nullptr : find_command(path);
  auto below = members(path);
  std::string full = path.empty() ? "dcos" : fmt::format("dcos {}", path);
  std::string out =
      fmt::format("{}\n\nUsage:\n", command != nullptr ? command->summary
                                                       : "Operate a cluster from the command line");
  if (command != nullptr && command->run != nullptr)
    out += fmt::format("    {}{}{}\n", full, command->usage.empty() ? "" : " ", command->usage);
  if (!below.empty()) out += fmt::format("    {} [command]\n", full);
  if (!below.empty()) {
    out += "\nCommands:\n";
    for (const Command* member : below)
      out += fmt::format("    {}\n        {}\n",
                         member->path.substr(path.empty() ? 0 : path.size() + 1), member->summary);
  }
  out += "\nOptions:\n";
  if (path.empty()) {
    out += kGlobalOptions;
  } else {
    if (command != nullptr) {
      for (const Option& option : command->options) {
        if (option.name.empty()) break;
        std::string letter = option.letter != 0 ? fmt::format("-{}, ", option.letter) : "";
        out += fmt::format("    {}--{}\n        {}\n", letter, option.name, option.help);
      }
    }
    out += "    -h, --help\n        Show usage help\n";
  }
  if (!below.empty())
    out +=
        fmt::format("\nUse \"{} [command] --help\" for more information about a command.\n", full);
  return out;
}

std::vector<std::string> complete(Context& context, const std::vector<std::string>& words) {
  std::vector<std::string> out;
  if (words.empty()) return out;
  std::vector<std::string> before(words.begin(), words.end() - 1);
  const std::string& start = words.back();
  size_t used = 0;
  const Command* command = match(before, 0, used);
  auto offer = [&](std::string_view text) {
    if (text.starts_with(start)) out.emplace_back(text);
  };
  std::string_view path = command != nullptr ? command->path : std::string_view();
  if (start.starts_with('-')) {
    if (command != nullptr)
      for (const Option& option : command->options)
        if (!option.name.empty()) offer("--" + std::string(option.name));
    offer("--help");
    if (command == nullptr) offer("--version");
    return out;
  }
  if (used == before.size())
    for (const Command* member : members(path))
      offer(member->path.substr(path.empty() ? 0 : path.size() + 1));
  if (command == nullptr) return out;
  if (command->completes == "cluster") {
    if (auto clusters = context.store().clusters())
      for (const Cluster& cluster : *clusters) offer(cluster.name());
  } else if (command->completes == "config-key") {
    for (const KnownKey& key : known_keys()) offer(key.key);
  } else if (command->completes == "shell") {
    offer("bash");
    offer("zsh");
  }
  return out;
}

int run(const std::vector<std::string>& words, Environment environment, Io io) {
  Context context(std::move(environment), std::move(io));
  size_t at = 0;
  bool version = false, help = false;
  while (at < words.size() && words[at].starts_with('-')) {
    const std::string& word = words[at++];
    if (word == "--version") {
      version = true;
    } else if (word == "--help" || word == "-h") {
      help = true;
    } else if (word == "-v" || word == "-vv" || word == "-vvv") {
      context.verbosity = word == "-v" ? 1 : 2;
    } else if (word == "--debug" || word.starts_with("--log-level")) {
      if (word == "--log-level" && at < words.size()) ++at;
      context.verbosity = 1;
    } else {
      return fail(context, fmt::format("unknown flag: {}\n{}", word, hint("")));
    }
  }
  if (version) {
    auto code = print_version(context);
    return code ? *code : fail(context, code.error().message);
  }
  if (at == words.size()) {
    context.out(help_text(""));
    return 0;
  }
  size_t used = at;
  const Command* command = match(words, at, used);
  if (command == nullptr)
    return fail(context,
                fmt::format("unknown command \"{}\" for \"dcos\"\n{}", words[at], hint("")));
  if (help) {
    context.out(help_text(command->path));
    return 0;
  }
  return run_command(context, *command, words, used);
}

}  // namespace cli
