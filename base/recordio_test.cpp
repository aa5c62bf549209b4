#include "base/recordio.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"

namespace base {
namespace {

TEST(RecordIo, decodes_in_any_chunking) {
  const std::vector<std::string> records = {"hello", "", "{\"a\":1}", std::string(10'000, 'x'),
                                            "12\nnot a header"};
  std::string bytes;
  for (const auto& record : records) bytes += encode_record(record);
  Random random(11);
  for (int round = 0; round < 50; ++round) {
    RecordDecoder decoder;
    std::vector<std::string> out;
    for (size_t at = 0; at < bytes.size();) {
      const size_t take = 1 + random.below(round == 0 ? 1 : 3000);
      ASSERT_TRUE(decoder.feed(std::string_view(bytes).substr(at, take), out));
      at += take;
    }
    EXPECT_EQ(out, records);
  }
}

TEST(RecordIo, refuses_what_is_not_a_record_stream_and_stays_failed) {
  for (const char* bytes : {"x\n", "-1\n", "\n", "123456789012345678901\n", " 5\nhello"}) {
    RecordDecoder decoder;
    std::vector<std::string> out;
    EXPECT_FALSE(decoder.feed(bytes, out)) << bytes;
    EXPECT_FALSE(decoder.feed("5\nhello", out));
    EXPECT_TRUE(out.empty());
  }
}

TEST(RecordIo, refuses_a_record_over_the_limit_before_reading_it) {
  RecordDecoder decoder(10);
  std::vector<std::string> out;
  const Status status = decoder.feed("11\n", out);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::TooLarge);
}

}  // namespace
}  // namespace base
