#include "dns/answer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "dns/config.hpp"
#include "dns/reading.hpp"

namespace dns {
namespace {

using testing::read_answer;
using testing::ReadAnswer;
using testing::ReadRecord;

class AnswerTest : public ::testing::Test {
 protected:
  AnswerTest() : options(Config().answers()) {
    a("app.marathon.mesos", "10.0.0.1");
    a("both.marathon.mesos", "10.0.0.2");
    a("both.marathon.mesos", "fd01::2");
    a("liquor-store-abcde-s0.marathon.slave.mesos", "1.2.3.11");
    srv("_liquor-store._tcp.marathon.mesos", 443, "liquor-store-abcde-s0.marathon.slave.mesos");
    srv("_liquor-store._tcp.marathon.mesos", 80, "liquor-store-abcde-s0.marathon.slave.mesos");
    a("app.marathon.autoip.dcos.thisdcos.directory", "10.0.0.9");
    a("web.marathon.l4lb.thisdcos.directory", "11.0.0.7");
    commit();
  }

  void a(const std::string& name, const std::string& address) {
    std::vector<Record> one;
    append_address(one, name, *parse_address(address));
    edit.add(one[0]);
  }
  void srv(const std::string& name, uint16_t port, const std::string& target) {
    edit.add({name, Kind::SRV, srv_data(port, target)});
  }
  void commit() {
    auto next = edit.apply(*zone);
    next->serial = 77;
    next->cluster_loaded = next->vips_loaded = true;
    zone = next;
  }

  std::string ask_raw(const std::string& request, bool udp = true) {
    Answerer answerer(options, base::Random(seed++));
    size_t size = 0;
    Query query;
    const Verdict verdict = answerer.answer(request, *zone, udp, buffer, size, query);
    last = verdict;
    return std::string(buffer.data(), size);
  }
  ReadAnswer ask(const std::string& name, uint16_t type, uint16_t payload = 0, bool udp = true) {
    const std::string answer = ask_raw(make_query(9, name, type, payload), udp);
    EXPECT_EQ(last, Verdict::Answered);
    return read_answer(answer);
  }

