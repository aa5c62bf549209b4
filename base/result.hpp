#pragma once

// Errors are values. A function that can fail for a reason its caller must handle returns Result<T>; the interface
// follows std::expected (C++23), which this compiler does not have. Exceptions never cross a function of ours.

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/check.hpp"

namespace base {

enum class Code {
#define DC_ERROR(name, status, sentence) name,
#include "base/error_codes.def"
#undef DC_ERROR
};

/// The code's name as written in error_codes.def.
std::string_view code_name(Code code);

/// The HTTP status a handler answers with when it has nothing more precise.
int http_status(Code code);

/// Why something did not work, in words for the person who has to mend it.
struct [[nodiscard]] Error {
  Code code = Code::Internal;
  std::string message;

  /// The same error, saying what was being done: "<context>: <message>".
  Error with_context(std::string_view context) const {
    return Error{code, std::string(context) + ": " + message};
  }

  bool operator==(const Error&) const = default;
};

inline Error invalid(std::string message) { return {Code::InvalidArgument, std::move(message)}; }
inline Error not_found(std::string message) { return {Code::NotFound, std::move(message)}; }
inline Error conflict(std::string message) { return {Code::Conflict, std::move(message)}; }
inline Error forbidden(std::string message) { return {Code::Forbidden, std::move(message)}; }
inline Error unavailable(std::string message) { return {Code::Unavailable, std::move(message)}; }
inline Error unsupported(std::string message) { return {Code::Unsupported, std::move(message)}; }
inline Error internal(std::string message) { return {Code::Internal, std::move(message)}; }

/// An Io error (NoSpace for ENOSPC and EDQUOT, NotFound for ENOENT) of a failed system call: "<what>: <strerror>".
Error errno_error(std::string_view what, int error_number);

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}          // NOLINT: implicit by design
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}      // NOLINT

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { CHECK(has_value()); return std::get<0>(state_); }
  const T& value() const& { CHECK(has_value()); return std::get<0>(state_); }
  T&& value() && { CHECK(has_value()); return std::get<0>(std::move(state_)); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& { CHECK(!has_value()); return std::get<1>(state_); }
  Error&& error() && { CHECK(!has_value()); return std::get<1>(std::move(state_)); }

  T value_or(T fallback) const& { return has_value() ? std::get<0>(state_) : std::move(fallback); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  bool has_value() const { return !error_.has_value(); }
  explicit operator bool() const { return has_value(); }
  void value() const { CHECK(has_value()); }
  const Error& error() const& { CHECK(error_.has_value()); return *error_; }
  Error&& error() && { CHECK(error_.has_value()); return *std::move(error_); }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace base

#define DC_CONCAT_INNER(a, b) a##b
#define DC_CONCAT(a, b) DC_CONCAT_INNER(a, b)

/// RETURN_IF_ERROR(f()); returns f's error from the enclosing function. Not in coroutines.
#define RETURN_IF_ERROR(expression)                                         \
  do {                                                                      \
    if (auto dc_status = (expression); !dc_status) return std::move(dc_status).error(); \
  } while (false)

/// ASSIGN_OR_RETURN(auto x, f()); declares x from f's value or returns f's error. Not in coroutines.
#define ASSIGN_OR_RETURN(declaration, expression) \
  DC_ASSIGN_OR_RETURN(DC_CONCAT(dc_result_, __LINE__), declaration, expression)
#define DC_ASSIGN_OR_RETURN(result, declaration, expression) \
  auto result = (expression);                                \
  if (!result) return std::move(result).error();             \
  declaration = *std::move(result)
