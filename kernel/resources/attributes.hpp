#pragma once

// Attributes of an agent: "rack:abc;floor:4;ports:[1-2]".

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "kernel/resources/ranges.hpp"
#include "kernel/resources/scalar.hpp"

namespace mesos::v1 {
class Attribute;
}

namespace resources {

struct Attribute {
  enum class Type { Scalar, Ranges, Text };
  std::string name;
  Type type = Type::Text;
  Scalar scalar;
  Ranges ranges;
  std::string text;
  bool operator==(const Attribute&) const = default;
};

/// The flag's text; names may repeat. A value is a number, else ranges, else text; sets are errors.
base::Result<std::vector<Attribute>> parse_attributes(std::string_view text);

Attribute from_proto(const mesos::v1::Attribute& attribute);
mesos::v1::Attribute to_proto(const Attribute& attribute);

/// The value as text, e.g. for comparisons and pages: "4.5", "[1-2]", "abc".
std::string value_text(const Attribute& attribute);

}  // namespace resources