  AnswerOptions options;
  ZoneEdit edit;
  std::shared_ptr<const Zone> zone = std::make_shared<Zone>();
  std::vector<char> buffer = std::vector<char>(65535);
  uint64_t seed = 1;
  Verdict last = Verdict::Drop;
};

const std::string kSoaText = "ns1.mesos root.ns1.mesos 77 60 600 86400 60";

TEST_F(AnswerTest, gives_addresses_authoritatively) {
  const ReadAnswer answer = ask("app.marathon.mesos", kA);
  EXPECT_EQ(answer.rcode(), kNoError);
  EXPECT_EQ(answer.flags, kQr | kAa | kRd | kRa);
  EXPECT_EQ(answer.answer, (std::vector<ReadRecord>{{"app.marathon.mesos", kA, 60, "10.0.0.1"}}));
  EXPECT_TRUE(answer.authority.empty());
  EXPECT_EQ(ask("both.marathon.mesos", kAaaa).texts(), std::vector<std::string>{"fd01::2"});
  options.recursion_available = false;
  EXPECT_EQ(ask("app.marathon.mesos", kA).flags, kQr | kAa | kRd);
}

TEST_F(AnswerTest, gives_services_with_their_addresses_once_for_each_target) {
  const ReadAnswer answer = ask("_liquor-store._tcp.marathon.mesos", kSrv);
  auto texts = answer.texts();
  std::sort(texts.begin(), texts.end());
  EXPECT_EQ(texts, (std::vector<std::string>{"0 1 443 liquor-store-abcde-s0.marathon.slave.mesos",
                                             "0 1 80 liquor-store-abcde-s0.marathon.slave.mesos"}));
  EXPECT_EQ(answer.additional, (std::vector<ReadRecord>{
                                   {"liquor-store-abcde-s0.marathon.slave.mesos", kA, 60, "1.2.3.11"}}));
}

TEST_F(AnswerTest, says_what_is_absent_by_the_rules_of_each_type) {
  struct Case {
    std::string name;
    uint16_t type;
    int rcode;
    bool soa;
  };
  const std::vector<Case> cases = {
      {"app.marathon.mesos", kAaaa, kNoError, true},          // exists, with another type
      {"app.marathon.mesos", kSrv, kNoError, true},
      {"app.marathon.mesos", kMx, kNoError, true},
      {"_liquor-store._tcp.marathon.mesos", kA, kNoError, true},
      {"missing.mesos", kA, kNxDomain, true},
      {"missing.mesos", kAaaa, kNxDomain, true},
      {"missing.mesos", kMx, kNxDomain, true},
      {"missing.mesos", kTxt, kNxDomain, true},
      {"missing.mesos", kPtr, kNxDomain, true},
      {"_missing._tcp.mesos", kSrv, kNoError, false},         // an unknown service is no error
      {"mesos", kA, kNoError, true},
  };
  for (const Case& c : cases) {
    const ReadAnswer answer = ask(c.name, c.type);
    EXPECT_EQ(answer.rcode(), c.rcode) << c.name << " " << c.type;
    EXPECT_TRUE(answer.answer.empty());
    if (!c.soa) {
      EXPECT_TRUE(answer.authority.empty());
      continue;
    }
    EXPECT_EQ(answer.authority, (std::vector<ReadRecord>{{c.name, kSoa, 60, kSoaText}})) << c.name;
  }
}

TEST_F(AnswerTest, puts_soa_and_ns_into_authority_and_at_the_apex_into_the_answer_too) {
  for (const char* name : {"mesos", "missing.mesos", "app.marathon.mesos"}) {
    const ReadAnswer soa = ask(name, kSoa);
    EXPECT_EQ(soa.rcode(), kNoError);
    EXPECT_EQ(soa.authority, (std::vector<ReadRecord>{{name, kSoa, 60, kSoaText}}));
    EXPECT_EQ(soa.answer.size(), name == std::string("mesos") ? 1u : 0u);
    const ReadAnswer ns = ask(name, kNs);
    EXPECT_EQ(ns.rcode(), kNoError);
    EXPECT_EQ(ns.authority, (std::vector<ReadRecord>{{name, kNs, 60, "ns1.mesos"}}));
    EXPECT_EQ(ns.answer.size(), name == std::string("mesos") ? 1u : 0u);
  }
}

TEST_F(AnswerTest, any_is_everything) {
  const ReadAnswer answer = ask("both.marathon.mesos", kAny);
  EXPECT_EQ(answer.answer.size(), 2u);
  EXPECT_EQ(answer.authority.size(), 2u);
  EXPECT_EQ(ask("missing.mesos", kAny).rcode(), kNxDomain);
}

TEST_F(AnswerTest, echoes_the_spelling_of_the_question_and_drops_old_wildcards) {
  const std::string raw = ask_raw(make_query(9, "aPP.MaraThon.MESOS", kA));
  EXPECT_NE(raw.find(std::string("\x03" "aPP\x08MaraThon\x05MESOS", 19)), std::string::npos);
  EXPECT_EQ(read_answer(raw).texts(), std::vector<std::string>{"10.0.0.1"});
  EXPECT_EQ(ask("app.*.marathon.*.mesos", kA).texts(), std::vector<std::string>{"10.0.0.1"});
}

TEST_F(AnswerTest, a_label_with_a_dot_inside_is_another_name) {
  std::string request(kHeaderBytes, '\0');
  request[5] = 1;
  request += std::string("\x0c" "app.marathon\x05mesos\0\0\x01\0\x01", 24);
  EXPECT_EQ(read_answer(ask_raw(request)).rcode(), kNxDomain);
}

TEST_F(AnswerTest, leaves_the_names_of_others_to_others) {
  for (const char* name : {"example.com", "notmesos", "mesos.example", "directory", "com"}) {
    ask_raw(make_query(1, name, kA));
    EXPECT_EQ(last, Verdict::Forward) << name;
  }
}

TEST_F(AnswerTest, refuses_what_it_does_not_speak) {
  std::string chaos = make_query(1, "app.marathon.mesos", kTxt);
  chaos.back() = 3;
  EXPECT_EQ(read_answer(ask_raw(chaos)).rcode(), kRefused);
  std::string version = make_query(1, "app.marathon.mesos", kA, 1232);
  version[version.size() - 5] = 1;
  const ReadAnswer bad = read_answer(ask_raw(version));
  EXPECT_EQ(bad.extended_rcode, 1) << "BADVERS";
  EXPECT_EQ(bad.rcode(), 0);
  EXPECT_TRUE(bad.answer.empty());
  std::string notify = make_query(1, "mesos", kSoa);
  notify[2] = 4 << 3;
  EXPECT_EQ(read_answer(ask_raw(notify)).rcode(), kNotImp);
}

TEST_F(AnswerTest, mirrors_the_zone_below_the_directory) {
  EXPECT_EQ(ask("app.marathon.mesos.thisdcos.directory", kA).answer,
            (std::vector<ReadRecord>{{"app.marathon.mesos.thisdcos.directory", kA, 5, "10.0.0.1"}}));
  const ReadAnswer srv = ask("_liquor-store._tcp.marathon.mesos.thisdcos.global", kSrv);
  ASSERT_EQ(srv.answer.size(), 2u);
  EXPECT_NE(srv.answer[0].text.find("liquor-store-abcde-s0.marathon.slave.mesos.thisdcos.global"), std::string::npos);
  EXPECT_EQ(srv.answer[0].text.substr(0, 4), "1 1 ");
  ASSERT_EQ(srv.additional.size(), 1u);
  EXPECT_EQ(srv.additional[0].owner, "liquor-store-abcde-s0.marathon.slave.mesos.thisdcos.global");
  EXPECT_EQ(ask("app.marathon.autoip.dcos.thisdcos.global", kA).texts(), std::vector<std::string>{"10.0.0.9"});
  for (const char* name : {"web.marathon.l4lb.thisdcos.directory", "web.marathon.dclb.thisdcos.directory",
                           "web.marathon.l4lb.thisdcos.global"}) {
    EXPECT_EQ(ask(name, kA).answer, (std::vector<ReadRecord>{{name, kA, 5, "11.0.0.7"}}));
  }
  EXPECT_EQ(ask("other.thisdcos.directory", kA).rcode(), kNxDomain);
}

TEST_F(AnswerTest, before_the_state_is_known_nothing_is_denied) {
  zone = std::make_shared<Zone>();
  EXPECT_EQ(ask("app.marathon.mesos", kA).rcode(), kServFail);
  EXPECT_EQ(ask("app.marathon.autoip.dcos.thisdcos.directory", kA).rcode(), kServFail);
  Config config;
  config.l4lb = "127.0.0.1:62080";
  options = config.answers();
  EXPECT_EQ(ask("web.marathon.l4lb.thisdcos.directory", kA).rcode(), kServFail);
}

class BigAnswerTest : public AnswerTest {
 protected:
  BigAnswerTest() {
    for (int i = 0; i < 100; ++i) {
      const std::string target = "big-" + std::to_string(i) + ".marathon.mesos";
      a("big.marathon.mesos", "10.1.0." + std::to_string(i));
      a(target, "10.1.0." + std::to_string(i));
      srv("_big._tcp.marathon.mesos", static_cast<uint16_t>(1000 + i), target);
    }
    for (int i = 0; i < 8; ++i) {
      const std::string target = "few-" + std::to_string(i) + ".marathon.mesos";
      a(target, "10.2.0." + std::to_string(i));
      a(target, "fd02::" + std::to_string(i));
      srv("_few._tcp.marathon.mesos", static_cast<uint16_t>(1000 + i), target);
    }
    commit();
  }
};

TEST_F(BigAnswerTest, is_cut_to_what_the_client_takes) {
  const ReadAnswer classic = ask("big.marathon.mesos", kA);
  EXPECT_TRUE(classic.truncated());
  EXPECT_EQ(classic.answer.size(), (512u - 12 - 24) / 16);
  EXPECT_LE(ask_raw(make_query(1, "big.marathon.mesos", kA)).size(), 512u);
  EXPECT_LE(ask_raw(make_query(1, "big.marathon.mesos", kA, 4096)).size(), 1232u);
  EXPECT_GT(ask_raw(make_query(1, "big.marathon.mesos", kA, 4096)).size(), 1200u);
  EXPECT_LE(ask_raw(make_query(1, "big.marathon.mesos", kA, 10)).size(), 512u);
  const ReadAnswer tcp = ask("big.marathon.mesos", kA, 0, false);
  EXPECT_FALSE(tcp.truncated());
  EXPECT_EQ(tcp.answer.size(), 100u);
}

TEST_F(BigAnswerTest, loses_all_of_its_additional_section_first) {
  const ReadAnswer answer = ask("_few._tcp.marathon.mesos", kSrv);
  EXPECT_EQ(answer.answer.size(), 8u);
  EXPECT_TRUE(answer.additional.empty());
  EXPECT_TRUE(answer.truncated());
  const ReadAnswer larger = ask("_few._tcp.marathon.mesos", kSrv, 1232);
  EXPECT_EQ(larger.additional.size(), 16u);
  EXPECT_FALSE(larger.truncated());
  EXPECT_TRUE(larger.has_opt);
}

TEST_F(BigAnswerTest, says_nothing_of_the_cut_to_clients_without_tcp) {
  options.set_truncate_bit = false;
  const ReadAnswer answer = ask("big.marathon.mesos", kA);
  EXPECT_FALSE(answer.truncated());
  EXPECT_LT(answer.answer.size(), 100u);
}

TEST_F(BigAnswerTest, begins_with_any_of_the_records) {
  std::set<std::string> first;
  for (int i = 0; i < 600; ++i) first.insert(ask("big.marathon.mesos", kA).answer[0].text);
  EXPECT_GT(first.size(), 80u) << "a fair shuffle misses few of a hundred in six hundred tries";
}

}  // namespace
}  // namespace dns
