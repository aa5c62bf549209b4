#include "universe/mustache.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <memory>
#include <vector>

#include "base/json/writer.hpp"
#include "base/strings.hpp"

namespace universe {
namespace {

namespace json = boost::json;

struct Node {
  enum class Kind { Text, Variable, Section, Inverted };
  Kind kind = Kind::Text;
  std::string_view text;  // the text, or the name
  std::vector<Node> children;
};

size_t line_of(std::string_view text, size_t offset) {
  return 1 + static_cast<size_t>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
}

class Parser {
 public:
  Parser(std::string_view text, const MustacheLimits& limits) : text_(text), limits_(limits) {}

  base::Result<std::vector<Node>> parse() {
    std::vector<Open> open(1);
    while (at_ < text_.size()) {
      const size_t tag = text_.find(left_, at_);
      if (tag == std::string_view::npos) break;
      add_text(open.back().nodes, text_.substr(at_, tag - at_));
      RETURN_IF_ERROR(read_tag(tag, open));
    }
    if (at_ < text_.size()) add_text(open.back().nodes, text_.substr(at_));
    if (open.size() > 1) return fail(open.back().offset, "section '" + std::string(open.back().name) + "' is not closed");
    return std::move(open.front().nodes);
  }

 private:
  struct Open {
    std::vector<Node> nodes{};
    std::string_view name{};
    Node::Kind kind = Node::Kind::Section;
    size_t offset = 0;
  };

  base::Error fail(size_t offset, const std::string& what) const {
    return base::invalid(fmt::format("template line {}: {}", line_of(text_, offset), base::valid_utf8(what)));
  }

  static void add_text(std::vector<Node>& nodes, std::string_view text) {
    if (!text.empty()) nodes.push_back({Node::Kind::Text, text, {}});
  }

  base::Status read_tag(size_t tag, std::vector<Open>& open) {
    if (++tags_ > limits_.max_tags) return fail(tag, "there are too many tags");
    const size_t inside = tag + left_.size();
    const char sigil = inside < text_.size() ? text_[inside] : '\0';
    const bool triple = sigil == '{' && left_ == "{{";
    const std::string closing = triple ? "}}}" : sigil == '=' ? "=" + right_ : right_;
    const bool has_sigil = std::string_view("{#^/&!>=").find(sigil) != std::string_view::npos && sigil != '\0' &&
                           (sigil != '{' || triple);
    const size_t start = inside + (has_sigil ? 1 : 0);
    const size_t end = start <= text_.size() ? text_.find(closing, start) : std::string_view::npos;
    if (end == std::string_view::npos) return fail(tag, "a tag is not closed");
    const std::string_view name = base::trim(text_.substr(start, end - start));
    at_ = end + closing.size();
    if (!has_sigil || sigil == '{' || sigil == '&') {
      open.back().nodes.push_back({Node::Kind::Variable, name, {}});
      return {};
    }
    switch (sigil) {
      case '#':
      case '^':
        if (open.size() > limits_.max_depth) return fail(tag, "sections are nested too deeply");
        open.push_back({{}, name, sigil == '#' ? Node::Kind::Section : Node::Kind::Inverted, tag});
        return {};
      case '/': return close_section(tag, name, open);
      case '=': return change_delimiters(tag, name);
      case '>': return fail(tag, "partials are not supported");
      default: return {};  // a comment
    }
  }

  base::Status close_section(size_t tag, std::string_view name, std::vector<Open>& open) {
    if (open.size() == 1) return fail(tag, "'" + std::string(name) + "' is closed and was not opened");
    Open section = std::move(open.back());
    open.pop_back();
    if (section.name != name) {
      return fail(tag, fmt::format("section '{}' is closed as '{}'", section.name, name));
    }
    open.back().nodes.push_back({section.kind, section.name, std::move(section.nodes)});
    return {};
  }

  base::Status change_delimiters(size_t tag, std::string_view both) {
    const size_t blank = both.find(' ');
    if (blank == std::string_view::npos) return fail(tag, "new delimiters are two words");
    const std::string_view left = base::trim(both.substr(0, blank)), right = base::trim(both.substr(blank));
    if (left.empty() || right.empty()) return fail(tag, "new delimiters are two words");
    left_ = std::string(left);
    right_ = std::string(right);
    return {};
  }

