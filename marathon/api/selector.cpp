// Label selectors: "key", "key==value", "key!=value", "key in (a, b)", "key notin (a, b)", joined by commas.

#include "base/strings.hpp"
#include "marathon/api/api.hpp"

namespace marathon::api {
namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  base::Result<std::vector<LabelTerm>> run() {
    std::vector<LabelTerm> terms;
    while (true) {
      ASSIGN_OR_RETURN(LabelTerm term, parse_term());
      terms.push_back(std::move(term));
      skip_blanks();
      if (at_ == text_.size()) return terms;
      if (!take(",")) return error("expected ','");
    }
  }

 private:
  base::Result<LabelTerm> parse_term() {
    LabelTerm term;
    ASSIGN_OR_RETURN(term.key, word());
    skip_blanks();
    if (take("==")) {
      term.kind = LabelTerm::Kind::Equal;
      ASSIGN_OR_RETURN(std::string value, word());
      term.values.insert(std::move(value));
    } else if (take("!=")) {
      term.kind = LabelTerm::Kind::NotEqual;
      ASSIGN_OR_RETURN(std::string value, word());
      term.values.insert(std::move(value));
    } else if (take_word("in")) {
      term.kind = LabelTerm::Kind::In;
      RETURN_IF_ERROR(parse_set(term.values));
    } else if (take_word("notin")) {
      term.kind = LabelTerm::Kind::NotIn;
      RETURN_IF_ERROR(parse_set(term.values));
    }
    return term;
  }

  base::Status parse_set(std::set<std::string>& out) {
    skip_blanks();
    if (!take("(")) return error("expected '('");
    while (true) {
      ASSIGN_OR_RETURN(std::string value, word());
      out.insert(std::move(value));
      skip_blanks();
      if (take(")")) return {};
      if (!take(",")) return error("expected ',' or ')'");
    }
  }

  base::Result<std::string> word() {
    skip_blanks();
    std::string text;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '\\' && at_ + 1 < text_.size()) {
        text += text_[at_ + 1];
        at_ += 2;
      } else if (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.') {
        text += c;
        ++at_;
      } else {
        break;
      }
    }
    if (text.empty()) return error("expected a name or value");
    return text;
  }

  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  bool take(std::string_view token) {
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }

  bool take_word(std::string_view token) {
    const std::string_view rest = text_.substr(at_);
    if (!rest.starts_with(token)) return false;
    const std::string_view after = rest.substr(token.size());
    if (!after.empty() && after.front() != ' ' && after.front() != '(') return false;
    at_ += token.size();
    return true;
  }

  base::Error error(std::string_view what) const {
    return base::invalid("Can not parse label selector '" + base::valid_utf8(text_) + "': " +
                         std::string(what) + " at character " + std::to_string(at_ + 1));
  }

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

base::Result<std::vector<LabelTerm>> parse_label_selector(std::string_view text) {
  return Parser(text).run();
}

bool matches(const std::vector<LabelTerm>& selector, const Labels& labels) {
  for (const LabelTerm& term : selector) {
    const auto it = labels.find(term.key);
    // Every form, the negative ones too, asks for the label to exist.
    if (it == labels.end()) return false;
    const bool listed = term.values.contains(it->second);
    switch (term.kind) {
      case LabelTerm::Kind::Exists: break;
      case LabelTerm::Kind::Equal:
      case LabelTerm::Kind::In:
        if (!listed) return false;
        break;
      case LabelTerm::Kind::NotEqual:
      case LabelTerm::Kind::NotIn:
        if (listed) return false;
        break;
    }
  }
  return true;
}

}  // namespace marathon::api
