#include "base/json/value.hpp"

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "base/json/writer.hpp"

namespace base::json {

namespace {

namespace bj = boost::json;
using bj::error_code;

// Builds the tree from the parser's events. Unlike the library's own builder it reads doubles
// exactly, and it can refuse duplicate keys.
struct TreeBuilder {
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  TreeBuilder(bool unique, bj::storage_ptr storage) : unique_keys(unique) {
    stack.reset(std::move(storage));
  }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) {
    if (unique_keys) keys.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t n, error_code&) {
    stack.push_object(n);
    if (unique_keys) keys.pop_back();
    return true;
  }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t n, error_code&) {
    stack.push_array(n);
    return true;
  }
  bool on_key_part(bj::string_view part, std::size_t, error_code&) {
    stack.push_chars(part);
    if (unique_keys) key.append(part.data(), part.size());
    return true;
  }
  bool on_key(bj::string_view part, std::size_t, error_code& error) {
    stack.push_key(part);
    if (!unique_keys) return true;
    key.append(part.data(), part.size());
    if (!keys.back().insert(key).second) return fail("duplicate key \"" + key + "\"", error);
    key.clear();
    return true;
  }
  bool on_string_part(bj::string_view part, std::size_t, error_code&) {
    stack.push_chars(part);
    return true;
  }
  bool on_string(bj::string_view part, std::size_t, error_code&) {
    stack.push_string(part);
    return true;
  }
  bool on_number_part(bj::string_view part, error_code&) {
    number.append(part.data(), part.size());
    return true;
  }
  bool on_int64(int64_t value, bj::string_view, error_code&) {
    number.clear();
    stack.push_int64(value);
    return true;
  }
  bool on_uint64(uint64_t value, bj::string_view, error_code&) {
    number.clear();
    stack.push_uint64(value);
    return true;
  }
  bool on_double(double value, bj::string_view part, error_code& error) {
    std::string_view text(part.data(), part.size());
    if (!number.empty()) {
      number += text;
      text = number;
    }
    double exact = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), exact);
    // Out of range is either too large or too small; the rough value tells which.
    if (result.ec == std::errc::result_out_of_range) exact = std::abs(value) < 1 ? 0 : HUGE_VAL;
    if (!std::isfinite(exact)) return fail("number out of range", error);
    number.clear();
    stack.push_double(exact);
    return true;
  }
  bool on_bool(bool value, error_code&) {
    stack.push_bool(value);
    return true;
  }
  bool on_null(error_code&) {
    stack.push_null();
    return true;
  }
  bool on_comment_part(bj::string_view, error_code&) { return true; }
  bool on_comment(bj::string_view, error_code&) { return true; }

  bool fail(std::string why, error_code& error) {
    failure = std::move(why);
    error = bj::error::exception;
    return false;
  }

  bj::value_stack stack;
  bool unique_keys;
  std::vector<std::set<std::string>> keys;  // of the open objects
  std::string key, number, failure;
};

Error parse_error(std::string_view text, size_t offset, const std::string& what) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t line_start =
      before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return invalid(what + " at line " + std::to_string(line) + ", column " +
                 std::to_string(offset - line_start + 1) + " (offset " + std::to_string(offset) +
                 ")");
}

std::string describe(const error_code& error, const std::string& failure) {
  if (!failure.empty()) return failure;
  if (error == bj::error::incomplete) return "unexpected end of text";
  if (error == bj::error::extra_data) return "more text after the value";
  if (error == bj::error::too_deep) return "nested too deeply";
  if (error == bj::error::syntax) return "syntax error";
  return error.message();
}

