#pragma once

// Boost.JSON with our limits and our error texts. Include <boost/json.hpp> in the .cpp file that
// touches values.

#include <boost/json/fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace base::json {

using Value = boost::json::value;

struct ParseOptions {
  size_t max_bytes = size_t{64} << 20;
  size_t max_depth = 200;              // more than any message that the protobuf library reads
  bool reject_duplicate_keys = false;  // false: the last one counts
};

/// The one JSON value that `text` is. Errors say what, and where: "... at line 3, column 14 (offset
/// 52)"; a text over the size limit is TooLarge, all else InvalidArgument. Doubles are read
/// exactly; a number that no double holds is an error.
Result<Value> parse(std::string_view text, const ParseOptions& options = {});

/// As above, with the value's memory taken from `storage` (a monotonic resource makes it three
/// times as fast).
Result<Value> parse(std::string_view text, const ParseOptions& options,
                    boost::json::storage_ptr storage);

/// Compact text, by the rules of Writer.
std::string render(const Value& value);

/// Indented text without a line feed at the end; empty arrays and objects stay on one line.
std::string render_pretty(const Value& value, int indent = 2);

/// "a string", "an object": for sentences such as "must be a number, not a string".
std::string_view kind_name(const Value& value);

/// `token` as part of a JSON pointer (RFC 6901): '~' and '/' escaped.
std::string escape_pointer(std::string_view token);

/// The value that `pointer` leads to, absent (nullptr) when a member or element is missing on the
/// way.
const Value* find(const Value& root, std::string_view pointer);

// Typed access. Errors name the pointer: NotFound "/a/b is missing", InvalidArgument "/a/b must be
// a number, not a string".
Result<std::string> get_string(const Value& root, std::string_view pointer);
Result<int64_t> get_int(const Value& root, std::string_view pointer);
Result<uint64_t> get_uint(const Value& root, std::string_view pointer);
Result<double> get_double(const Value& root, std::string_view pointer);
Result<bool> get_bool(const Value& root, std::string_view pointer);

// Exact conversions; false when the value is of another kind or out of range. A double with an
// integral value counts as an integer.
bool to_int(const Value& value, int64_t& out);
bool to_uint(const Value& value, uint64_t& out);
bool to_double(const Value& value, double& out);

}  // namespace base::json
