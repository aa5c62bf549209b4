#include "dns/forward.hpp"

#include <gtest/gtest.h>

#include "dns/reading.hpp"

namespace dns {
namespace {

std::string answer_to(const std::string& request, uint32_t ttl, uint8_t rcode = kNoError) {
  Query query;
  EXPECT_EQ(parse_query(request, query), Parsed::Ok);
  char buffer[4096];
  MessageWriter writer(buffer, sizeof buffer);
  writer.raw(request.substr(0, query.question_end));
  writer.record(kHeaderBytes, kA, ttl, "\x0a\x01\x01\x01");
  std::string answer(buffer, writer.size());
  write_u16(answer.data() + 2, static_cast<uint16_t>(kQr | kRd | kRa | rcode));
  write_u16(answer.data() + 6, 1);
  write_u16(answer.data() + 10, 0);
  return answer;
}

Query query_of(const std::string& request) {
  Query query;
  EXPECT_EQ(parse_query(request, query), Parsed::Ok);
  return query;
}

TEST(Forwarding, asks_the_resolvers_of_the_longest_zone) {
  const Endpoint general = *parse_endpoint("8.8.8.8", 53), com = *parse_endpoint("10.0.0.1:5353", 53),
                 sub = *parse_endpoint("[fd01::1]:54", 53);
  ForwardRules rules{true, {general}, {{"com", {com}}, {"abc.com", {sub}}}};
  EXPECT_EQ(rules.upstreams("x.abc.com"), std::vector<Endpoint>{sub});
  EXPECT_EQ(rules.upstreams("abc.com"), std::vector<Endpoint>{sub});
  EXPECT_EQ(rules.upstreams("xabc.com"), std::vector<Endpoint>{com});
  EXPECT_EQ(rules.upstreams("example.org"), std::vector<Endpoint>{general});
  rules.external = false;
  EXPECT_TRUE(rules.upstreams("example.org").empty());
  EXPECT_EQ(rules.upstreams("a.com"), std::vector<Endpoint>{com}) << "zones of their own are asked for still";
}

TEST(Forwarding, takes_only_answers_to_the_question) {
  const std::string request = make_query(7, "Example.com", kA);
  EXPECT_TRUE(answers_request(answer_to(request, 60), request));
  EXPECT_TRUE(answers_request(answer_to(make_query(7, "example.com", kA), 60), request));
  EXPECT_FALSE(answers_request(answer_to(make_query(8, "example.com", kA), 60), request));
  EXPECT_FALSE(answers_request(answer_to(make_query(7, "example.org", kA), 60), request));
  EXPECT_FALSE(answers_request(answer_to(make_query(7, "example.com", kAaaa), 60), request));
  EXPECT_FALSE(answers_request(request, request));
  EXPECT_FALSE(answers_request("", request));
}

TEST(Forwarding, cuts_answers_to_size_and_sets_the_bit_by_choice) {
  const std::string answer = answer_to(make_query(7, "example.com", kA), 60);
  EXPECT_EQ(fit_answer(answer, 512, true), answer);
  const auto cut = testing::read_answer(fit_answer(answer, 30, true));
  EXPECT_TRUE(cut.truncated());
  EXPECT_TRUE(cut.answer.empty());
  EXPECT_FALSE(testing::read_answer(fit_answer(answer, 30, false)).truncated());
}

TEST(Cache, gives_answers_back_in_the_asker_s_spelling_with_reduced_ttls) {
  AnswerCache cache({});
  const base::Instant start{base::seconds(100)};
  const std::string request = make_query(7, "example.com", kA);
  cache.put(query_of(request), answer_to(request, 60), start);
  const std::string again = make_query(8, "eXample.COM", kA);
  const auto kept = cache.find(query_of(again), again, start + base::seconds(25));
  ASSERT_TRUE(kept);
  const auto read = testing::read_answer(*kept);
  EXPECT_EQ(read.id, 8);
  ASSERT_EQ(read.answer.size(), 1u);
  EXPECT_EQ(read.answer[0].ttl, 35u);
  EXPECT_NE(kept->find("eXample"), std::string::npos);
  EXPECT_FALSE(cache.find(query_of(again), again, start + base::seconds(60)));
  EXPECT_EQ(cache.size(), 0u);
}

TEST(Cache, keeps_apart_what_may_differ) {
  AnswerCache cache({});
  const std::string request = make_query(7, "example.com", kA);
  cache.put(query_of(request), answer_to(request, 60), {});
  const std::string other_type = make_query(7, "example.com", kAaaa), edns = make_query(7, "example.com", kA, 1232);
  std::string no_recursion = request;
  no_recursion[2] = 0;
  for (const std::string& other : {other_type, edns, no_recursion}) EXPECT_FALSE(cache.find(query_of(other), other, {}));
}

TEST(Cache, does_not_keep_what_must_not_be_kept) {
  AnswerCache cache({});
  const std::string request = make_query(7, "example.com", kA);
  const Query query = query_of(request);
  cache.put(query, answer_to(request, 0), {});
  cache.put(query, answer_to(request, 60, kServFail), {});
  std::string truncated = answer_to(request, 60);
  truncated[2] = static_cast<char>(truncated[2] | 2);
  cache.put(query, truncated, {});
  std::string garbled = answer_to(request, 60);
  garbled.pop_back();
  cache.put(query, garbled, {});
  std::string negative = error_answer(request, kNxDomain);
  cache.put(query, negative, {});
  EXPECT_EQ(cache.size(), 0u);
  cache.put(query, answer_to(request, 4'000'000), {});
  EXPECT_FALSE(cache.find(query, request, base::Instant{base::minutes(61)})) << "an hour at the most";
}

TEST(Cache, stays_within_its_size_and_drops_what_was_not_used) {
  AnswerCache cache({.max_bytes = 20'000});
  const std::string first = make_query(1, "first.example", kA);
  cache.put(query_of(first), answer_to(first, 60), {});
  for (int i = 0; i < 1000; ++i) {
    const std::string request = make_query(1, "n" + std::to_string(i) + ".example", kA);
    cache.put(query_of(request), answer_to(request, 60), {});
    EXPECT_TRUE(cache.find(query_of(first), first, {}));
    EXPECT_LE(cache.bytes(), 20'000u);
  }
  EXPECT_GT(cache.size(), 20u);
  const std::string old = make_query(1, "n0.example", kA);
  EXPECT_FALSE(cache.find(query_of(old), old, {}));
}

}  // namespace
}  // namespace dns
