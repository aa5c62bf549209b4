#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace base::json {

/// Appends compact JSON to a string as it is told, without building a tree. The result is valid
/// UTF-8 whatever the strings hold (bad bytes become U+FFFD). Integers are numbers up to 64 bits;
/// doubles read back exactly and integral ones end in ".0"; infinities and NaN are the strings
/// "Infinity", "-Infinity", "NaN". The caller nests properly:
///
///   Writer w(text);
///   w.begin_object();
///   w.field("id", "/hello");
///   w.key("ports"); w.begin_array(); w.value(80); w.end_array();
///   w.end_object();
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void begin_object() { open('{'); }
  void end_object() { close('}'); }
  void begin_array() { open('['); }
  void end_array() { close(']'); }

  void key(std::string_view name);

  /// `finished` is a key with comma, quotes and colon, such as ",\"id\":"; the comma is left out
  /// where none is due.
  void raw_key(std::string_view finished) {
    if (!comma_) finished.remove_prefix(1);
    out_.append(finished);
    comma_ = false;
  }

  void value(std::string_view text);
  void value(const char* text) { value(std::string_view(text)); }
  void value(const std::string& text) { value(std::string_view(text)); }
  void value(double number);
  void value(bool truth) { raw(truth ? std::string_view("true") : std::string_view("false")); }
  template <std::integral T>
  void value(T number) {
    if constexpr (std::is_signed_v<T>) {
      integer(static_cast<int64_t>(number));
    } else {
      unsigned_integer(static_cast<uint64_t>(number));
    }
  }
  void null() { raw("null"); }

  /// A finished JSON text.
  void raw(std::string_view json) {
    separate();
    out_ += json;
    comma_ = true;
  }

  template <class T>
  void field(std::string_view name, const T& content) {
    key(name);
    value(content);
  }

  std::string& out() { return out_; }

 private:
  void separate() {
    if (comma_) out_.push_back(',');
  }
  void open(char bracket) {
    separate();
    out_.push_back(bracket);
    comma_ = false;
  }
  void close(char bracket) {
    out_.push_back(bracket);
    comma_ = true;
  }
  void integer(int64_t number);
  void unsigned_integer(uint64_t number);

  std::string& out_;
  bool comma_ = false;
};

/// Appends `text` as a JSON string with quotes.
void append_string(std::string& out, std::string_view text);

/// Appends a double by the rules of Writer.
void append_double(std::string& out, double number);

}  // namespace base::json
