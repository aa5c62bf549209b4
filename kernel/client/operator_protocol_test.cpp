#include "kernel/client/operator_protocol.hpp"

#include <gtest/gtest.h>

namespace client {
namespace {

using mesos::v1::master::Event;
namespace fx = operator_effects;

class OperatorProtocolTest : public ::testing::Test {
 protected:
  OperatorProtocolTest() : protocol(options(), base::Random(1)) {}

  static OperatorOptions options() {
    OperatorOptions o;
    o.masters = {"a:5050", "b:5050"};
    return o;
  }

  template <class T>
  std::vector<T> all() const {
    std::vector<T> found;
    for (const OperatorEffect& effect : out) {
      if (const T* e = std::get_if<T>(&effect)) found.push_back(*e);
    }
    return found;
  }

  std::string snapshot(double heartbeat = 15) {
    Event event;
    event.set_type(Event::SUBSCRIBED);
    event.mutable_subscribed()->set_heartbeat_interval_seconds(heartbeat);
    return api::encode_record(api::ContentType::Protobuf, event);
  }

  std::string event_of(Event::Type type) {
    Event event;
    event.set_type(type);
    if (type == Event::AGENT_REMOVED) event.mutable_agent_removed()->mutable_agent_id()->set_value("S1");
    return api::encode_record(api::ContentType::Protobuf, event);
  }

  void accept() { protocol.on_head(200, {{"Content-Type", "application/x-protobuf"}}, now, out); }

  base::Instant now;
  OperatorEffects out;
  OperatorProtocol protocol;
};

TEST_F(OperatorProtocolTest, delivers_a_snapshot_and_then_changes) {
  protocol.start(now, out);
  ASSERT_EQ(all<fx::OpenStream>().size(), 1u);
  EXPECT_EQ(all<fx::OpenStream>()[0].master, "a:5050");
  mesos::v1::master::Call call;
  ASSERT_TRUE(call.ParseFromString(all<fx::OpenStream>()[0].body));
  EXPECT_EQ(call.type(), mesos::v1::master::Call::SUBSCRIBE);
  accept();
  EXPECT_FALSE(protocol.subscribed());
  const std::string bytes = snapshot() + event_of(Event::HEARTBEAT) + event_of(Event::AGENT_REMOVED);
  for (char byte : bytes) protocol.on_data(std::string(1, byte), now, out);
  EXPECT_TRUE(protocol.subscribed());
  ASSERT_EQ(all<fx::Snapshot>().size(), 1u);
  EXPECT_EQ(all<fx::Snapshot>()[0].master, "a:5050");
  ASSERT_EQ(all<fx::Change>().size(), 1u);
  EXPECT_EQ(all<fx::Change>()[0].event->type(), Event::AGENT_REMOVED);
}

TEST_F(OperatorProtocolTest, follows_redirects_to_the_leader_but_not_without_end) {
  protocol.start(now, out);
  protocol.on_head(307, {{"Location", "//leader:5051/api/v1"}}, now, out);
  EXPECT_EQ(all<fx::OpenStream>().back().master, "leader:5051");
  accept();
  protocol.on_data(snapshot(), now, out);
  EXPECT_EQ(all<fx::Snapshot>().back().master, "leader:5051");
  protocol.on_end("", now, out);
  protocol.on_timer(now, out);
  for (int i = 0; i < 20; ++i) protocol.on_head(307, {{"Location", "//b:5050/"}}, now, out);
  EXPECT_LE(all<fx::OpenStream>().size(), 13u);
}

TEST_F(OperatorProtocolTest, silence_ends_the_stream_and_the_next_one_begins_with_a_snapshot) {
  protocol.start(now, out);
  accept();
  protocol.on_data(snapshot(2), now, out);
  EXPECT_EQ(all<fx::SetTimer>().back().at, now + base::seconds(6));
  protocol.on_timer(now + base::seconds(6), out);
  ASSERT_EQ(all<fx::Lost>().size(), 1u);
  EXPECT_EQ(all<fx::Lost>()[0].reason, "no heartbeat");
  EXPECT_FALSE(protocol.subscribed());
  protocol.on_data(event_of(Event::AGENT_REMOVED), now, out);
  EXPECT_TRUE(all<fx::Change>().empty()) << "what the old stream still had to say must not be heard";
  protocol.on_timer(now + base::seconds(7), out);
  EXPECT_EQ(all<fx::OpenStream>().back().master, "b:5050");
  accept();
  protocol.on_data(snapshot(), now, out);
  EXPECT_EQ(all<fx::Snapshot>().size(), 2u);
}

TEST_F(OperatorProtocolTest, pauses_grow_up_to_the_limit_and_differ) {
  protocol.start(now, out);
  base::Duration longest{0};
  for (int i = 0; i < 12; ++i) {
    protocol.on_end("connection refused", now, out);
    const base::Duration wait = all<fx::SetTimer>().back().at - now;
    EXPECT_GE(wait, base::milliseconds(50));
    EXPECT_LE(wait, base::seconds(5));
    longest = std::max(longest, wait);
    protocol.on_timer(now, out);
  }
  EXPECT_GE(longest, base::milliseconds(2500));
  EXPECT_TRUE(all<fx::Lost>().empty()) << "nothing was subscribed, so nothing was lost";
  EXPECT_EQ(all<fx::Note>().size(), 2u) << "one sentence for each master, not for each attempt";
}

TEST_F(OperatorProtocolTest, a_change_before_the_snapshot_and_garbage_end_the_stream) {
  protocol.start(now, out);
  accept();
  protocol.on_data(event_of(Event::AGENT_REMOVED), now, out);
  EXPECT_TRUE(all<fx::Change>().empty());
  EXPECT_EQ(all<fx::CloseStream>().size(), 1u);
  protocol.on_timer(now, out);
  accept();
  protocol.on_data("5\nxxxxx", now, out);
  EXPECT_EQ(all<fx::CloseStream>().size(), 2u);
  protocol.on_timer(now, out);
  accept();
  protocol.on_data("nonsense\n", now, out);
  EXPECT_EQ(all<fx::CloseStream>().size(), 3u);
  protocol.on_timer(now, out);
  protocol.on_head(200, {{"Content-Type", "text/html"}}, now, out);
  EXPECT_EQ(all<fx::CloseStream>().size(), 4u);
  protocol.on_timer(now, out);
  protocol.on_head(503, {}, now, out);
  EXPECT_EQ(all<fx::CloseStream>().size(), 5u);
}

TEST_F(OperatorProtocolTest, json_masters_are_understood) {
  protocol.start(now, out);
  protocol.on_head(200, {{"Content-Type", "application/json"}}, now, out);
  protocol.on_data(base::encode_record(
                       R"({"type":"SUBSCRIBED","subscribed":{"heartbeat_interval_seconds":15.0,"get_state":{}}})"),
                   now, out);
  EXPECT_EQ(all<fx::Snapshot>().size(), 1u);
}

}  // namespace
}  // namespace client
