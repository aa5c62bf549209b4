// Fuzz entry point: any bytes as the JSON of a message, and as a message to be written as JSON.
// What was read must survive writing and reading.

#include <cstdint>

#include "base/check.hpp"
#include "base/json/proto.hpp"
#include "base/json/proto_test.pb.h"
#include "base/json/value.hpp"

#include <boost/json.hpp>

namespace {

void survives(const dcos::test::Everything& message) {
  const std::string text = base::json::proto_to_json(message);
  const auto value = base::json::parse(text);
  CHECK_MSG(value, text);
  dcos::test::Everything back;
  CHECK_MSG(base::json::proto_from_json(*value, back), text);
  CHECK_MSG(base::json::proto_to_json(back) == text, text);
}

}  // namespace

int fuzz_proto_json(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  dcos::test::Everything message;
  if (base::json::proto_from_json(text, message)) survives(message);
  // From the wire format come values that JSON has no numbers for, and text that is not UTF-8:
  // valid JSON all the same.
  if (message.ParsePartialFromArray(data, static_cast<int>(size))) {
    const std::string rendered = base::json::proto_to_json(message);
    CHECK_MSG(base::json::parse(rendered), rendered);
  }
  return 0;
}
