#include "dns/names.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"

namespace dns {
namespace {

std::string dashes(size_t n) { return std::string(n, '-'); }

TEST(Labels, are_sanitised_by_the_rules_of_either_standard) {
  struct Case {
    std::string text, rfc1123, rfc952;
  };
  const std::vector<Case> cases = {
      {"4abc123", "4abc123", "abc123"},
      {"-4abc123", "4abc123", "abc123"},
      {"fd%gsf---gs7-f$gs--d7fddg-123", "fdgsf---gs7-fgs--d7fddg-123", "fdgsf---gs7-fgs--d7fddg1"},
      {"89fdgsf---gs7-fgs--d7fddg-123", "89fdgsf---gs7-fgs--d7fddg-123", "fdgsf---gs7-fgs--d7fddg1"},
      {"89fdgsf---gs7-fgs--d7fddg---123", "89fdgsf---gs7-fgs--d7fddg---123", "fdgsf---gs7-fgs--d7fddg1"},
      {"89fdgsf---gs7-fgs--d7fddg-", "89fdgsf---gs7-fgs--d7fddg", "fdgsf---gs7-fgs--d7fddg"},
      {"chronos with a space AND MIXED CASE-2.0.1", "chronoswithaspaceandmixedcase-2-0-1", "chronoswithaspaceandmixe"},
      {"a.c.d_de.", "a-c-d-de", "a-c-d-de"},
      {"---a---b", "a---b", "a---b"},
      {"hello" + dashes(56) + "f", "hello" + dashes(56) + "f", "hellof"},
      {"hello" + dashes(58) + "f", "hellof", "hellof"},
      {"", "", ""},
      {"$%/ ", "", ""},
      {"-----", "", ""},
      {"\xc3\xa4pfel/Name", "pfelname", "pfelname"},
      {std::string(80, 'x'), std::string(63, 'x'), std::string(24, 'x')},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(sanitize_label(c.text, LabelRules::Rfc1123), c.rfc1123) << c.text;
    EXPECT_EQ(sanitize_label(c.text, LabelRules::Rfc952), c.rfc952) << c.text;
  }
}

TEST(Labels, of_domains_keep_their_dots_and_lose_empty_parts) {
  EXPECT_EQ(sanitize_domain("(@ host . com", LabelRules::Rfc1123), "host.com");
  EXPECT_EQ(sanitize_domain("marathon.prod", LabelRules::Rfc1123), "marathon.prod");
  EXPECT_EQ(sanitize_domain("a..c", LabelRules::Rfc1123), "a.c");
  EXPECT_EQ(sanitize_domain("pod_123$abc.marathon-0.6.0-dev.mesos", LabelRules::Rfc1123),
            "pod-123abc.marathon-0.6.0-dev.mesos");
  EXPECT_EQ(sanitize_domain("pod_123$abc.marathon-0.6.0-dev.mesos", LabelRules::Rfc952),
            "pod-123abc.marathon-0.dev.mesos");
  EXPECT_EQ(sanitize_domain("...", LabelRules::Rfc1123), "");
}

TEST(Labels, are_always_valid_whatever_the_text) {
  base::Random random(3);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (uint64_t n = random.below(90); n > 0; --n) {
      text.push_back(random.chance(0.5) ? "-._aZ09 "[random.below(8)] : static_cast<char>(random.below(256)));
    }
    for (const LabelRules rules : {LabelRules::Rfc1123, LabelRules::Rfc952}) {
      const std::string label = sanitize_label(text, rules);
      EXPECT_TRUE(label.empty() || is_valid_name(label)) << text;
      EXPECT_TRUE(label.empty() || (label.front() != '-' && label.back() != '-')) << text;
      EXPECT_EQ(sanitize_label(label, rules), label) << "sanitising again changes nothing";
    }
  }
}

TEST(Labels, of_tasks_carry_a_hash_of_the_id_and_the_tail_of_the_agent) {
  EXPECT_EQ(hash_label("test"), "iffe9");
  EXPECT_EQ(agent_tail("20140803-194712-3041283216-5050-2116-S3"), "s3");
  EXPECT_EQ(agent_tail("20140803-194712-3041283216-5050-2116-0"), "0");
  EXPECT_EQ(agent_tail("plain"), "plain");
}

TEST(Names, are_valid_within_the_limits_of_the_wire) {
  EXPECT_TRUE(is_valid_name("_http._tcp.app.marathon.mesos"));
  EXPECT_TRUE(is_valid_name(std::string(63, 'a') + ".mesos"));
  EXPECT_FALSE(is_valid_name(std::string(64, 'a') + ".mesos"));
  EXPECT_FALSE(is_valid_name(""));
  EXPECT_FALSE(is_valid_name("a..b"));
  EXPECT_FALSE(is_valid_name("a."));
  EXPECT_FALSE(is_valid_name("A.b"));
  EXPECT_FALSE(is_valid_name("a b"));
  std::string longest;
  while (longest.size() < 250) longest += "a.";
  EXPECT_TRUE(is_valid_name(longest + "aaa"));
  EXPECT_FALSE(is_valid_name(longest + "aaaa"));
}

}  // namespace
}  // namespace dns
