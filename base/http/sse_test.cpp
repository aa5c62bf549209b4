#include "base/http/sse.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"

namespace base::http {
namespace {

std::vector<SseEvent> decode(std::string_view text, size_t step) {
  SseDecoder decoder;
  std::vector<SseEvent> events;
  for (size_t at = 0; at < text.size(); at += step) decoder.feed(text.substr(at, step), events);
  return events;
}

TEST(ServerSentEvents, survive_encoding_in_pieces_of_any_size) {
  std::string text = encode_sse({"status", "{\"a\":1}\nsecond: line", "7"}) + encode_sse({"", "x", ""});
  for (size_t step = 1; step < text.size(); ++step) {
    auto events = decode(text, step);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].event, "status");
    EXPECT_EQ(events[0].data, "{\"a\":1}\nsecond: line");
    EXPECT_EQ(events[0].id, "7");
    EXPECT_EQ(events[1].data, "x");
  }
}

TEST(ServerSentEvents, may_end_their_lines_in_any_way) {
  for (std::string_view text : {"\xEF\xBB\xBF" "data: a\rdata:b\r\r", "data: a\r\ndata:b\r\n\r\n",
                                ": comment\n\nretry: 5\ndata: a\ndata:b\n\n"}) {
    for (size_t step : {1U, 2U, 3U, 100U}) {
      auto events = decode(text, step);
      ASSERT_EQ(events.size(), 1U) << text;
      EXPECT_EQ(events[0].data, "a\nb");
    }
  }
}

TEST(ServerSentEvents, without_data_are_not_events) {
  EXPECT_TRUE(decode("event: x\n\n\n\n", 100).empty());
  EXPECT_EQ(decode("data\n\n", 100).at(0).data, "");
}

TEST(ServerSentEvents, that_grow_without_end_are_dropped) {
  SseDecoder decoder;
  std::vector<SseEvent> events;
  std::string piece(1 << 20, 'x');
  decoder.feed("data: ", events);
  for (int i = 0; i < 20; ++i) decoder.feed(piece, events);
  decoder.feed("\n\ndata: next\n\n", events);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].data, "next");
}

TEST(ServerSentEvents, decoder_takes_random_bytes) {
  Random random(7);
  SseDecoder decoder;
  std::vector<SseEvent> events;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes;
    for (uint64_t n = random.below(40); n > 0; --n) {
      static constexpr std::string_view kAlphabet = "\r\n: dataeventid\0x\xff";
      bytes += kAlphabet[random.below(kAlphabet.size())];
    }
    decoder.feed(bytes, events);
    events.clear();
  }
}

}  // namespace
}  // namespace base::http
