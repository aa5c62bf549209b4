// Fuzz entry points: templates, schemas and indexes come from repositories, that is from anybody. What is read is used
// as far as it goes: catalogs are searched, packages rendered.

#include <boost/json.hpp>

#include <cstdint>

#include "base/check.hpp"
#include "base/json/value.hpp"
#include "universe/media_types.hpp"
#include "universe/mustache.hpp"
#include "universe/render.hpp"
#include "universe/repository.hpp"
#include "universe/resolve.hpp"
#include "universe/schema.hpp"

namespace {

/// Two texts, divided by the first zero byte.
std::pair<std::string_view, std::string_view> halves(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t at = text.find('\0');
  if (at == std::string_view::npos) return {text, "{}"};
  return {text.substr(0, at), text.substr(at + 1)};
}

}  // namespace

int fuzz_mustache(const uint8_t* data, size_t size) {
  const auto [text, context] = halves(data, size);
  const auto value = base::json::parse(context);
  universe::MustacheLimits limits;
  limits.max_output = 10'000;
  const auto out = universe::render_mustache(text, value ? *value : boost::json::value(), limits);
  CHECK(!out || out->size() <= limits.max_output);
  return 0;
}

int fuzz_schema(const uint8_t* data, size_t size) {
  const auto [schema_text, instance_text] = halves(data, size);
  const auto schema = base::json::parse(schema_text), instance = base::json::parse(instance_text);
  if (!schema || !instance) return 0;
  const auto violations = universe::validate(*schema, *instance);
  CHECK(violations.size() <= 100);
  for (const auto& violation : violations) {
    CHECK_MSG(violation.domain == "syntax" || base::json::find(*instance, violation.instance) != nullptr,
              violation.instance);
  }
  universe::defaults_of(*schema);
  return 0;
}

int fuzz_index(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto wishes = universe::parse_accept(text)) universe::negotiate(*wishes, {universe::repository_accept()});
  auto index = universe::parse_index(text);
  if (!index) return 0;
  const universe::Catalog catalog({{"http://fuzz", std::make_shared<universe::RepositoryIndex>(std::move(*index))}});
  for (universe::Found entries : universe::search(catalog, std::string(text.substr(0, 3)))) {
    for (const auto& entry : *entries) {
      const auto app = universe::render_app(*entry.package, entry.uri, {}, std::nullopt);
      if (!app) continue;
      const auto label = universe::label_of(boost::json::value(*app), universe::kDefinitionLabel);
      CHECK(universe::decode_definition(label));
    }
  }
  return 0;
}
