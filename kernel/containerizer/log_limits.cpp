#include "kernel/containerizer/log_limits.hpp"

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace containerizer {
namespace {

constexpr uint64_t kSmallest = 4096;
constexpr int64_t kMostFiles = 1000;

Status set_size(const std::string& value, launch::LogLimit& limit) {
  const auto bytes = base::parse_bytes(value);
  if (!bytes) return bytes.error();
  if (*bytes < kSmallest) return base::invalid("'" + value + "' is less than a page (4096 bytes)");
  limit.max_bytes = *bytes;
  return {};
}

/// Of logrotate's language only how many files stay: "rotate 9" in a line of its own. What else is said there is about
/// when and by whom, which is settled here.
Status set_options(const std::string& value, launch::LogLimit& limit) {
  for (const auto line : base::split(value, '\n')) {
    const auto words = base::tokenize(base::trim(line), ' ');
    if (words.size() != 2 || words[0] != "rotate") continue;
    const auto keep = base::parse_int(words[1]);
    if (!keep || *keep < 0 || *keep > kMostFiles)
      return base::invalid("'rotate' takes a number from 0 to " + std::to_string(kMostFiles));
    limit.keep = static_cast<unsigned>(*keep);
  }
  return {};
}

Status set_one(LogRules& rules, std::string_view key, const std::string& value) {
  if (key == "max_stdout_size") return set_size(value, rules.output);
  if (key == "max_stderr_size") return set_size(value, rules.error);
  if (key == "logrotate_stdout_options") return set_options(value, rules.output);
  if (key == "logrotate_stderr_options") return set_options(value, rules.error);
  return {};
}

}  // namespace

Status set_log_parameter(LogRules& rules, const std::string& key, const std::string& value) {
  for (const char* ignored : {"launcher_dir", "logrotate_path", "libprocess_num_worker_threads"})
    if (key == ignored) return {};
  if (key == "environment_variable_prefix") {
    rules.prefix = value;
    return {};
  }
  for (const char* known : {"max_stdout_size", "max_stderr_size", "logrotate_stdout_options", "logrotate_stderr_options"})
    if (key == known) {
      if (Status set = set_one(rules, key, value); !set) return set.error().with_context("parameter " + key);
      return {};
    }
  return base::invalid("the container logger has no parameter '" + key + "'");
}

Result<std::pair<launch::LogLimit, launch::LogLimit>> log_limits(
    const LogRules& rules, const std::map<std::string, std::string>& environment) {
  if (!rules.on) return std::pair<launch::LogLimit, launch::LogLimit>();
  LogRules own = rules;
  for (auto at = environment.lower_bound(rules.prefix); at != environment.end() && at->first.starts_with(rules.prefix); ++at)
    if (Status set = set_one(own, base::to_lower(at->first.substr(rules.prefix.size())), at->second); !set)
      return set.error().with_context("environment variable " + at->first);
  return std::pair(own.output, own.error);
}

}  // namespace containerizer
