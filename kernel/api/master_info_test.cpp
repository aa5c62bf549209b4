#include "kernel/api/master_info.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"

namespace api {
namespace {

TEST(MasterInfo, is_read_as_other_masters_write_it) {
  const auto info = parse_master_info(
      "json.info",
      R"({"address":{"hostname":"m1","ip":"10.0.0.1","port":5050},"capabilities":[{"type":"AGENT_UPDATE"},{"type":"NEWER"}],)"
      R"("hostname":"m1","id":"8c","ip":16777226,"pid":"master@10.0.0.1:5050","port":5050,"version":"1.11.0"})");
  ASSERT_TRUE(info.has_value()) << info.error().message;
  EXPECT_EQ(master_address(*info), "10.0.0.1:5050");
  EXPECT_EQ(master_name(*info), "m1:5050");

  const auto old = parse_master_info("json.info", R"({"id":"x","ip":16777226,"port":5051,"hostname":""})");
  ASSERT_TRUE(old.has_value()) << old.error().message;
  EXPECT_EQ(master_address(*old), "10.0.0.1:5051");
  EXPECT_EQ(master_name(*old), "10.0.0.1:5051");

  EXPECT_EQ(master_address(parse_master_info("", "master@192.168.1.2:5050").value()), "192.168.1.2:5050");
  EXPECT_EQ(master_address(parse_master_info("info", info->SerializeAsString()).value()), "10.0.0.1:5050");
}

TEST(MasterInfo, is_written_as_clients_read_it) {
  mesos::v1::MasterInfo info;
  info.set_id("8c");
  info.set_ip(16777226);
  info.set_port(5050);
  info.set_pid("master@10.0.0.1:5050");
  info.set_hostname("m1");
  info.set_version("1.12.0");
  info.mutable_address()->set_hostname("m1");
  info.mutable_address()->set_ip("10.0.0.1");
  info.mutable_address()->set_port(5050);
  info.add_capabilities()->set_type(mesos::v1::MasterInfo::Capability::AGENT_UPDATE);
  EXPECT_EQ(render_master_info(info),
            R"({"id":"8c","ip":16777226,"port":5050,"pid":"master@10.0.0.1:5050","hostname":"m1","version":"1.12.0",)"
            R"("address":{"hostname":"m1","ip":"10.0.0.1","port":5050},"capabilities":[{"type":"AGENT_UPDATE"}]})");
}

TEST(MasterInfo, that_makes_no_sense_is_refused) {
  for (const auto& [label, data] : std::initializer_list<std::pair<const char*, const char*>>{
           {"json.info", ""}, {"json.info", "{}"}, {"json.info", "[]"}, {"info", "xx"}, {"", ""}, {"", "master@:"},
           {"", "master@1.2.3.4:99999"}, {"json.info", R"({"id":"x","ip":1,"port":0})"}, {"other", "{}"}}) {
    EXPECT_FALSE(parse_master_info(label, data).has_value()) << label << " " << data;
  }
  base::Random random(8);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes;
    for (uint64_t n = random.below(30); n > 0; --n) bytes.push_back(static_cast<char>(random.below(256)));
    for (const char* label : {"json.info", "info", ""}) (void)parse_master_info(label, bytes).has_value();
  }
}

}  // namespace
}  // namespace api
