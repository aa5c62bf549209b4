#include "dns/message.hpp"

#include <gtest/gtest.h>

namespace dns {
namespace {

TEST(Query, is_read_with_its_name_in_lower_case) {
  const std::string message = make_query(7, "App.Marathon.MESOS", kSrv, 4096);
  Query query;
  ASSERT_EQ(parse_query(message, query), Parsed::Ok);
  EXPECT_EQ(query.id, 7);
  EXPECT_EQ(query.name.view(), "app.marathon.mesos");
  EXPECT_TRUE(query.name.plain);
  EXPECT_EQ(query.type, kSrv);
  EXPECT_EQ(query.klass, kIn);
  EXPECT_TRUE(query.edns);
  EXPECT_EQ(query.payload, 4096);
  EXPECT_EQ(query.question_end, message.size() - 11);
}

TEST(Query, that_is_malformed_is_told_apart_from_what_must_not_be_answered) {
  const std::string good = make_query(7, "a.mesos", kA);
  Query query;
  EXPECT_EQ(parse_query(good.substr(0, 11), query), Parsed::Drop);
  std::string answer = good;
  answer[2] = static_cast<char>(0x80);
  EXPECT_EQ(parse_query(answer, query), Parsed::Drop);
  std::string update = good;
  update[2] = 5 << 3;
  EXPECT_EQ(parse_query(update, query), Parsed::NotImp);
  for (size_t size = kHeaderBytes; size < good.size(); ++size) {
    EXPECT_EQ(parse_query(good.substr(0, size), query), Parsed::FormErr) << size;
  }
  std::string two = good;
  two[5] = 2;
  EXPECT_EQ(parse_query(two, query), Parsed::FormErr);
  std::string cut_opt = make_query(7, "a.mesos", kA, 1232);
  cut_opt.pop_back();
  EXPECT_EQ(parse_query(cut_opt, query), Parsed::FormErr);
}

TEST(Names, with_pointers_are_read_and_loops_end) {
  std::string message(kHeaderBytes, '\0');
  message += encode_name("mesos");                       // at 12
  const size_t at_pointer = message.size();
  message += std::string("\x01" "a\xc0\x0c", 4);
  size_t at = at_pointer;
  Name name;
  ASSERT_TRUE(read_name(message, at, name));
  EXPECT_EQ(name.view(), "a.mesos");
  EXPECT_EQ(at, message.size());
  // A pointer to itself, to a later place, to each other, into the header.
  for (const std::string& bad : {std::string("\xc0\x0c", 2), std::string("\xc0\x0e\xc0\x0c", 4), std::string("\x01" "a\xc0\x0c", 4),
                                 std::string("\xc0\x00", 2), std::string("\xc0", 1), std::string("\x40" "a", 2),
                                 std::string("\x80" "a", 2)}) {
    std::string loop(kHeaderBytes, '\0');
    loop += bad;
    at = kHeaderBytes;
    EXPECT_FALSE(read_name(loop, at, name));
  }
}

TEST(Names, longer_than_the_wire_allows_are_refused_however_they_are_made) {
  std::string message(kHeaderBytes, '\0');
  for (int i = 0; i < 8; ++i) message += std::string(1, 31) + std::string(31, 'a');
  message += '\0';
  size_t at = kHeaderBytes;
  Name name;
  EXPECT_FALSE(read_name(message, at, name)) << "257 bytes";
  at = kHeaderBytes;
  EXPECT_FALSE(skip_name(message, at));
  // 64 KiB of labels.
  std::string huge(kHeaderBytes, '\0');
  while (huge.size() < 65'000) huge += std::string(1, 63) + std::string(63, 'a');
  at = kHeaderBytes;
  EXPECT_FALSE(read_name(huge, at, name));
  Query query;
  huge[5] = 1;
  EXPECT_EQ(parse_query(huge, query), Parsed::FormErr);
  // Pointers that make a long name of short pieces.
  std::string ladder(kHeaderBytes, '\0');
  ladder += std::string(1, 63) + std::string(63, 'a') + '\0';
  size_t before = kHeaderBytes;
  for (int i = 0; i < 6; ++i) {
    const size_t here = ladder.size();
    ladder += std::string(1, 63) + std::string(63, 'b') + static_cast<char>(0xc0 | before >> 8) + static_cast<char>(before & 255);
    before = here;
  }
  at = before;
  EXPECT_FALSE(read_name(ladder, at, name));
}

TEST(Names, with_other_bytes_are_marked) {
  std::string message(kHeaderBytes, '\0');
  message += std::string("\x03" "a.b\x05mesos\0", 11);
  size_t at = kHeaderBytes;
  Name name;
  ASSERT_TRUE(read_name(message, at, name));
  EXPECT_FALSE(name.plain) << "a dot inside a label is not a border between labels";
}

TEST(Writer, leaves_out_what_does_not_fit) {
  char buffer[64];
  MessageWriter writer(buffer, 30);
  EXPECT_TRUE(writer.record(12, kA, 60, "\x0a\x01\x01\x01"));
  const size_t size = writer.size();
  EXPECT_EQ(size, 16u);
  EXPECT_FALSE(writer.record(12, kA, 60, "\x0a\x01\x01\x01"));
  EXPECT_EQ(writer.size(), size);
  writer.reserve_tail(11);
  EXPECT_FALSE(writer.raw("xxxx"));
  writer.reserve_tail(0);
  EXPECT_TRUE(writer.opt(1232, 0, false));
}

}  // namespace
}  // namespace dns
