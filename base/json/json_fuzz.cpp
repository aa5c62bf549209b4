// Fuzz entry point: any bytes through the parser; what it accepts is rendered, parsed again and
// must be the same.

#include <boost/json.hpp>

#include <cstdint>

#include "base/check.hpp"
#include "base/json/value.hpp"
#include "base/json/writer.hpp"

int fuzz_json(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  base::json::ParseOptions strict;
  strict.reject_duplicate_keys = true;
  const auto value = base::json::parse(text);
  const auto unique = base::json::parse(text, strict);
  CHECK(value || !unique);
  if (value) {
    const std::string rendered = base::json::render(*value);
    const auto again = base::json::parse(rendered);
    CHECK_MSG(again && base::json::render(*again) == rendered, rendered);
    const auto pretty = base::json::parse(base::json::render_pretty(*value));
    CHECK_MSG(pretty && base::json::render(*pretty) == rendered, rendered);
    base::json::find(*value, text.substr(0, 32));
  }
  // The writer makes valid JSON of any bytes, and keeps the text when it is valid UTF-8.
  std::string quoted;
  base::json::append_string(quoted, text);
  const auto back = base::json::parse(quoted);
  CHECK_MSG(back && back->is_string(), quoted);
  return 0;
}
