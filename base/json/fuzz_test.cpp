#include "base/testing/fuzz.hpp"

#include <gtest/gtest.h>

#include "base/json/proto_test.pb.h"

int fuzz_json(const uint8_t* data, size_t size);
int fuzz_proto_json(const uint8_t* data, size_t size);

namespace base::json {
namespace {

TEST(Fuzz, parser_and_writer_agree_on_any_input) {
  testing::fuzz(fuzz_json,
                {R"({"a":[1,-1.5e10,true,null,"x\u00e9\n\ud83d\ude00"],"b":{"c":{}}})",
                 "[18446744073709551615,1e308,-0.0]", "\"\xf0\x9f\x98\x80\"", "[[[[[[]]]]]]", "",
                 R"({"a":1,"a":2})", "\xff\xfe", "[0.1,1E-7,123456789.123456789]"},
                10'000, 1);
}

TEST(Fuzz, protobuf_codec_survives_any_input) {
  dcos::test::Everything message;
  message.mutable_id()->set_value("i");
  message.set_number(1.5);
  message.set_text("text");
  message.add_ids()->set_value("a");
  (*message.mutable_by_name())["k"].set_value("v");
  (*message.mutable_by_number())[7] = "seven";
  message.mutable_inner()->mutable_id()->set_value("j");
  testing::fuzz(
      fuzz_proto_json,
      {R"({"id":{"value":"i"},"number":1.5,"i32":-7,"u64":18446744073709551615,"flag":"true","data":"AP8="})",
       R"({"id":{"value":"i"},"color":"GREEN","colors":["RED","X"],"by_name":{"a":{"value":"b"}},"words":"w"})",
       R"({"id":{"value":"i"},"by_number":{"-3":"x"},"inner":{"id":{"value":"j"},"small":"Infinity"}})",
       R"({"id":null,"ids":[{"value":"a"},null]})", message.SerializeAsString()},
      10'000, 2);
}

}  // namespace
}  // namespace base::json
