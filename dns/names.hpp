#pragma once

// Label rules: how names of tasks and frameworks become labels of DNS names (pure).

#include <string>
#include <string_view>

namespace dns {

enum class LabelRules {
  Rfc1123,  // up to 63 characters, digits may lead
  Rfc952,   // up to 24 characters, a letter leads
};

/// One label: lower case, '.', '_' and '-' become '-', everything else but letters and digits vanishes, dashes at both
/// ends vanish, cut to length. May be empty.
std::string sanitize_label(std::string_view text, LabelRules rules);

/// As above for each part between dots; empty parts vanish: "(@ host . com" -> "host.com".
std::string sanitize_domain(std::string_view text, LabelRules rules);

/// Five characters that tell tasks of one name apart: from the SHA-1 of the task's id.
std::string hash_label(std::string_view task_id);

/// What follows the last dash of an agent's id, in lower case: "...-S3" -> "s3".
std::string agent_tail(std::string_view agent_id);

/// Whether `name` (without a final dot) can be asked for: labels of 1 to 63 characters from [a-z0-9_-], 253 in all.
bool is_valid_name(std::string_view name);

}  // namespace dns
