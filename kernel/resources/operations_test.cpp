#include <gtest/gtest.h>

#include "kernel/api/mesos/v1/offers.pb.h"
#include "kernel/resources/operations.hpp"
#include "kernel/resources/parse.hpp"
#include "kernel/resources/proto.hpp"

namespace resources {
namespace {

using Operation = mesos::v1::Offer::Operation;

Resource with_reservation(Resource resource, const std::string& role) {
  Reservation reservation;
  reservation.dynamic = true;
  reservation.role = role;
  reservation.principal = "ops";
  resource.kind = resource.kind.pushed(reservation);
  return resource;
}

Resource as_volume(Resource resource, const std::string& id, bool shared = false) {
  KindData data = resource.kind.data();
  data.disk.emplace();
  data.disk->persistence_id = id;
  data.shared = shared;
  resource.kind = Kind(std::move(data));
  return resource;
}

Operation reserve(const Resources& resources) {
  Operation out;
  out.set_type(Operation::RESERVE);
  to_proto(resources, Format::Post, out.mutable_reserve()->mutable_resources());
  return out;
}

TEST(Operations, reserve_and_unreserve_move_between_kinds) {
  const Resources total = must_parse("cpus:4;mem:100");
  const Resource two = with_reservation(make_scalar("cpus", 2), "web");
  Resources after = *apply(total, reserve(two));
  EXPECT_EQ(after.text(), "cpus:2; cpus(reservations: [(DYNAMIC,web,ops)]):2; mem:100");

  Operation back;
  back.set_type(Operation::UNRESERVE);
  *back.mutable_unreserve()->add_resources() = to_proto(two, Format::Post);
  EXPECT_EQ(*apply(after, back), total);
  EXPECT_FALSE(apply(total, back));
  EXPECT_FALSE(apply(total, reserve(with_reservation(make_scalar("cpus", 5), "web"))));
}

TEST(Operations, reserve_refines_and_may_change_a_reservation_by_source) {
  const Resource web = with_reservation(make_scalar("cpus", 2), "web");
  const Resource refined = with_reservation(web, "web/prod");
  EXPECT_EQ(*apply(Resources(web), reserve(refined)), Resources(refined));
  Operation moved = reserve(with_reservation(make_scalar("cpus", 2), "db"));
  *moved.mutable_reserve()->add_source() = to_proto(web, Format::Post);
  EXPECT_EQ(apply(Resources(web), moved)->reservation_roles(), (std::vector<std::string>{"db"}));
}

TEST(Operations, create_destroy_grow_and_shrink_volumes) {
  const Resource disk = with_reservation(make_scalar("disk", 100), "web");
  Resource small = disk;
  small.scalar = Scalar::from_int(40);
  const Resource volume = as_volume(small, "v1");

  Operation create;
  create.set_type(Operation::CREATE);
  *create.mutable_create()->add_volumes() = to_proto(volume, Format::Post);
  Resources now = *apply(Resources(disk), create);
  EXPECT_TRUE(now.contains(volume));
  EXPECT_EQ(now.scalar("disk"), Scalar::from_int(100));

  Resource addition = disk;
  addition.scalar = Scalar::from_int(10);
  Operation grow;
  grow.set_type(Operation::GROW_VOLUME);
  *grow.mutable_grow_volume()->mutable_volume() = to_proto(volume, Format::Post);
  *grow.mutable_grow_volume()->mutable_addition() = to_proto(addition, Format::Post);
  now = *apply(now, grow);
  Resource grown = volume;
  grown.scalar = Scalar::from_int(50);
  EXPECT_TRUE(now.contains(grown));

  Operation shrink;
  shrink.set_type(Operation::SHRINK_VOLUME);
  *shrink.mutable_shrink_volume()->mutable_volume() = to_proto(grown, Format::Post);
  shrink.mutable_shrink_volume()->mutable_subtract()->set_value(50);
  EXPECT_FALSE(apply(now, shrink));
  shrink.mutable_shrink_volume()->mutable_subtract()->set_value(10);
  now = *apply(now, shrink);
  EXPECT_TRUE(now.contains(volume));

  Operation destroy;
  destroy.set_type(Operation::DESTROY);
  *destroy.mutable_destroy()->add_volumes() = to_proto(volume, Format::Post);
  EXPECT_EQ(*apply(now, destroy), Resources(disk));
}

TEST(Operations, do_not_destroy_a_shared_volume_that_has_more_copies) {
  const Resource volume = as_volume(with_reservation(make_scalar("disk", 10), "web"), "v", true);
  Operation destroy;
  destroy.set_type(Operation::DESTROY);
  *destroy.mutable_destroy()->add_volumes() = to_proto(volume, Format::Post);
  EXPECT_TRUE(apply(Resources(volume), destroy));
  EXPECT_FALSE(apply(Resources(volume) + Resources(volume), destroy));
}

TEST(Operations, that_make_no_sense_are_errors) {
  Operation operation;
  EXPECT_FALSE(conversions(operation));
  operation.set_type(Operation::LAUNCH);
  EXPECT_FALSE(conversions(operation));
  EXPECT_FALSE(conversions(reserve(must_parse("cpus:1"))));
  Operation create;
  create.set_type(Operation::CREATE);
  *create.mutable_create()->add_volumes() = to_proto(make_scalar("disk", 1), Format::Post);
  EXPECT_FALSE(conversions(create));
}

}  // namespace
}  // namespace resources
