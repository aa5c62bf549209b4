#include "universe/render.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/http/gzip.hpp"
#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "universe/mustache.hpp"
#include "universe/schema.hpp"

namespace universe {
namespace {

namespace json = boost::json;

/// Without members that are null, at any depth of objects.
json::object without_nulls(const json::object& object) {
  json::object out;
  for (const auto& [name, value] : object) {
    if (value.is_null()) continue;
    if (value.is_object()) {
      out[name] = without_nulls(value.get_object());
    } else {
      out[name] = value;
    }
  }
  return out;
}

std::string definition_label(const Package& package) {
  std::string text;
  base::json::Writer w(text);
  w.begin_object();
  w.key("metadata");
  w.begin_object();
  w.field("Content-Type", fmt::format("application/vnd.dcos.universe.package+json;charset=utf-8;version=v{}",
                                      package.format));
  w.field("Content-Encoding", "gzip");
  w.end_object();
  w.field("data", base::base64_encode(base::http::gzip(package.document)));
  w.end_object();
  return base::base64_encode(text);
}

/// The template's labels must be a map from text to text.
Tried<json::object> labels_of(const json::object& app) {
  const json::value* labels = app.if_contains("labels");
  if (labels == nullptr || labels->is_null()) return json::object();
  bool good = labels->is_object();
  if (good) {
    for (const auto& [name, value] : labels->get_object()) good = good && value.is_string();
  }
  if (!good) {
    return json_decoding_error("Map[String,String]", "labels must be an object of strings", base::json::render(*labels));
  }
  return labels->get_object();
}

}  // namespace

std::string absolute_app_id(const std::string& id) { return id.starts_with("/") ? id : "/" + id; }

Tried<json::object> resolve_options(const Package& package, const json::object& options) {
  const auto document = base::json::parse(package.document);
  const json::value* schema = document ? base::json::find(*document, "/config") : nullptr;
  if (schema == nullptr) {
    if (!options.empty()) return options_not_allowed();
    return json::object();
  }
  json::object merged = defaults_of(*schema);
  merge_into(merged, options);
  if (merged.empty()) return merged;
  const auto violations = validate(*schema, merged);
  if (!violations.empty()) return schema_mismatch(violations);
  return merged;
}

Tried<json::object> render_app(const Package& package, const std::string& uri, const json::object& options,
                               const std::optional<std::string>& app_id) {
  if (!package.has_app) return no_template(package.name, package.version);
  auto merged = resolve_options(package, options);
  if (!merged) return merged.refusal();
  const auto document = base::json::parse(package.document);
  if (const json::value* resource = base::json::find(*document, "/resource")) (*merged)["resource"] = *resource;

  std::string source;
  const json::value* encoded = base::json::find(*document, "/marathon/v2AppMustacheTemplate");
  if (encoded == nullptr || !encoded->is_string() || !base::base64_decode(encoded->get_string(), source)) {
    return no_template(package.name, package.version);
  }
  const auto text = render_mustache(source, json::value(std::move(*merged)));
  if (!text) return json_parsing_error(text.error().message, source);
  auto parsed = base::json::parse(*text);
  if (!parsed) return json_parsing_error(parsed.error().message, *text);
  if (!parsed->is_object()) return template_must_be_object();
  json::object app = std::move(parsed->get_object());

  auto labels = labels_of(app);
  if (!labels) return labels.refusal();
  (*labels)[kNameLabel] = package.name;
  (*labels)[kVersionLabel] = package.version;
  (*labels)[kSourceLabel] = uri;
  (*labels)[kOptionsLabel] = base::base64_encode(base::json::render(without_nulls(options)));
  (*labels)[kDefinitionLabel] = definition_label(package);
  app["labels"] = std::move(*labels);
  if (app_id) app["id"] = absolute_app_id(*app_id);
  return app;
}

std::string label_of(const json::value& app, const char* label) {
  const json::value* value = base::json::find(app, std::string("/labels/") + label);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : "";
}

base::Result<json::value> decode_definition(const std::string& label) {
  std::string outer;
  if (!base::base64_decode(label, outer)) return base::invalid("it is not base64");
  ASSIGN_OR_RETURN(const json::value envelope, base::json::parse(outer));
  ASSIGN_OR_RETURN(const std::string data, base::json::get_string(envelope, "/data"));
  std::string packed;
  if (!base::base64_decode(data, packed)) return base::invalid("/data is not base64");
  const auto encoding = base::json::get_string(envelope, "/metadata/Content-Encoding");
  if (encoding && *encoding == "gzip") {
    ASSIGN_OR_RETURN(packed, base::http::gunzip(packed, 2 * kMaxDocumentBytes));
  }
  ASSIGN_OR_RETURN(json::value package, base::json::parse(packed));
  if (!package.is_object()) return base::invalid("it holds no object");
  return package;
}

base::Result<json::object> decode_options(const std::string& label) {
  std::string text;
  if (!base::base64_decode(label, text)) return base::invalid("it is not base64");
  ASSIGN_OR_RETURN(json::value options, base::json::parse(text));
  if (!options.is_object()) return base::invalid("it holds no object");
  return std::move(options.get_object());
}

}  // namespace universe
