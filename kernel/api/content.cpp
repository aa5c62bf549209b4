#include "kernel/api/content.hpp"

#include <google/protobuf/message.h>
#include <boost/json.hpp>

#include <limits>

#include "base/json/proto.hpp"
#include "base/json/value.hpp"
#include "base/numbers.hpp"
#include "base/recordio.hpp"
#include "base/strings.hpp"
#include "kernel/api/names.hpp"

namespace api {

namespace {

// The quality that an element of an Accept header gives to its media range; anything malformed
// counts as 1.
double quality(std::string_view element) {
  for (const std::string_view piece : base::split(element, ';')) {
    const std::string_view parameter = base::trim(piece);
    const size_t equals = parameter.find('=');
    if (equals == std::string_view::npos ||
        !base::iequals(base::trim(parameter.substr(0, equals)), "q"))
      continue;
    const auto value = base::parse_double(base::trim(parameter.substr(equals + 1)));
    return value ? *value : 1;
  }
  return 1;
}

std::string_view without_parameters(std::string_view element) {
  return base::trim(element.substr(0, element.find(';')));
}

bool parse_protobuf(std::string_view bytes, google::protobuf::Message& message) {
  return bytes.size() <= static_cast<size_t>(std::numeric_limits<int>::max()) &&
         message.ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace

std::string_view media_type(ContentType type) {
  return type == ContentType::Json ? kJsonMedia : kProtobufMedia;
}

std::optional<ContentType> parse_media_type(std::string_view header) {
  const std::string_view media = without_parameters(header);
  if (base::iequals(media, kJsonMedia)) return ContentType::Json;
  if (base::iequals(media, kProtobufMedia)) return ContentType::Protobuf;
  return std::nullopt;
}

bool accepts(std::optional<std::string_view> accept_header, std::string_view media) {
  if (!accept_header) return true;
  const std::string any_subtype = std::string(media.substr(0, media.find('/'))) + "/*";
  // The most precise range that matches decides.
  for (const std::string_view candidate :
       {media, std::string_view(any_subtype), std::string_view("*/*")}) {
    for (const std::string_view element : base::split(*accept_header, ',')) {
      if (base::iequals(without_parameters(element), candidate)) return quality(element) > 0;
    }
  }
  return false;
}

std::optional<ContentType> negotiate(std::optional<std::string_view> accept_header) {
  if (accepts(accept_header, kJsonMedia)) return ContentType::Json;
  if (accepts(accept_header, kProtobufMedia)) return ContentType::Protobuf;
  return std::nullopt;
}

std::optional<Rejection> decode_request(std::optional<std::string_view> content_type,
                                        std::string_view body, google::protobuf::Message& call) {
  if (!content_type) return Rejection{400, "Expecting 'Content-Type' to be present"};
  const auto type = parse_media_type(*content_type);
  if (!type)
    return Rejection{415, "Expecting 'Content-Type' of application/json or application/x-protobuf"};
  const std::string& name = call.GetDescriptor()->name();
  if (*type == ContentType::Protobuf) {
    if (parse_protobuf(body, call) && call.IsInitialized()) return std::nullopt;
    return Rejection{400, "Failed to parse body into " + name + " protobuf"};
  }
  boost::json::monotonic_resource memory;
  const auto value = base::json::parse(body, base::json::ParseOptions(), &memory);
  if (!value) {
    const bool large = value.error().code == base::Code::TooLarge;
    return Rejection{large ? 413 : 400, "Failed to parse body into JSON: " + value.error().message};
  }
  const base::Status status = base::json::proto_from_json(*value, call, v1_dialect());
  if (!status)
    return Rejection{
        400, "Failed to convert JSON into " + name + " protobuf: " + status.error().message};
  return std::nullopt;
}

base::Status decode(ContentType type, std::string_view bytes, google::protobuf::Message& message) {
  if (type == ContentType::Json) return base::json::proto_from_json(bytes, message, v1_dialect());
  if (!parse_protobuf(bytes, message)) {
    return base::invalid("not a protobuf message of type " + message.GetDescriptor()->full_name());
  }
  if (!message.IsInitialized()) {
    return base::invalid("Missing required fields: " + message.InitializationErrorString());
  }
  return {};
}

std::string encode(ContentType type, const google::protobuf::Message& message) {
  if (type == ContentType::Json) return base::json::proto_to_json(message, v1_dialect());
  std::string bytes;
  message.SerializePartialToString(&bytes);
  return bytes;
}

std::string encode_record(ContentType type, const google::protobuf::Message& message) {
  return base::encode_record(encode(type, message));
}

}  // namespace api
