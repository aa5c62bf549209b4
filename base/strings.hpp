#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <vector>

namespace base {

/// "a,,b" at ',' -> {"a", "", "b"}; "" -> {""}.
std::vector<std::string_view> split(std::string_view text, char separator);

/// As split, without the empty pieces: "/a//b" at '/' -> {"a", "b"}.
std::vector<std::string_view> tokenize(std::string_view text, char separator);

// The pieces point into the text: of a temporary they would dangle.
template <std::same_as<std::string> Temporary>
std::vector<std::string_view> split(Temporary&& text, char separator) = delete;
template <std::same_as<std::string> Temporary>
std::vector<std::string_view> tokenize(Temporary&& text, char separator) = delete;

std::string join(const std::vector<std::string>& parts, std::string_view separator);

std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
bool iequals(std::string_view a, std::string_view b);  // ASCII case-insensitive

/// Every occurrence of `from` (not empty) becomes `to`.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

/// Bytes that are not valid UTF-8 become U+FFFD, so that the result may stand in JSON.
std::string valid_utf8(std::string_view bytes);

/// %XX decoding; '+' becomes a blank when `form` (query strings and form bodies). Bad escapes stay as they are.
std::string percent_decode(std::string_view text, bool form = false);

/// Encodes everything but unreserved characters (RFC 3986 2.3).
std::string percent_encode(std::string_view text);

std::string base64_encode(std::string_view bytes);

/// Standard alphabet with padding. False when `text` is not base64.
bool base64_decode(std::string_view text, std::string& out);

}  // namespace base
