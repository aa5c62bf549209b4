#include "kernel/resources/attributes.hpp"

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/api/mesos/v1/values.pb.h"
#include "kernel/resources/value_text.hpp"

namespace resources {

base::Result<std::vector<Attribute>> parse_attributes(std::string_view text) {
  std::vector<Attribute> out;
  for (std::string_view token : base::split(text, ';')) {
    token = base::trim(token);
    if (token.empty()) continue;
    const size_t colon = token.find(':');
    if (colon == std::string_view::npos || base::trim(token.substr(0, colon)).empty() ||
        base::trim(token.substr(colon + 1)).empty()) {
      return base::invalid("Invalid attribute key:value pair '" + std::string(token) + "'");
    }
    Attribute attribute;
    attribute.name = std::string(base::trim(token.substr(0, colon)));
    auto value = parse_value(token.substr(colon + 1));
    if (!value) return value.error().with_context("Invalid attribute '" + std::string(token) + "'");
    if (auto* scalar = std::get_if<Scalar>(&*value)) {
      attribute.type = Attribute::Type::Scalar;
      attribute.scalar = *scalar;
    } else if (auto* ranges = std::get_if<Ranges>(&*value)) {
      attribute.type = Attribute::Type::Ranges;
      attribute.ranges = *ranges;
    } else if (std::holds_alternative<std::string>(*value)) {
      attribute.text = std::string(base::trim(token.substr(colon + 1)));
    } else {
      return base::invalid("Invalid attribute '" + std::string(token) + "': sets are not supported");
    }
    out.push_back(std::move(attribute));
  }
  return out;
}

Attribute from_proto(const mesos::v1::Attribute& attribute) {
  Attribute out;
  out.name = attribute.name();
  if (attribute.type() == mesos::v1::Value::SCALAR) {
    out.type = Attribute::Type::Scalar;
    const double value = attribute.scalar().value();
    if (Scalar::representable(value)) out.scalar = Scalar::from_double(value);
  } else if (attribute.type() == mesos::v1::Value::RANGES) {
    out.type = Attribute::Type::Ranges;
    std::vector<Range> ranges;
    for (const auto& range : attribute.ranges().range()) {
      if (range.begin() <= range.end()) ranges.push_back({range.begin(), range.end()});
    }
    out.ranges = Ranges(std::move(ranges));
  } else {
    out.text = attribute.text().value();
  }
  return out;
}

mesos::v1::Attribute to_proto(const Attribute& attribute) {
  mesos::v1::Attribute out;
  out.set_name(attribute.name);
  switch (attribute.type) {
    case Attribute::Type::Scalar:
      out.set_type(mesos::v1::Value::SCALAR);
      out.mutable_scalar()->set_value(attribute.scalar.value());
      break;
    case Attribute::Type::Ranges:
      out.set_type(mesos::v1::Value::RANGES);
      for (const Range& range : attribute.ranges.list()) {
        auto* target = out.mutable_ranges()->add_range();
        target->set_begin(range.begin);
        target->set_end(range.end);
      }
      break;
    case Attribute::Type::Text:
      out.set_type(mesos::v1::Value::TEXT);
      out.mutable_text()->set_value(attribute.text);
      break;
  }
  return out;
}

std::string value_text(const Attribute& attribute) {
  switch (attribute.type) {
    case Attribute::Type::Scalar: {
      std::string out = base::render_double(attribute.scalar.value());
      if (out.ends_with(".0")) out.resize(out.size() - 2);
      return out;
    }
    case Attribute::Type::Ranges: return attribute.ranges.text();
    case Attribute::Type::Text: break;
  }
  return attribute.text;
}

}  // namespace resources
