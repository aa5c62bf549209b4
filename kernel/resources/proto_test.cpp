#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "kernel/resources/proto.hpp"

namespace resources {
namespace {

using Proto = mesos::v1::Resource;

Proto proto(const std::string& text) {
  Proto out;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &out)) << text;
  return out;
}

std::string error_of(const std::string& text) {
  auto status = validate(proto(text));
  return status ? "no error" : status.error().message;
}

const std::string kCpus = "name: 'cpus' type: SCALAR scalar { value: 1 } ";
const std::string kDisk = "name: 'disk' type: SCALAR scalar { value: 1 } ";

TEST(Formats, are_three_ways_to_write_the_same) {
  const Resource fromPre = *from_proto(proto(kCpus + "role: 'web' reservation { principal: 'p' }"));
  const Resource fromPost = *from_proto(proto(kCpus + "reservations { type: DYNAMIC role: 'web' principal: 'p' }"));
  const Resource fromBoth = *from_proto(proto(
      kCpus + "role: 'web' reservation { principal: 'p' } reservations { type: DYNAMIC role: 'web' principal: 'p' }"));
  EXPECT_EQ(fromPre, fromPost);
  EXPECT_EQ(fromPre, fromBoth);

  const Proto pre = to_proto(fromPre, Format::Pre);
  EXPECT_EQ(pre.role(), "web");
  EXPECT_EQ(pre.reservation().principal(), "p");
  EXPECT_EQ(pre.reservations_size(), 0);
  const Proto post = to_proto(fromPre, Format::Post);
  EXPECT_FALSE(post.has_role());
  EXPECT_FALSE(post.has_reservation());
  EXPECT_EQ(post.reservations(0).role(), "web");
  const Proto endpoint = to_proto(fromPre, Format::Endpoint);
  EXPECT_TRUE(endpoint.has_role() && endpoint.has_reservation() && endpoint.reservations_size() == 1);
}

TEST(Formats, write_unreserved_and_static_resources) {
  const Resource unreserved = *from_proto(proto(kCpus));
  EXPECT_FALSE(to_proto(unreserved, Format::Post).has_role());
  EXPECT_TRUE(to_proto(unreserved, Format::Pre).has_role());
  EXPECT_EQ(to_proto(unreserved, Format::Endpoint).role(), "*");
  const Resource fixed = *from_proto(proto(kCpus + "role: 'web'"));
  EXPECT_FALSE(to_proto(fixed, Format::Endpoint).has_reservation());
  EXPECT_EQ(to_proto(fixed, Format::Post).reservations(0).type(), Proto::ReservationInfo::STATIC);
}

TEST(Formats, leave_refined_resources_out_of_the_old_one) {
  ProtoResources list;
  *list.Add() = proto(kCpus + "reservations { type: STATIC role: 'a' } reservations { type: DYNAMIC role: 'a/b' }");
  *list.Add() = proto(kDisk);
  const Resources resources = *from_proto(list);
  ProtoResources old;
  to_proto(resources, Format::Pre, &old);
  ASSERT_EQ(old.size(), 1);
  EXPECT_EQ(old[0].name(), "disk");
  ProtoResources endpoint;
  to_proto(resources, Format::Endpoint, &endpoint);
  EXPECT_FALSE(endpoint[0].has_role());
  EXPECT_EQ(endpoint[0].reservations_size(), 2);
}

TEST(Formats, keep_every_detail) {
  for (const std::string& text : {
           kCpus + "allocation_info { role: 'x' } revocable { } provider_id { value: 'rp' }",
           std::string("name: 'ports' type: RANGES ranges { range { begin: 1 end: 5 } range { begin: 9 end: 9 } }"),
           std::string("name: 'x' type: SET set { item: 'a' item: 'b' }"),
           kDisk + "reservations { type: DYNAMIC role: 'w' labels { labels { key: 'k' } labels { key: 'l' value: 'm' } } }"
                   " disk { persistence { id: 'v' principal: 'p' } volume { mode: RW container_path: 'data' }"
                   " source { type: PATH path { root: 'r' } metadata { labels { key: 'a' } } profile: 'f' vendor: 'v' } }"
                   " shared { }",
           kDisk + "disk { source { type: RAW id: 'i' } }"}) {
    const Proto in = proto(text);
    auto resource = from_proto(in);
    ASSERT_TRUE(resource) << resource.error().message;
    EXPECT_EQ(to_proto(*resource, Format::Post).DebugString(), in.DebugString());
  }
}

