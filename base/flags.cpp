#include "base/flags.hpp"

#include <algorithm>

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace base {

struct FlagTable::Flag {
  std::string name, sentence, section;
  Options options;
  bool boolean = false;
  std::string default_text;
  bool set = false;
  std::function<Status(const std::string&)> assign;
  std::function<std::optional<std::string>()> render;
};

namespace {

Status assign_to(std::string& target, const std::string& text) { target = text; return {}; }
Status assign_to(bool& target, const std::string& text) {
  if (text == "true" || text == "1") target = true;
  else if (text == "false" || text == "0") target = false;
  else return invalid("'" + text + "' is neither true nor false");
  return {};
}
Status assign_to(int64_t& target, const std::string& text) { ASSIGN_OR_RETURN(target, parse_int(text)); return {}; }
Status assign_to(uint64_t& target, const std::string& text) { ASSIGN_OR_RETURN(target, parse_uint(text)); return {}; }
template <class Small>
Status assign_small(Small& target, const std::string& text) {
  ASSIGN_OR_RETURN(uint64_t value, parse_uint(text));
  if (value > static_cast<Small>(-1)) return invalid("'" + text + "' is out of range");
  target = static_cast<Small>(value);
  return {};
}
Status assign_to(uint32_t& target, const std::string& text) { return assign_small(target, text); }
Status assign_to(uint16_t& target, const std::string& text) { return assign_small(target, text); }
Status assign_to(double& target, const std::string& text) { ASSIGN_OR_RETURN(target, parse_double(text)); return {}; }
Status assign_to(Duration& target, const std::string& text) { ASSIGN_OR_RETURN(target, parse_duration(text)); return {}; }
Status assign_to(Bytes& target, const std::string& text) { ASSIGN_OR_RETURN(target.value, parse_bytes(text)); return {}; }
template <class T>
Status assign_to(std::optional<T>& target, const std::string& text) {
  T value{};
  RETURN_IF_ERROR(assign_to(value, text));
  target = std::move(value);
  return {};
}

std::optional<std::string> render_value(const std::string& value) { return value; }
std::optional<std::string> render_value(bool value) { return value ? "true" : "false"; }
std::optional<std::string> render_value(int64_t value) { return std::to_string(value); }
std::optional<std::string> render_value(uint64_t value) { return std::to_string(value); }
std::optional<std::string> render_value(uint32_t value) { return std::to_string(value); }
std::optional<std::string> render_value(uint16_t value) { return std::to_string(value); }
std::optional<std::string> render_value(double value) {
  std::string text = render_double(value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text;
}
std::optional<std::string> render_value(Duration value) { return render_duration(value); }
std::optional<std::string> render_value(Bytes value) { return render_bytes(value.value); }
template <class T>
std::optional<std::string> render_value(const std::optional<T>& value) {
  return value ? render_value(*value) : std::nullopt;
}

template <class T> constexpr bool kBoolean = std::is_same_v<T, bool> || std::is_same_v<T, std::optional<bool>>;

/// Breaks `text` at blanks into lines of at most `width`, each led by `indent` blanks.
std::string wrap(std::string_view text, size_t indent, size_t width) {
  std::string out;
  for (std::string_view paragraph : split(text, '\n')) {
    std::string line(indent, ' ');
    for (std::string_view word : tokenize(paragraph, ' ')) {
      if (line.size() > indent && line.size() + 1 + word.size() > width) {
        out += line + "\n";
        line.assign(indent, ' ');
      }
      if (line.size() > indent) line += ' ';
      line += word;
    }
    out += line + "\n";
  }
  return out;
}

}  // namespace

FlagTable::FlagTable(std::string program, std::string summary, std::string environment_prefix)
    : program_(std::move(program)), summary_(std::move(summary)), prefix_(std::move(environment_prefix)) {}
FlagTable::~FlagTable() = default;

void FlagTable::section(std::string title) { section_ = std::move(title); }

template <class T>
void FlagTable::add(T* target, std::string name, std::string sentence, Options options) {
  auto flag = std::make_unique<Flag>();
  flag->name = std::move(name);
  flag->sentence = std::move(sentence);
  flag->section = section_;
  flag->options = std::move(options);
  flag->boolean = kBoolean<T>;
  flag->assign = [target](const std::string& text) { return assign_to(*target, text); };
  flag->render = [target] { return render_value(*target); };
  flag->default_text = flag->render().value_or("");
  CHECK_MSG(find(flag->name) == nullptr, flag->name);
  flags_.push_back(std::move(flag));
}

#define DC_FLAG_TYPE(T)                                                              \
  template void FlagTable::add<T>(T*, std::string, std::string, FlagTable::Options); \
  template void FlagTable::add<std::optional<T>>(std::optional<T>*, std::string, std::string, FlagTable::Options);
DC_FLAG_TYPE(bool)
DC_FLAG_TYPE(int64_t)
DC_FLAG_TYPE(uint16_t)
DC_FLAG_TYPE(uint32_t)
DC_FLAG_TYPE(uint64_t)
DC_FLAG_TYPE(double)
DC_FLAG_TYPE(std::string)
DC_FLAG_TYPE(Duration)
DC_FLAG_TYPE(Bytes)
#undef DC_FLAG_TYPE

FlagTable::Flag* FlagTable::find(std::string_view name) {
  for (const auto& flag : flags_) {
    if (flag->name == name || std::find(flag->options.aliases.begin(), flag->options.aliases.end(), name) !=
                                  flag->options.aliases.end()) {
      return flag.get();
    }
  }
  return nullptr;
}

Status FlagTable::parse(int argc, const char* const* argv, const Environment& environment, const FileReader& read,
                        std::vector<std::string>* positional) {
  const auto set = [&](Flag& flag, const std::string& source, std::string text) -> Status {
    const auto context = [&](const Error& error) {
      return Error{error.code, "flag " + source + ": " + error.message};
    };
    if (flag.options.from_file && (text.starts_with("file://") || text.starts_with("/"))) {
      const std::string path = text.starts_with("file://") ? text.substr(7) : text;
      auto content = read(path);
      if (!content) return context(content.error());
      text = *std::move(content);
    }
    if (flag.options.validate) {
      if (auto valid = flag.options.validate(text); !valid) return context(valid.error());
    }
    if (auto assigned = flag.assign(text); !assigned) return context(assigned.error());
    flag.set = true;
    return {};
  };

  if (!prefix_.empty()) {
    for (const auto& flag : flags_) {
      std::vector<std::string> names{flag->name};
      names.insert(names.end(), flag->options.aliases.begin(), flag->options.aliases.end());
      std::string given;
      for (const std::string& name : names) {
        const std::string variable = prefix_ + to_upper(name);
        const auto found = environment.find(variable);
        if (found == environment.end()) continue;
        if (!given.empty()) return invalid("both " + given + " and " + variable + " are set, they name the same flag");
        given = variable;
        RETURN_IF_ERROR(set(*flag, variable, found->second));
      }
    }
  }

  std::map<Flag*, std::string> seen;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--") || word == "--") {
      if (positional == nullptr) return invalid("'" + word + "' is not a flag: flags have the form --name=value");
      if (word != "--") positional->push_back(word);
      continue;
    }
    const size_t equals = word.find('=');
    const std::string name = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    if (name == "help" || name == "version") {
      (name == "help" ? help_ : version_) = true;
      continue;
    }
    Flag* flag = find(name);
    std::string value;
    if (flag != nullptr && equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (flag != nullptr && flag->boolean) {
      value = "true";
    } else if (flag != nullptr && i + 1 < argc && !std::string_view(argv[i + 1]).starts_with("--")) {
      value = argv[++i];
    } else if (flag != nullptr) {
      return invalid("flag --" + name + " needs a value: --" + name + "=VALUE");
    } else if (name.starts_with("no-") && equals == std::string::npos && find(name.substr(3)) != nullptr &&
               find(name.substr(3))->boolean) {
      flag = find(name.substr(3));
      value = "false";
    } else {
      return invalid("unknown flag --" + name + ": " + program_ + " --help lists the flags");
    }
    if (auto [it, first] = seen.emplace(flag, name); !first && it->second != name) {
      return invalid("both --" + it->second + " and --" + name + " are given, they name the same flag");
    }
    RETURN_IF_ERROR(set(*flag, "--" + name, std::move(value)));
  }

  if (help_ || version_) return {};
  for (const auto& flag : flags_) {
    if (flag->options.required && !flag->set) {
      return invalid("flag --" + flag->name + " is required: " + flag->sentence);
    }
  }
  return {};
}

bool FlagTable::help_requested() const { return help_; }
bool FlagTable::version_requested() const { return version_; }

std::string FlagTable::help() const {
  std::string out = "Usage: " + program_ + " [--flag=value ...]\n\n" + wrap(summary_, 0, 100);
  if (!prefix_.empty()) {
    out += "\n" + wrap("Each flag may also be given in the environment as " + prefix_ +
                           "NAME in upper case; the command line wins. Booleans: --name and --no-name. Durations: 5secs, "
                           "1.5mins, 2weeks. Sizes: 512MB.", 0, 100);
  }
  std::string section;
  bool first = true;
  for (const auto& flag : flags_) {
    if (first || flag->section != section) {
      section = flag->section;
      out += "\n" + (section.empty() ? std::string("Flags") : section) + ":\n";
      first = false;
    }
    out += "  --" + flag->name + (flag->boolean ? "" : "=VALUE");
    if (flag->options.required) out += "   (required)";
    else if (!flag->default_text.empty()) out += "   (default: " + flag->default_text + ")";
    out += "\n" + wrap(flag->sentence, 6, 100);
  }
  return out + "\n  --help\n      Shows this text.\n  --version\n      Shows the version.\n";
}

std::map<std::string, std::string> FlagTable::effective() const {
  std::map<std::string, std::string> out;
  for (const auto& flag : flags_) {
    if (flag->options.secret) continue;
    if (auto text = flag->render()) out[flag->name] = *std::move(text);
  }
  return out;
}

}  // namespace base
