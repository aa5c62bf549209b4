#include "kernel/storage/profiles.hpp"

#include <gtest/gtest.h>

namespace storage {
namespace {

constexpr const char* kMatrix = R"({"profile_matrix": {
  "fast": {
    "csi_plugin_type_selector": {"plugin_type": "org.example.lvm"},
    "volume_capabilities": {"mount": {"fs_type": "xfs", "mount_flags": ["noatime"]}, "access_mode": {"mode": "SINGLE_NODE_WRITER"}},
    "create_parameters": {"kind": "ssd"}},
  "whole": {
    "resource_provider_selector": {"resource_providers": [{"type": "org.apache.mesos.rp.local.storage", "name": "a"}]},
    "volume_capabilities": {"block": {}, "access_mode": {"mode": "SINGLE_NODE_WRITER"}}}}})";

mesos::v1::ResourceProviderInfo provider(const std::string& name, const std::string& plugin) {
  mesos::v1::ResourceProviderInfo info;
  info.set_type("org.apache.mesos.rp.local.storage");
  info.set_name(name);
  info.mutable_storage()->mutable_plugin()->set_type(plugin);
  return info;
}

TEST(Profiles, are_read_as_operators_of_the_original_write_them) {
  const auto profiles = parse_profiles(kMatrix);
  ASSERT_TRUE(profiles) << profiles.error().message;
  const Profile& fast = profiles->at("fast");
  EXPECT_EQ(fast.capability.mount().fs_type(), "xfs");
  EXPECT_EQ(fast.capability.mount().mount_flags(0), "noatime");
  EXPECT_EQ(fast.capability.access_mode().mode(), csi::v1::VolumeCapability::AccessMode::SINGLE_NODE_WRITER);
  EXPECT_EQ(fast.parameters.at("kind"), "ssd");
  EXPECT_TRUE(profiles->at("whole").capability.has_block());
}

TEST(Profiles, are_for_a_type_of_plugins_or_for_named_providers) {
  const auto profiles = parse_profiles(kMatrix);
  ASSERT_TRUE(profiles);
  EXPECT_EQ(profiles_for(*profiles, provider("b", "org.example.lvm")).size(), 1u);
  EXPECT_EQ(profiles_for(*profiles, provider("a", "org.example.lvm")).size(), 2u);
  EXPECT_EQ(profiles_for(*profiles, provider("b", "org.example.other")).size(), 0u);
}

TEST(Profiles, that_are_wrong_are_refused_with_the_place) {
  const std::pair<const char*, const char*> cases[] = {
      {"{}", "profile_matrix"},
      {R"({"profile_matrix": {"p": 1}})", "profile 'p': must be an object"},
      {R"({"profile_matrix": {"p": {}}})", "profile 'p': needs one of csi_plugin_type_selector"},
      {R"({"profile_matrix": {"p": {"csi_plugin_type_selector": {"plugin_type": "x"}}}})", "needs one of mount and block"},
      {R"({"profile_matrix": {"p": {"csi_plugin_type_selector": {"plugin_type": "x"},
          "volume_capabilities": {"mount": {}, "access_mode": {"mode": "SOMETIMES"}}}}})", "'SOMETIMES'"},
      {R"({"profile_matrix": {"p": {"csi_plugin_type_selector": {"plugin_type": "x"},
          "volume_capabilities": {"mount": {}, "access_mode": {"mode": "SINGLE_NODE_WRITER"}},
          "create_parameters": {"n": 1}}}})", "create_parameters.n must be a string"},
  };
  for (const auto& [text, why] : cases) {
    const auto profiles = parse_profiles(text);
    ASSERT_FALSE(profiles) << text;
    EXPECT_NE(profiles.error().message.find(why), std::string::npos) << profiles.error().message;
  }
}

}  // namespace
}  // namespace storage
