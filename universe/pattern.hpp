#pragma once

// Regular expressions of schemas, by PCRE2 (pure). They come from repositories and are matched against what users
// give: matching needs no stack and ends after a bounded number of steps.

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace universe {

class Pattern {
 public:
  enum class Outcome { Match, NoMatch, TooMuchWork };

  static base::Result<Pattern> compile(const std::string& expression);

  /// Whether the expression matches some part of `text`.
  Outcome find_in(std::string_view text) const;

 private:
  struct Code;
  explicit Pattern(std::shared_ptr<const Code> code) : code_(std::move(code)) {}
  std::shared_ptr<const Code> code_;
};

}  // namespace universe
