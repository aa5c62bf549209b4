#include "l4lb/wire.hpp"

#include <gtest/gtest.h>

#include "l4lb/seal.hpp"

namespace l4lb {
namespace {

std::vector<Frame> all_frames() {
  const Endpoint at{*parse_address("10.0.0.1"), 62501}, at6{*parse_address("fd00::1"), 1};
  Digest digest;
  digest.members = 7;
  digest.buckets[3] = UINT64_MAX;
  Entry entry{{"web.marathon.l4lb.thisdcos.directory", Protocol::Udp, 80}, 12345, {}, 9};
  entry.backends.push_back({{*parse_address("9.0.0.2"), 31000}, *parse_address("10.0.0.1"), 1});
  entry.backends.push_back({{*parse_address("10.0.0.1"), 31001}, *parse_address("10.0.0.1"), 0});
  return {Ping{1, 2, true},
          Ack{UINT32_MAX},
          Nack{0},
          PingRequest{7, 9, at6},
          Gossip{{5, at, 3, MemberState::Suspect, 6, at.address, "host"}},
          Sync{{5, at6, 300, MemberState::Dead, 0, at6.address, ""}},
          digest,
          MembersWanted{},
          Owners{63, 0, UINT64_MAX, {{1, 2}, {3, UINT64_MAX}}},
          Pull{1, 128, 127},
          Chunk{4, 8, 10, 3, true, {entry, {{"1.2.3.4", Protocol::Tcp, 1}, 0, {}, 10}}}};
}

TEST(Wire, every_frame_survives_the_way) {
  const auto frames = all_frames();
  const auto back = decode_frames(encode_frames(frames));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, frames);
}

TEST(Wire, nothing_that_is_cut_or_changed_in_kind_decodes_to_something_else) {
  const std::string bytes = encode_frames(all_frames());
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto back = decode_frames(bytes.substr(0, i));
    if (back) {
      EXPECT_EQ(encode_frames(*back), bytes.substr(0, i));
    }
  }
  EXPECT_FALSE(decode_frames(std::string(kMaxDatagram + 1, '\0')));
  EXPECT_FALSE(decode_frames(std::string(1, '\x0b')));
}

TEST(Wire, names_that_are_no_names_are_refused) {
  for (const char* host : {"a b", "a}b", "A", "a;b", "a\"", "", "a\n"}) {
    const Entry entry{{host, Protocol::Tcp, 1}, 0, {}, 1};
    EXPECT_FALSE(decode_entry(encode_entry(entry))) << host;
  }
}

Key key_of(char c) { return *parse_key(std::string(64, c)); }

TEST(Seal, opens_what_another_of_the_cluster_closed_once) {
  Seal a(key_of('1'), 1, 1, 5), b(key_of('1'), 2, 1, 6);
  const std::string first = a.close("hello"), second = a.close("");
  EXPECT_EQ(first.find("hello"), std::string::npos);
  auto opened = b.open(second);
  ASSERT_TRUE(std::holds_alternative<Seal::Opened>(opened));
  opened = b.open(first);  // late, but new
  ASSERT_TRUE(std::holds_alternative<Seal::Opened>(opened));
  EXPECT_EQ(std::get<Seal::Opened>(opened).plain, "hello");
  EXPECT_EQ(std::get<Seal::Opened>(opened).sender, 1U);
  EXPECT_EQ(std::get<Seal::Refusal>(b.open(first)), Seal::Refusal::Replayed);
  EXPECT_EQ(std::get<Seal::Refusal>(b.open(second)), Seal::Refusal::Replayed);
}

TEST(Seal, refuses_other_keys_changed_bytes_and_nonsense) {
  Seal a(key_of('1'), 1, 1, 5), other(key_of('2'), 2, 1, 6);
  const std::string bytes = a.close("hello");
  EXPECT_EQ(std::get<Seal::Refusal>(other.open(bytes)), Seal::Refusal::WrongKey);
  Seal b(key_of('1'), 2, 1, 6);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string bad = bytes;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_TRUE(std::holds_alternative<Seal::Refusal>(b.open(bad))) << i;
    EXPECT_TRUE(std::holds_alternative<Seal::Refusal>(b.open(bytes.substr(0, i)))) << i;
  }
  EXPECT_TRUE(std::holds_alternative<Seal::Opened>(b.open(bytes)));
}

TEST(Seal, takes_nothing_of_an_earlier_life_of_the_sender) {
  Seal old(key_of('1'), 1, 1, 5), later(key_of('1'), 1, 2, 9), b(key_of('1'), 2, 1, 6);
  const std::string before = old.close("old"), kept = old.close("kept back");
  EXPECT_TRUE(std::holds_alternative<Seal::Opened>(b.open(before)));
  EXPECT_TRUE(std::holds_alternative<Seal::Opened>(b.open(later.close("new"))));
  EXPECT_EQ(std::get<Seal::Refusal>(b.open(kept)), Seal::Refusal::Replayed);
}

TEST(Seal, remembers_a_window_of_counters) {
  Seal a(key_of('1'), 1, 1, 5), b(key_of('1'), 2, 1, 6);
  std::vector<std::string> sent;
  for (int i = 0; i < 5000; ++i) sent.push_back(a.close("x"));
  EXPECT_TRUE(std::holds_alternative<Seal::Opened>(b.open(sent[4999])));
  EXPECT_TRUE(std::holds_alternative<Seal::Opened>(b.open(sent[1000])));
  EXPECT_EQ(std::get<Seal::Refusal>(b.open(sent[1000])), Seal::Refusal::Replayed);
  EXPECT_EQ(std::get<Seal::Refusal>(b.open(sent[10])), Seal::Refusal::Replayed);  // too old to know
}

TEST(Seal, keys_are_64_digits) {
  EXPECT_TRUE(parse_key(std::string(64, 'A') + "\n"));
  EXPECT_FALSE(parse_key(std::string(63, 'a')));
  EXPECT_FALSE(parse_key(std::string(64, 'g')));
  EXPECT_NE(fingerprint(key_of('1')), fingerprint(key_of('2')));
}

}  // namespace
}  // namespace l4lb
