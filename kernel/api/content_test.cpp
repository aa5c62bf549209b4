#include "kernel/api/content.hpp"

#include <gtest/gtest.h>

#include "base/recordio.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"

namespace api {
namespace {

using mesos::v1::scheduler::Call;

constexpr std::string_view kTeardown = R"({"type":"TEARDOWN","framework_id":{"value":"f"}})";

std::optional<Rejection> reject(std::optional<std::string_view> content_type,
                                std::string_view body) {
  Call call;
  return decode_request(content_type, body, call);
}

TEST(Accept, prefers_json) {
  EXPECT_EQ(negotiate(std::nullopt), ContentType::Json);
  EXPECT_EQ(negotiate("*/*"), ContentType::Json);
  EXPECT_EQ(negotiate("application/*"), ContentType::Json);
  EXPECT_EQ(negotiate("application/x-protobuf, application/json;q=0.1"), ContentType::Json);
  EXPECT_EQ(negotiate("application/x-protobuf"), ContentType::Protobuf);
  EXPECT_EQ(negotiate("Application/X-Protobuf ; q=0.5"), ContentType::Protobuf);
  EXPECT_EQ(negotiate("application/json;q=0, */*"), ContentType::Protobuf);
  EXPECT_EQ(negotiate("text/html"), std::nullopt);
  EXPECT_EQ(negotiate(""), std::nullopt);
  EXPECT_TRUE(accepts("application/recordio", kRecordioMedia));
}

TEST(ContentType, ignores_parameters_and_case) {
  EXPECT_EQ(parse_media_type("application/json; charset=utf-8"), ContentType::Json);
  EXPECT_EQ(parse_media_type("Application/JSON"), ContentType::Json);
  EXPECT_EQ(parse_media_type("application/x-protobuf"), ContentType::Protobuf);
  EXPECT_EQ(parse_media_type("text/plain"), std::nullopt);
}

TEST(Requests, are_decoded_from_json_and_protobuf) {
  Call call;
  ASSERT_FALSE(decode_request("application/json", kTeardown, call));
  EXPECT_EQ(call.framework_id().value(), "f");
  Call other;
  ASSERT_FALSE(decode_request("application/x-protobuf", call.SerializeAsString(), other));
  EXPECT_EQ(other.type(), Call::TEARDOWN);
}

TEST(Requests, are_rejected_with_the_reason) {
  EXPECT_EQ(reject(std::nullopt, kTeardown),
            (Rejection{400, "Expecting 'Content-Type' to be present"}));
  EXPECT_EQ(
      reject("text/plain", kTeardown),
      (Rejection{415, "Expecting 'Content-Type' of application/json or application/x-protobuf"}));
  EXPECT_EQ(reject("application/x-protobuf", "{}"),
            (Rejection{400, "Failed to parse body into Call protobuf"}));
  EXPECT_EQ(reject("application/x-protobuf", "\x0a\x00"),
            (Rejection{400, "Failed to parse body into Call protobuf"}));
  EXPECT_EQ(reject("application/json", "{"),
            (Rejection{400,
                       "Failed to parse body into JSON: unexpected end of text at line 1, column 2 "
                       "(offset 1)"}));
  EXPECT_EQ(reject("application/json", "[]"),
            (Rejection{400, "Failed to convert JSON into Call protobuf: Expecting a JSON object"}));
  EXPECT_EQ(
      reject("application/json", R"({"type":"KILL","kill":{}})"),
      (Rejection{
          400,
          "Failed to convert JSON into Call protobuf: Missing required fields: kill.task_id"}));
  EXPECT_EQ(reject("application/json", std::string((64 << 20) + 1, ' '))->status, 413);
}

TEST(Requests, of_a_later_version_have_no_type) {
  Call call;
  ASSERT_FALSE(decode_request("application/json", R"({"type":"LATER"})", call));
  EXPECT_FALSE(call.has_type());
}

TEST(Messages, survive_both_encodings) {
  Call call;
  ASSERT_TRUE(decode(ContentType::Json, kTeardown, call));
  EXPECT_EQ(encode(ContentType::Json, call), R"({"framework_id":{"value":"f"},"type":"TEARDOWN"})");
  for (const ContentType type : {ContentType::Json, ContentType::Protobuf}) {
    std::vector<std::string> records;
    base::RecordDecoder decoder;
    ASSERT_TRUE(decoder.feed(encode_record(type, call), records));
    ASSERT_EQ(records.size(), 1u);
    Call back;
    ASSERT_TRUE(decode(type, records[0], back));
    EXPECT_EQ(back.SerializeAsString(), call.SerializeAsString());
  }
  EXPECT_EQ(decode(ContentType::Protobuf, "\xff", call).error().message,
            "not a protobuf message of type mesos.v1.scheduler.Call");
}

}  // namespace
}  // namespace api
