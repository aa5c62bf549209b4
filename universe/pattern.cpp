#define PCRE2_CODE_UNIT_WIDTH 8

#include "universe/pattern.hpp"

#include <pcre2.h>

namespace universe {
namespace {

constexpr uint32_t kMaxSteps = 200'000;  // some milliseconds
constexpr uint32_t kMaxHeapKib = 20'000;
constexpr size_t kMaxExpressionBytes = 10'000;

}  // namespace

struct Pattern::Code {
  explicit Code(pcre2_code* c) : code(c), limits(pcre2_match_context_create(nullptr)) {
    pcre2_set_match_limit(limits, kMaxSteps);
    pcre2_set_heap_limit(limits, kMaxHeapKib);
  }
  ~Code() {
    pcre2_match_context_free(limits);
    pcre2_code_free(code);
  }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;

  pcre2_code* code;
  pcre2_match_context* limits;
};

base::Result<Pattern> Pattern::compile(const std::string& expression) {
  if (expression.size() > kMaxExpressionBytes) return base::invalid("it is longer than 10,000 bytes");
  int error = 0;
  size_t offset = 0;
  // As ECMA 262 has it: '$' is the very end, '[]' matches nothing, "\u00e9" is a character.
  const uint32_t options = PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS | PCRE2_ALT_BSUX |
                           PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(expression.data()), expression.size(), options, &error,
                                   &offset, nullptr);
  if (code == nullptr) {
    char text[256] = "";
    pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof(text));
    return base::invalid(std::string(text) + " at offset " + std::to_string(offset));
  }
  return Pattern(std::make_shared<const Code>(code));
}

Pattern::Outcome Pattern::find_in(std::string_view text) const {
  pcre2_match_data* data = pcre2_match_data_create_from_pattern(code_->code, nullptr);
  const int result = pcre2_match(code_->code, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0, data,
                                 code_->limits);
  pcre2_match_data_free(data);
  if (result >= 0) return Outcome::Match;
  return result == PCRE2_ERROR_NOMATCH ? Outcome::NoMatch : Outcome::TooMuchWork;
}

}  // namespace universe