void write(Writer& out, const Value& value) {
  switch (value.kind()) {
    case bj::kind::null:
      out.null();
      return;
    case bj::kind::bool_:
      out.value(value.get_bool());
      return;
    case bj::kind::int64:
      out.value(value.get_int64());
      return;
    case bj::kind::uint64:
      out.value(value.get_uint64());
      return;
    case bj::kind::double_:
      out.value(value.get_double());
      return;
    case bj::kind::string:
      out.value(std::string_view(value.get_string().data(), value.get_string().size()));
      return;
    case bj::kind::array:
      out.begin_array();
      for (const Value& element : value.get_array()) write(out, element);
      out.end_array();
      return;
    case bj::kind::object:
      out.begin_object();
      for (const auto& member : value.get_object()) {
        out.key(std::string_view(member.key().data(), member.key().size()));
        write(out, member.value());
      }
      out.end_object();
      return;
  }
}

void write_pretty(std::string& out, const Value& value, size_t indent, size_t depth) {
  const auto new_line = [&](size_t level) {
    out += '\n';
    out.append(level * indent, ' ');
  };
  if (const bj::array* array = value.if_array(); array != nullptr && !array->empty()) {
    out += '[';
    for (const Value& element : *array) {
      if (&element != array->data()) out += ',';
      new_line(depth + 1);
      write_pretty(out, element, indent, depth + 1);
    }
    new_line(depth);
    out += ']';
  } else if (const bj::object* object = value.if_object(); object != nullptr && !object->empty()) {
    out += '{';
    for (const auto& member : *object) {
      if (&member != object->begin()) out += ',';
      new_line(depth + 1);
      append_string(out, std::string_view(member.key().data(), member.key().size()));
      out += ": ";
      write_pretty(out, member.value(), indent, depth + 1);
    }
    new_line(depth);
    out += '}';
  } else {
    Writer writer(out);
    write(writer, value);
  }
}

std::string unescape_pointer(std::string_view token) {
  std::string out;
  for (size_t i = 0; i < token.size(); ++i) {
    const bool escape = token[i] == '~' && i + 1 < token.size();
    if (escape) ++i;
    out += escape ? (token[i] == '1' ? '/' : '~') : token[i];
  }
  return out;
}

Result<const Value*> require(const Value& root, std::string_view pointer) {
  if (const Value* value = find(root, pointer); value != nullptr) return value;
  return not_found(std::string(pointer) + " is missing");
}

Error wrong_kind(std::string_view pointer, std::string_view expected, const Value& value) {
  const std::string found = value.is_number() ? render(value) : std::string(kind_name(value));
  return invalid((pointer.empty() ? "the document" : std::string(pointer)) + " must be " +
                 std::string(expected) + ", not " + found);
}

template <class T>
Result<T> get(const Value& root, std::string_view pointer, std::string_view expected,
              bool (*convert)(const Value&, T&)) {
  ASSIGN_OR_RETURN(const Value* value, require(root, pointer));
  T out{};
  if (!convert(*value, out)) return wrong_kind(pointer, expected, *value);
  return out;
}

}  // namespace

Result<Value> parse(std::string_view text, const ParseOptions& options) {
  return parse(text, options, {});
}

Result<Value> parse(std::string_view text, const ParseOptions& options, bj::storage_ptr storage) {
  if (text.size() > options.max_bytes) {
    return Error{Code::TooLarge, "the JSON text has " + std::to_string(text.size()) +
                                     " bytes, the limit is " + std::to_string(options.max_bytes)};
  }
  bj::parse_options limits;
  limits.max_depth = options.max_depth;
  bj::basic_parser<TreeBuilder> parser(limits, options.reject_duplicate_keys, std::move(storage));
  error_code error;
  size_t consumed = 0;
  try {
    consumed = parser.write_some(false, text.data(), text.size(), error);
    if (!error && consumed < text.size()) error = bj::error::extra_data;
    if (error) return parse_error(text, consumed, describe(error, parser.handler().failure));
    return parser.handler().stack.release();
  } catch (const std::exception& exception) {  // the library's size limits
    return parse_error(text, consumed, exception.what());
  }
}

std::string render(const Value& value) {
  std::string out;
  Writer writer(out);
  write(writer, value);
  return out;
}