  std::string_view text_;
  const MustacheLimits& limits_;
  std::string left_ = "{{", right_ = "}}";
  size_t at_ = 0, tags_ = 0;
};

/// As the original prints doubles: shortest digits, exponent form below 1e-3 and from 1e7.
std::string double_text(double number) {
  char buffer[64];
  if (number == std::floor(number) && std::fabs(number) < 9.2e18) {
    return std::to_string(static_cast<int64_t>(number));
  }
  const double size = std::fabs(number);
  if (size >= 1e-3 && size < 1e7) {
    const auto done = std::to_chars(buffer, buffer + sizeof(buffer), number, std::chars_format::fixed);
    return {buffer, done.ptr};
  }
  const auto done = std::to_chars(buffer, buffer + sizeof(buffer), number, std::chars_format::scientific);
  std::string text(buffer, done.ptr);
  const size_t e = text.find('e');
  std::string digits = text.substr(0, e);
  if (digits.find('.') == std::string::npos) digits += ".0";
  const int exponent = std::atoi(text.c_str() + e + 1);
  return digits + "E" + std::to_string(exponent);
}

void append_escaped(std::string& out, std::string_view text) {
  std::string quoted;
  base::json::append_string(quoted, text);
  out.append(quoted, 1, quoted.size() - 2);
}

void append_value(std::string& out, const json::value& value, bool in_array) {
  switch (value.kind()) {
    case json::kind::null: return;
    case json::kind::bool_: out += value.get_bool() ? "true" : "false"; return;
    case json::kind::int64: out += std::to_string(value.get_int64()); return;
    case json::kind::uint64: out += std::to_string(value.get_uint64()); return;
    case json::kind::double_: out += double_text(value.get_double()); return;
    case json::kind::string:
      if (in_array) {
        base::json::append_string(out, value.get_string());
      } else {
        append_escaped(out, value.get_string());
      }
      return;
    case json::kind::array: {
      out += '[';
      bool first = true;
      for (const json::value& item : value.get_array()) {
        if (!std::exchange(first, false)) out += ", ";
        append_value(out, item, true);
      }
      out += ']';
      return;
    }
    case json::kind::object: {
      out += '{';
      bool first = true;
      for (const auto& [name, member] : value.get_object()) {
        if (!std::exchange(first, false)) out += ", ";
        out += std::string(name) + "=";
        append_value(out, member, false);
      }
      out += '}';
    }
  }
}

bool truthy(const json::value* value) {
  if (value == nullptr || value->is_null()) return false;
  if (value->is_bool()) return value->get_bool();
  if (value->is_string()) return !value->get_string().empty();
  if (value->is_array()) return !value->get_array().empty();
  return true;
}

class Renderer {
 public:
  Renderer(const json::value& root, const MustacheLimits& limits) : limits_(limits), scopes_{&root} {}

  base::Status render(const std::vector<Node>& nodes) {
    for (const Node& node : nodes) {
      if (++steps_ > limits_.max_steps || out.size() > limits_.max_output) {
        return base::Error{base::Code::TooLarge, "the template renders to more than the limit"};
      }
      switch (node.kind) {
        case Node::Kind::Text: out += node.text; break;
        case Node::Kind::Variable:
          if (const json::value* value = find(node.text)) append_value(out, *value, false);
          break;
        case Node::Kind::Inverted:
          if (!truthy(find(node.text))) RETURN_IF_ERROR(render(node.children));
          break;
        case Node::Kind::Section: RETURN_IF_ERROR(section(node)); break;
      }
    }
    return {};
  }

  std::string out;

 private:
  base::Status section(const Node& node) {
    const json::value* value = find(node.text);
    if (value == nullptr && node.text == "asJson") {
      put_in_raw(node);
      return {};
    }
    if (!truthy(value)) return {};
    if (value->is_bool()) return render(node.children);
    if (!value->is_array()) return scoped(*value, node.children);
    for (const json::value& item : value->get_array()) RETURN_IF_ERROR(scoped(item, node.children));
    return {};
  }

  base::Status scoped(const json::value& value, const std::vector<Node>& nodes) {
    scopes_.push_back(&value);
    base::Status status = render(nodes);
    scopes_.pop_back();
    return status;
  }

  void put_in_raw(const Node& node) {
    std::string name;
    for (const Node& child : node.children) {
      if (child.kind == Node::Kind::Text) name += child.text;
    }
    const json::value& root = *scopes_.front();
    const json::value* value =
        root.is_object() ? root.get_object().if_contains(base::trim(name)) : nullptr;
    if (value != nullptr && value->is_string()) {
      out += std::string_view(value->get_string());
    } else {
      out += "null";
    }
  }

  /// Inner scopes first; the whole name as a key before its parts as a path.
  const json::value* find(std::string_view name) const {
    if (name == ".") return scopes_.back();
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      if (const json::value* value = member(**scope, name)) return value;
    }
    if (name.find('.') == std::string_view::npos) return nullptr;
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      const json::value* value = *scope;
      for (std::string_view part : base::split(name, '.')) {
        value = member(*value, part);
        if (value == nullptr) break;
      }
      if (value != nullptr) return value;
    }
    return nullptr;
  }

  static const json::value* member(const json::value& scope, std::string_view name) {
    return scope.is_object() ? scope.get_object().if_contains(name) : nullptr;
  }

  const MustacheLimits& limits_;
  std::vector<const json::value*> scopes_;
  size_t steps_ = 0;
};

}  // namespace

base::Result<std::string> render_mustache(std::string_view text, const json::value& context,
                                          const MustacheLimits& limits) {
  ASSIGN_OR_RETURN(const std::vector<Node> nodes, Parser(text, limits).parse());
  Renderer renderer(context, limits);
  RETURN_IF_ERROR(renderer.render(nodes));
  if (renderer.out.size() > limits.max_output) {
    return base::Error{base::Code::TooLarge, "the template renders to more than the limit"};
  }
  return std::move(renderer.out);
}

}  // namespace universe
