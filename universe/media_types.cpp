#include "universe/media_types.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace universe {
namespace {

constexpr size_t kMaxItems = 100;

bool is_token(std::string_view text) {
  if (text.empty()) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::string_view unquote(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') return text.substr(1, text.size() - 2);
  return text;
}

bool is_json(const MediaType& type) { return type.type == "application" && type.subtype == "json"; }

/// How exact a wish is: */*, application/*, application/json, the type itself with so many parameters.
int specificity(const MediaType& wanted) {
  if (wanted.type == "*") return 0;
  if (wanted.subtype == "*") return 1;
  if (is_json(wanted)) return 2;
  return 3 + static_cast<int>(wanted.parameters.size());
}

}  // namespace

std::string repository_accept() {
  return "application/vnd.dcos.universe.repo+json;charset=utf-8;version=v5, "
         "application/vnd.dcos.universe.repo+json;charset=utf-8;version=v4, "
         "application/vnd.dcos.universe.repo+json;charset=utf-8;version=v3, application/json;q=0.9";
}

std::string media_type(std::string_view family, std::string_view name, int version) {
  return fmt::format("application/vnd.dcos.{}.{}+json;charset=utf-8;version=v{}", family, name, version);
}

base::Result<MediaType> parse_media_type(std::string_view text) {
  const auto pieces = base::split(text, ';');
  const std::string_view range = base::trim(pieces[0]);
  const size_t slash = range.find('/');
  if (slash == std::string_view::npos || !is_token(range.substr(0, slash)) || !is_token(range.substr(slash + 1))) {
    return base::invalid("'" + base::valid_utf8(range) + "' is not a media type");
  }
  MediaType out;
  out.type = base::to_lower(range.substr(0, slash));
  out.subtype = base::to_lower(range.substr(slash + 1));
  for (size_t i = 1; i < pieces.size(); ++i) {
    const std::string_view piece = base::trim(pieces[i]);
    if (piece.empty()) continue;
    const size_t equals = piece.find('=');
    if (equals == std::string_view::npos || !is_token(base::trim(piece.substr(0, equals)))) {
      return base::invalid("'" + base::valid_utf8(piece) + "' is not a parameter of a media type");
    }
    const std::string name = base::to_lower(base::trim(piece.substr(0, equals)));
    const std::string_view value = unquote(base::trim(piece.substr(equals + 1)));
    if (name == "q") {
      const auto q = base::parse_double(value);
      if (!q || !(*q >= 0 && *q <= 1)) return base::invalid("a quality is a number from 0 to 1");
      out.q = *q;
    } else {
      out.parameters.emplace_back(name, base::to_lower(value));
    }
  }
  return out;
}

base::Result<std::vector<MediaType>> parse_accept(std::string_view text) {
  std::vector<MediaType> out;
  for (std::string_view item : base::split(text, ',')) {
    if (base::trim(item).empty()) continue;
    if (out.size() == kMaxItems) return base::invalid("more than 100 media types");
    ASSIGN_OR_RETURN(MediaType type, parse_media_type(item));
    out.push_back(std::move(type));
  }
  if (out.empty()) return base::invalid("it names no media type");
  return out;
}

bool accepts(const MediaType& wanted, const MediaType& offered) {
  if (wanted.type == "*" && wanted.subtype == "*") return true;
  if (wanted.type != offered.type) return false;
  if (wanted.subtype == "*" || is_json(wanted)) return true;
  if (wanted.subtype != offered.subtype) return false;
  return std::all_of(wanted.parameters.begin(), wanted.parameters.end(), [&](const auto& parameter) {
    return std::find(offered.parameters.begin(), offered.parameters.end(), parameter) != offered.parameters.end();
  });
}

std::optional<size_t> negotiate(const std::vector<MediaType>& wanted, const std::vector<std::string>& offered) {
  std::optional<size_t> best;
  double best_q = 0;
  int best_exact = -1;
  for (size_t i = 0; i < offered.size(); ++i) {
    const auto type = parse_media_type(offered[i]);
    if (!type) continue;
    // The most exact wish that fits says with what quality.
    double q = 0;
    int exact = -1;
    for (const MediaType& wish : wanted) {
      if (accepts(wish, *type) && specificity(wish) > exact) {
        q = wish.q;
        exact = specificity(wish);
      }
    }
    if (exact < 0 || q <= 0) continue;
    if (!best || q > best_q || (q == best_q && exact > best_exact)) {
      best = i;
      best_q = q;
      best_exact = exact;
    }
  }
  return best;
}

bool is_content(const MediaType& given, std::string_view expected) {
  if (is_json(given)) return true;
  const auto type = parse_media_type(expected);
  return type && accepts(given, *type);
}

}  // namespace universe