std::string render_pretty(const Value& value, int indent) {
  std::string out;
  write_pretty(out, value, static_cast<size_t>(std::max(indent, 0)), 0);
  return out;
}

std::string_view kind_name(const Value& value) {
  switch (value.kind()) {
    case bj::kind::null:
      return "null";
    case bj::kind::bool_:
      return "a boolean";
    case bj::kind::int64:
    case bj::kind::uint64:
    case bj::kind::double_:
      return "a number";
    case bj::kind::string:
      return "a string";
    case bj::kind::array:
      return "an array";
    case bj::kind::object:
      return "an object";
  }
  UNREACHABLE();
}

std::string escape_pointer(std::string_view token) {
  std::string out;
  for (const char c : token) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

const Value* find(const Value& root, std::string_view pointer) {
  const Value* at = &root;
  while (!pointer.empty()) {
    if (pointer.front() != '/') return nullptr;
    pointer.remove_prefix(1);
    const std::string_view token = pointer.substr(0, pointer.find('/'));
    pointer.remove_prefix(token.size());
    if (const bj::object* object = at->if_object(); object != nullptr) {
      at = object->if_contains(unescape_pointer(token));
    } else if (const bj::array* array = at->if_array(); array != nullptr) {
      size_t index = 0;
      const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), index);
      if (error != std::errc() || end != token.data() + token.size()) return nullptr;
      at = array->if_contains(index);
    } else {
      return nullptr;
    }
    if (at == nullptr) return nullptr;
  }
  return at;
}

bool to_int(const Value& value, int64_t& out) {
  if (const int64_t* number = value.if_int64(); number != nullptr) {
    out = *number;
    return true;
  }
  const double* number = value.if_double();
  if (number == nullptr || *number != std::trunc(*number) || *number < -0x1p63 || *number >= 0x1p63)
    return false;
  out = static_cast<int64_t>(*number);
  return true;
}

bool to_uint(const Value& value, uint64_t& out) {
  if (const uint64_t* number = value.if_uint64(); number != nullptr) {
    out = *number;
    return true;
  }
  if (const int64_t* number = value.if_int64(); number != nullptr) {
    out = static_cast<uint64_t>(*number);
    return *number >= 0;
  }
  const double* number = value.if_double();
  if (number == nullptr || *number != std::trunc(*number) || *number < 0 || *number >= 0x1p64)
    return false;
  out = static_cast<uint64_t>(*number);
  return true;
}

bool to_double(const Value& value, double& out) {
  if (const double* number = value.if_double(); number != nullptr) {
    out = *number;
  } else if (const int64_t* integer = value.if_int64(); integer != nullptr) {
    out = static_cast<double>(*integer);
  } else if (const uint64_t* unsigned_integer = value.if_uint64(); unsigned_integer != nullptr) {
    out = static_cast<double>(*unsigned_integer);
  } else {
    return false;
  }
  return true;
}

Result<std::string> get_string(const Value& root, std::string_view pointer) {
  return get<std::string>(root, pointer, "a string", [](const Value& value, std::string& out) {
    if (value.is_string()) out.assign(value.get_string().data(), value.get_string().size());
    return value.is_string();
  });
}

Result<int64_t> get_int(const Value& root, std::string_view pointer) {
  return get<int64_t>(root, pointer, "a whole number", to_int);
}

Result<uint64_t> get_uint(const Value& root, std::string_view pointer) {
  return get<uint64_t>(root, pointer, "a whole number that is not negative", to_uint);
}

Result<double> get_double(const Value& root, std::string_view pointer) {
  return get<double>(root, pointer, "a number", to_double);
}

Result<bool> get_bool(const Value& root, std::string_view pointer) {
  return get<bool>(root, pointer, "a boolean", [](const Value& value, bool& out) {
    if (value.is_bool()) out = value.get_bool();
    return value.is_bool();
  });
}

}  // namespace base::json
