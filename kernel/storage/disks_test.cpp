#include "kernel/storage/disks.hpp"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "kernel/resources/proto.hpp"

namespace storage {
namespace {

using mesos::v1::ResourceProviderInfo;
using resources::Resources;

ResourceProviderInfo parsed(const std::string& text) {
  ResourceProviderInfo info;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &info));
  return info;
}

const std::string kProvider = R"(type: "org.apache.mesos.rp.local.storage" name: "local" )";
const std::string kEndpoints = R"(endpoints { csi_service: CONTROLLER_SERVICE endpoint: "unix:///a.sock" }
                                  endpoints { csi_service: NODE_SERVICE endpoint: "unix:///a.sock" } )";

ResourceProviderInfo provider() {
  return parsed("id { value: 'rp' } " + kProvider + "storage { plugin { type: 'org.example.test' name: 'p' " + kEndpoints + "} }");
}

resources::Resource disk(const std::string& text) {
  mesos::v1::Resource proto;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "name: 'disk' type: SCALAR provider_id { value: 'rp' } " + text, &proto));
  return *resources::from_proto(proto);
}

const std::string kVendor = "vendor: 'org.example.test.p' ";
const std::string kReserved = "reservations { type: DYNAMIC role: 'web' } ";

Survey survey(uint64_t megabytes, std::vector<FoundVolume> volumes = {}) {
  Survey out;
  out.free_bytes["fast"] = megabytes << 20;
  out.lists_volumes = true;
  out.volumes = std::move(volumes);
  return out;
}

TEST(Disks, are_free_space_by_profile_and_volumes_that_are_there_already) {
  std::vector<std::string> warnings;
  const Resources after = apply_survey({}, survey(100, {{"v", 7 << 20, {{"k", "x"}}}}), provider(), warnings);
  Resources wanted = disk("scalar { value: 100 } disk { source { type: RAW profile: 'fast' " + kVendor + "} }");
  wanted += disk("scalar { value: 7 } disk { source { type: RAW id: 'v' " + kVendor +
                 "metadata { labels { key: 'k' value: 'x' } } } }");
  EXPECT_EQ(after.text(), wanted.text());
  EXPECT_TRUE(after == wanted);
  EXPECT_TRUE(warnings.empty());
}

TEST(Disks, keep_what_operations_made_and_count_free_space_without_what_is_reserved_of_it) {
  Resources before = disk("scalar { value: 30 } " + kReserved + "disk { source { type: RAW profile: 'fast' " + kVendor + "} }");
  before += disk("scalar { value: 70 } disk { source { type: RAW profile: 'fast' " + kVendor + "} }");
  const auto made =
      disk("scalar { value: 20 } disk { source { type: MOUNT id: 'v' profile: 'fast' " + kVendor + "mount { root: 'm' } } }");
  before += made;
  std::vector<std::string> warnings;
  const Resources after = apply_survey(before, survey(80, {{"v", 20 << 20, {}}}), provider(), warnings);
  EXPECT_TRUE(after.contains(made));
  EXPECT_EQ(after.scalar("disk").value(), 100) << after.text();  // 30 reserved, 50 free, 20 made
  EXPECT_EQ(after.reserved().scalar("disk").value(), 30);
  EXPECT_TRUE(warnings.empty());
}

TEST(Disks, that_the_plugin_lost_are_kept_and_told_but_for_volumes_that_nobody_counts_on) {
  Resources before =
      disk("scalar { value: 20 } disk { source { type: MOUNT id: 'v' profile: 'fast' " + kVendor + "mount { root: 'm' } } }");
  before += disk("scalar { value: 5 } disk { source { type: RAW id: 'w' " + kVendor + "} }");
  std::vector<std::string> warnings;
  const Resources after = apply_survey(before, survey(0), provider(), warnings);
  EXPECT_EQ(after.scalar("disk").value(), 20);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("no longer lists volume v"), std::string::npos) << warnings[0];
}

TEST(Disks, that_are_reserved_beyond_what_there_is_are_told) {
  const Resources before = disk("scalar { value: 30 } " + kReserved + "disk { source { type: RAW profile: 'fast' " + kVendor + "} }");
  std::vector<std::string> warnings;
  EXPECT_EQ(apply_survey(before, survey(10), provider(), warnings).scalar("disk").value(), 30);
  ASSERT_EQ(warnings.size(), 1u);
  EXPECT_NE(warnings[0].find("20 MB more are reserved"), std::string::npos) << warnings[0];
}

TEST(Disks, of_a_provider_with_default_reservations_are_reserved) {
  ResourceProviderInfo info = provider();
  auto& reservation = *info.add_default_reservations();
  reservation.set_type(mesos::v1::Resource::ReservationInfo::DYNAMIC);
  reservation.set_role("web");
  std::vector<std::string> warnings;
  const Resources once = apply_survey({}, survey(10), info, warnings);
  EXPECT_EQ(once.reserved_to("web").scalar("disk").value(), 10);
  EXPECT_TRUE(apply_survey(once, survey(10), info, warnings) == once);  // not counted twice
}

TEST(Disks, are_mounted_below_a_name_that_stays_where_it_is) {
  EXPECT_EQ(target_path("/m", "vol-1"), "/m/vol-1/target");
  EXPECT_EQ(target_path("/m", "a/../b"), "/m/a%2F..%2Fb/target");
  EXPECT_EQ(target_path("/m", ".."), "/m/%../target");
}

TEST(Disks, say_where_their_plugin_has_its_mounts) {
  ResourceProviderInfo info = provider();
  const auto root = [&] {
    return made_disk({}, info, mesos::v1::Resource::DiskInfo::Source::MOUNT, "fast", "v", {}).disk().source().mount().root();
  };
  EXPECT_EQ(root(), "csi/org.example.test/p/mounts");
  EXPECT_EQ(targets_root("/agent", info), "/agent/csi/org.example.test/p/mounts");
  info.mutable_storage()->mutable_plugin()->set_target_path_root("/mnt/plugin");
  EXPECT_EQ(root(), "/mnt/plugin");
  EXPECT_EQ(targets_root("/agent", info), "/mnt/plugin");
}

TEST(Providers, are_refused_with_the_field_that_is_wrong) {
  const std::pair<std::string, const char*> cases[] = {
      {"id { value: 'x' } " + kProvider, "'id'"},
      {"type: 'other' name: 'n'", "'type'"},
      {"type: 'org.apache.mesos.rp.local.storage' name: 'a/b'", "'name'"},
      {kProvider, "'storage' must be set"},
      {kProvider + "storage { plugin { type: '../x' } }", "'storage.plugin.type'"},
      {kProvider + "storage { plugin { type: 'x' } }", "'storage.plugin.endpoints' must be set"},
      {kProvider + "storage { plugin { type: 'x' endpoints { csi_service: NODE_SERVICE endpoint: '/s' } } }", "CONTROLLER_SERVICE once"},
      {kProvider + "storage { plugin { type: 'x' endpoints { csi_service: NODE_SERVICE endpoint: 'dns:///h' } } }", "a unix socket"},
      {kProvider + "storage { plugin { type: 'x' containers { services: NODE_SERVICE } } }", "containers.command"},
  };
  for (const auto& [text, why] : cases) {
    const base::Status status = validate(parsed(text));
    ASSERT_FALSE(status) << text;
    EXPECT_NE(status.error().message.find(why), std::string::npos) << status.error().message;
  }
  EXPECT_TRUE(validate(parsed(kProvider + "storage { plugin { type: 'x' " + kEndpoints + "} }")));
}

}  // namespace
}  // namespace storage
