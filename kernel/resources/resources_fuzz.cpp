// Fuzz entry point: any bytes as --resources, --attributes, a role, and as resources on the wire. What is accepted must
// survive being written and read again, and arithmetic on it must hold.

#include <cstdint>
#include <string_view>

#include "base/check.hpp"
#include "kernel/api/mesos/v1/offers.pb.h"
#include "kernel/resources/attributes.hpp"
#include "kernel/resources/operations.hpp"
#include "kernel/resources/parse.hpp"
#include "kernel/resources/proto.hpp"
#include "kernel/resources/quantities.hpp"
#include "kernel/resources/roles.hpp"

namespace {

void check_arithmetic(const resources::Resources& some) {
  CHECK(some.contains(some));
  CHECK((some - some).empty());
  resources::Resources twice = some;
  twice += some;
  CHECK(twice.contains(some));
  resources::ProtoResources wire;
  resources::to_proto(some, resources::Format::Post, &wire);
  const auto back = resources::from_proto(wire);
  CHECK_MSG(back.has_value(), back ? std::string() : back.error().message);
  CHECK_MSG(*back == some, some.text());
  (void)some.text();
}

}  // namespace

int fuzz_resources(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (size > 16 << 10) return 0;
  if (const auto parsed = resources::parse_resources(bytes)) check_arithmetic(parsed->resources);
  if (const auto parsed = resources::parse_attributes(bytes)) {
    for (const auto& attribute : *parsed) {
      CHECK(resources::from_proto(resources::to_proto(attribute)) == attribute);
      (void)resources::value_text(attribute);
    }
  }
  if (resources::validate_role(bytes)) {
    for (const auto above : resources::ancestors(bytes)) {
      CHECK(resources::validate_role(above).has_value());
      CHECK(resources::is_strict_subrole(bytes, above));
    }
  }
  mesos::v1::Offer offer;  // resources, and nothing else that matters here
  if (offer.ParsePartialFromArray(data, static_cast<int>(size))) {
    if (const auto read = resources::from_proto(offer.resources())) check_arithmetic(*read);
  }
  mesos::v1::Offer::Operation operation;
  if (operation.ParsePartialFromArray(data, static_cast<int>(size))) {
    if (const auto conversions = resources::conversions(operation)) {
      resources::Resources total;
      for (const auto& conversion : *conversions) total += conversion.consumed;
      if (const auto after = resources::apply(total, *conversions)) check_arithmetic(*after);
    }
  }
  return 0;
}