TEST(Formats, write_a_shared_volume_once_per_copy) {
  ProtoResources list;
  for (int i = 0; i < 3; ++i) {
    *list.Add() = proto(kDisk + "role: 'w' disk { persistence { id: 'v' } } shared { }");
  }
  const Resources resources = *from_proto(list);
  EXPECT_EQ(resources.size(), 1u);
  ProtoResources out;
  to_proto(resources, Format::Post, &out);
  EXPECT_EQ(out.size(), 3);
}

TEST(Validation, has_the_texts_that_frameworks_know) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"name: '' type: SCALAR scalar { value: 1 }", "Empty resource name"},
      {"name: 'a' type: SCALAR", "Invalid scalar resource"},
      {"name: 'a' type: SCALAR scalar { value: -1 }", "Invalid scalar resource: value <= 0"},
      {"name: 'a' type: SCALAR scalar { value: 0.0001 }", "Invalid scalar resource: value <= 0"},
      {"name: 'a' type: SCALAR scalar { value: 0 }", "no error"},
      {"name: 'a' type: SCALAR scalar { value: nan }",
       "Invalid scalar resource: value is not a finite number of at most 1e15"},
      {"name: 'a' type: SCALAR scalar { value: 1e300 }",
       "Invalid scalar resource: value is not a finite number of at most 1e15"},
      {"name: 'a' type: RANGES", "Invalid ranges resource"},
      {"name: 'a' type: RANGES ranges { range { begin: 2 end: 1 } }", "Invalid ranges resource: begin > end"},
      {"name: 'a' type: RANGES ranges { range { begin: 1 end: 5 } range { begin: 5 end: 6 } }",
       "Invalid ranges resource: overlapping ranges"},
      {"name: 'a' type: SET set { item: 'x' item: 'x' }", "Invalid set resource: duplicated elements"},
      {"name: 'a' type: TEXT", "Unsupported resource type"},
      {kCpus + "disk { }", "DiskInfo should not be set for cpus resource"},
      {kDisk + "disk { source { type: RAW mount { } } }", "Mount should not be set for RAW disk source"},
      {kDisk + "disk { source { type: BLOCK path { } } }", "Path should not be set for BLOCK disk source"},
      {kCpus + "role: '/a'", "Role '/a' cannot start with a slash"},
      {kCpus + "reservation { }", "Invalid reservation: role \"*\" cannot be dynamically reserved"},
      {kCpus + "role: 'a' reservation { role: 'a' }",
       "'Resource.ReservationInfo.role' must not be set for the 'Resource.reservation' field"},
      {kCpus + "reservations { role: 'a' }",
       "Invalid reservation: 'Resource.ReservationInfo.type' field must be set."},
      {kCpus + "reservations { type: STATIC }",
       "Invalid reservation: 'Resource.ReservationInfo.role' field must be set."},
      {kCpus + "reservations { type: STATIC role: '*' }", "Invalid reservation: role \"*\" cannot be reserved"},
      {kCpus + "reservations { type: STATIC role: 'a' } reservations { type: STATIC role: 'a/b' }",
       "Invalid refined reservation: A refined reservation cannot be STATIC"},
      {kCpus + "reservations { type: STATIC role: 'a' } reservations { type: DYNAMIC role: 'b' }",
       "Invalid refined reservation: role 'b' is not a refinement of 'a'"},
      {kCpus + "role: 'b' reservations { type: STATIC role: 'a' }",
       "Invalid resource format: 'Resource.role' field with 'b' does not match the role 'a' in"
       " 'Resource.reservations'"},
      {kCpus + "role: 'a' reservations { type: DYNAMIC role: 'a' }",
       "Invalid resource format: 'Resource.role' and 'Resource.reservation' must either be both set or both not set if"
       " the single reservation in 'Resource.reservations' is DYNAMIC"},
      {kCpus + "shared { }", "Resource cpus cannot be shared"},
      {kDisk + "shared { }", "Only persistent volumes can be shared"},
  };
  for (const auto& [text, expected] : cases) EXPECT_EQ(error_of(text), expected) << text;
}

}  // namespace
}  // namespace resources
