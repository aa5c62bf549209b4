#pragma once

// Bodies of the HTTP APIs: JSON or protobuf by Content-Type and Accept, and the record framing of
// event streams. Shared by master, agent, executors and clients. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace google::protobuf {
class Message;
}

namespace api {

enum class ContentType { Json, Protobuf };

inline constexpr std::string_view kJsonMedia = "application/json";
inline constexpr std::string_view kProtobufMedia = "application/x-protobuf";
inline constexpr std::string_view kRecordioMedia = "application/recordio";

/// "application/json" or "application/x-protobuf".
std::string_view media_type(ContentType type);

/// The type that a Content-Type header names; parameters and letter case do not matter.
std::optional<ContentType> parse_media_type(std::string_view header);

/// Whether an Accept header allows `media`. An absent header allows everything; quality 0 forbids.
bool accepts(std::optional<std::string_view> accept_header, std::string_view media);

/// What to answer with: JSON when the client takes it, else protobuf, else nothing (406,
/// kNotAcceptable).
std::optional<ContentType> negotiate(std::optional<std::string_view> accept_header);

inline constexpr std::string_view kNotAcceptable =
    "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'";

/// An answer of status 400, 413 or 415 and its text.
struct Rejection {
  int status = 400;
  std::string message;
  bool operator==(const Rejection&) const = default;
};

/// Reads a request's body into `call`; no rejection: success.
std::optional<Rejection> decode_request(std::optional<std::string_view> content_type,
                                        std::string_view body, google::protobuf::Message& call);

/// Reads one message; for clients, and for records of a stream.
base::Status decode(ContentType type, std::string_view bytes, google::protobuf::Message& message);

std::string encode(ContentType type, const google::protobuf::Message& message);

/// As encode, framed as one record of a stream.
std::string encode_record(ContentType type, const google::protobuf::Message& message);

}  // namespace api
