#include "base/json/proto.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/json/proto_test.pb.h"

namespace base::json {
namespace {

using dcos::test::Everything;

// Reads `text` (the required id is added) and writes what was understood, without id and defaults.
std::string read(std::string_view members) {
  Everything message;
  const Status status =
      proto_from_json("{\"id\":{\"value\":\"i\"}," + std::string(members) + "}", message);
  if (!status) return status.error().message;
  std::string text = proto_to_json(message);
  for (const std::string_view common : {R"("id":{"value":"i"},)", R"(,"refuse_seconds":5.0)",
                                        R"("refuse_seconds":5.0)", R"(,"checkpoint":false)"}) {
    if (const size_t at = text.find(common); at != std::string::npos) text.erase(at, common.size());
  }
  return text;
}

TEST(ProtoJson, writes_declared_defaults_unless_deprecated) {
  Everything message;
  message.mutable_id()->set_value("x");
  EXPECT_EQ(proto_to_json(message),
            R"({"id":{"value":"x"},"refuse_seconds":5.0,"checkpoint":false})");
  message.set_old_role("a");
  message.set_refuse_seconds(0.5);
  EXPECT_EQ(proto_to_json(message),
            R"({"id":{"value":"x"},"refuse_seconds":0.5,"old_role":"a","checkpoint":false})");
}

TEST(ProtoJson, writes_every_kind_in_the_order_of_declaration) {
  Everything m;
  m.mutable_id()->set_value("x");
  m.set_color(dcos::test::GREEN);
  m.set_number(2);
  m.set_small(0.5f);
  m.set_i32(-1);
  m.set_i64(std::numeric_limits<int64_t>::min());
  m.set_u32(7);
  m.set_u64(std::numeric_limits<uint64_t>::max());
  m.set_flag(true);
  m.set_text("\xff");
  m.set_data(std::string("\0\xff", 2));
  m.add_ids()->set_value("y");
  m.add_words("w");
  m.add_numbers(5);
  m.add_colors(dcos::test::FAR_OUT);
  m.add_colors(dcos::test::MINUS);
  (*m.mutable_by_name())["b"].set_value("2");
  (*m.mutable_by_name())["a"].set_value("1");
  (*m.mutable_by_number())[-3] = "three";
  m.add_chunks("abc");
  m.set_old_role("*");
  EXPECT_EQ(proto_to_json(m),
            "{\"color\":\"GREEN\",\"id\":{\"value\":\"x\"},\"number\":2.0,\"small\":0.5,\"i32\":-1,"
            "\"i64\":-9223372036854775808,\"u32\":7,\"u64\":18446744073709551615,\"flag\":true,"
            "\"text\":\"\xef\xbf\xbd\",\"data\":\"AP8=\",\"ids\":[{\"value\":\"y\"}],\"words\":["
            "\"w\"],\"numbers\":[5],"
            "\"colors\":[\"FAR_OUT\",\"MINUS\"],\"by_name\":{\"a\":{\"value\":\"1\"},\"b\":{"
            "\"value\":\"2\"}},"
            "\"by_number\":{\"-3\":\"three\"},\"refuse_seconds\":5.0,\"old_role\":\"*\",\"chunks\":"
            "[\"YWJj\"],"
            "\"checkpoint\":false}");
  Everything back;
  m.set_text("ok");
  ASSERT_TRUE(proto_from_json(proto_to_json(m), back));
  m.set_refuse_seconds(5);
  m.set_checkpoint(false);
  EXPECT_EQ(proto_to_json(back), proto_to_json(m));
}

TEST(ProtoJson, ignores_unknown_names_and_null) {
  EXPECT_EQ(read(R"("nope":{"a":1},"text":null,"ids":[null],"by_name":{"k":null},"inner":null)"),
            "{}");
}

TEST(ProtoJson, takes_numbers_and_booleans_from_strings) {
  EXPECT_EQ(
      read(R"("number":"1.5","i32":"-7","u64":"18446744073709551615","flag":"true","small":"2")"),
      R"({"number":1.5,"small":2.0,"i32":-7,"u64":18446744073709551615,"flag":true})");
  EXPECT_EQ(read(R"("number":"Infinity")"), R"({"number":"Infinity"})");
  EXPECT_EQ(read(R"("number":"-Infinity","u32":3.0,"number":"-Infinity")"),
            R"({"number":"-Infinity","u32":3})");
  EXPECT_EQ(read(R"("number":"a")"),
            "Failed to parse 'a' as a JSON number for field 'number' (at /number)");
  EXPECT_EQ(read(R"("number":"NaN")"),
            "Failed to parse 'NaN' as a JSON number for field 'number' (at /number)");
  EXPECT_EQ(read(R"("flag":"yes")"),
            "Failed to parse 'yes' as a JSON boolean for field 'flag' (at /flag)");
}

TEST(ProtoJson, refuses_numbers_that_the_field_cannot_hold) {
  EXPECT_EQ(read(R"("i32":2147483648)"), "Expecting a 32-bit integer for field 'i32' (at /i32)");
  EXPECT_EQ(read(R"("i32":1.5)"), "Expecting a 32-bit integer for field 'i32' (at /i32)");
  EXPECT_EQ(read(R"("u64":-1)"), "Expecting a 64-bit unsigned integer for field 'u64' (at /u64)");
  EXPECT_EQ(read(R"("i64":9223372036854775808)"),
            "Expecting a 64-bit integer for field 'i64' (at /i64)");
  EXPECT_EQ(read(R"("small":1e300)"), "Expecting a 32-bit number for field 'small' (at /small)");
  EXPECT_EQ(read(R"("u32":1e300)"),
            "Expecting a 32-bit unsigned integer for field 'u32' (at /u32)");
}

TEST(ProtoJson, leaves_unknown_enum_names_unset_unless_required) {
  EXPECT_EQ(read(R"("color":"BLUE","colors":["RED","BLUE","GREEN"])"),
            R"({"colors":["RED","GREEN"]})");
  dcos::test::NeedsColor needs;
  EXPECT_EQ(proto_from_json(R"({"color":"BLUE"})", needs).error().message,
            "Failed to find enum for 'BLUE' (at /color)");
}

TEST(ProtoJson, takes_a_single_value_for_a_list) {
  EXPECT_EQ(read(R"("words":"one","numbers":3,"ids":{"value":"v"})"),
            R"({"ids":[{"value":"v"}],"words":["one"],"numbers":[3]})");
}

TEST(ProtoJson, names_the_place_of_a_wrong_kind) {
  EXPECT_EQ(read(R"("inner":{"ids":[{"value":"a"},{"value":3}]})"),
            "Not expecting a JSON number for field 'value' (at /inner/ids/1/value)");
  EXPECT_EQ(read(R"("by_name":{"a/b":{"value":[]}})"),
            "Not expecting a JSON array for field 'value' (at /by_name/a~1b/value)");
  EXPECT_EQ(read(R"("text":{})"), "Not expecting a JSON object for field 'text' (at /text)");
  EXPECT_EQ(read(R"("text":true)"), "Not expecting a JSON boolean for field 'text' (at /text)");
  EXPECT_EQ(read(R"("inner":"x")"), "Not expecting a JSON string for field 'inner' (at /inner)");
  EXPECT_EQ(read(R"("words":[["a"]])"),
            "Not expecting a JSON array for field 'words' (at /words/0)");
  EXPECT_EQ(read(R"("data":"***")"), "Failed to base64 decode bytes field 'data' (at /data)");
  EXPECT_EQ(read(R"("by_number":{"x":"y"})"),
            "Failed to parse 'x' as a JSON number for field 'key' (at /by_number/x)");
}

TEST(ProtoJson, lists_missing_required_fields) {
  Everything message;
  EXPECT_EQ(proto_from_json(R"({"inner":{"ids":[{}]}})", message).error().message,
            "Missing required fields: id, inner.id, inner.ids[0].value");
  EXPECT_EQ(proto_from_json("[]", message).error().message, "Expecting a JSON object");
  EXPECT_EQ(proto_from_json("7", message).error().message, "Expecting a JSON object");
  EXPECT_EQ(proto_from_json("", message).error().message,
            "unexpected end of text at line 1, column 1 (offset 0)");
}

TEST(ProtoJson, stops_at_deep_nesting) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += R"({"inner":)";
  Everything message;
  EXPECT_TRUE(proto_from_json(text, message).error().message.starts_with("nested too deeply"));
}

class OldNames : public ProtoDialect {
 public:
  std::string field_name(const google::protobuf::FieldDescriptor& field) const override {
    const std::string name = ProtoDialect::field_name(field);
    return name == "text" ? "old_text" : name;
  }
  std::string enum_name(const google::protobuf::EnumValueDescriptor& value) const override {
    const std::string name = ProtoDialect::enum_name(value);
    return name == "GREEN" ? "VERT" : name;
  }
  bool write_empty(const google::protobuf::FieldDescriptor& field) const override {
    return ProtoDialect::field_name(field) == "words";
  }
};

TEST(ProtoJson, spells_names_as_the_dialect_says) {
  static const OldNames dialect;
  Everything message;
  ASSERT_TRUE(proto_from_json(
      R"({"id":{"value":"x"},"old_text":"a","text":"b","color":"VERT","refuse_seconds":1})",
      message, dialect));
  EXPECT_EQ(message.text(), "a");
  EXPECT_EQ(proto_to_json(message, dialect),
            R"({"color":"VERT","id":{"value":"x"},"old_text":"a","words":[],)"
            R"("refuse_seconds":1.0,"checkpoint":false})");
}

}  // namespace
}  // namespace base::json
