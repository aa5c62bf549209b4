#pragma once

// The template language of packages: Mustache with the value rules of package rendering (pure). Nothing is
// HTML-escaped; strings are put in as JSON string content.

#include <boost/json/fwd.hpp>

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace universe {

struct MustacheLimits {
  size_t max_depth = 50;                    // of sections within sections
  size_t max_tags = 100'000;
  size_t max_output = size_t{4} << 20;
  size_t max_steps = 1'000'000;             // pieces put out, sections repeated included
};

/// Variables {{x}} {{{x}}} {{&x}}, sections {{#x}} {{^x}} {{/x}}, comments, {{=<% %>=}}; {{#asJson}}name{{/asJson}} puts
/// in a top-level string as it is. What is missing renders as nothing. Errors name the line.
base::Result<std::string> render_mustache(std::string_view text, const boost::json::value& context,
                                          const MustacheLimits& limits = {});

}  // namespace universe
