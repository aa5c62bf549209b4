#include "kernel/client/protocol.hpp"

#include <gtest/gtest.h>

namespace client {
namespace {

using mesos::v1::scheduler::Call;
using mesos::v1::scheduler::Event;

/// Drives one protocol and looks at what it asks for.
class ProtocolTest : public ::testing::Test {
 protected:
  ProtocolTest() : ProtocolTest(options()) {}
  explicit ProtocolTest(ProtocolOptions o) : protocol(std::move(o), framework(), base::Random(1)) {}

  static ProtocolOptions options() {
    ProtocolOptions o;
    o.masters = {"a:5050", "b:5050"};
    return o;
  }

  static mesos::v1::FrameworkInfo framework() {
    mesos::v1::FrameworkInfo info;
    info.set_user("nobody");
    info.set_name("test");
    return info;
  }

  template <class T>
  const T* last() const {
    const T* found = nullptr;
    for (const Effect& effect : out) {
      if (const T* e = std::get_if<T>(&effect)) found = e;
    }
    return found;
  }

  template <class T>
  size_t count() const {
    size_t n = 0;
    for (const Effect& effect : out) n += std::holds_alternative<T>(effect) ? 1 : 0;
    return n;
  }

  void feed(const Event& event) {
    protocol.on_data(api::encode_record(api::ContentType::Protobuf, event), now, out);
  }

  void subscribe(const std::string& id = "F1") {
    protocol.on_head(200, {{"Content-Type", "application/x-protobuf"}, {"Mesos-Stream-Id", "S1"}}, now, out);
    Event event;
    event.set_type(Event::SUBSCRIBED);
    event.mutable_subscribed()->mutable_framework_id()->set_value(id);
    event.mutable_subscribed()->set_heartbeat_interval_seconds(15);
    feed(event);
  }

  Call revive() {
    Call call;
    call.set_type(Call::REVIVE);
    return call;
  }

  base::Instant now;
  Effects out;
  Protocol protocol;
};

TEST_F(ProtocolTest, subscribes_and_delivers_events) {
  protocol.start(now, out);
  ASSERT_TRUE(last<OpenStream>());
  EXPECT_EQ(last<OpenStream>()->master, "a:5050");
  Call call;
  ASSERT_TRUE(call.ParseFromString(last<OpenStream>()->body));
  EXPECT_EQ(call.type(), Call::SUBSCRIBE);
  EXPECT_FALSE(call.has_framework_id());
  subscribe();
  EXPECT_TRUE(protocol.subscribed());
  EXPECT_EQ(protocol.framework_id(), "F1");
  EXPECT_EQ(count<DeliverEvent>(), 1U);
}

TEST_F(ProtocolTest, follows_the_leader) {
  protocol.start(now, out);
  protocol.on_head(307, {{"Location", "//c:5051/api/v1/scheduler"}}, now, out);
  EXPECT_EQ(last<OpenStream>()->master, "c:5051");
}

TEST_F(ProtocolTest, gives_up_redirects_that_lead_nowhere) {
  protocol.start(now, out);
  for (int i = 0; i < 10; ++i) protocol.on_head(307, {{"Location", "//a:5050/x"}}, now, out);
  EXPECT_EQ(count<OpenStream>(), 11U);
  protocol.on_head(307, {{"Location", "//a:5050/x"}}, now, out);
  EXPECT_EQ(count<OpenStream>(), 11U);
}

TEST_F(ProtocolTest, resubscribes_with_its_framework_id) {
  protocol.start(now, out);
  subscribe();
  protocol.on_end("connection reset", now, out);
  EXPECT_EQ(count<Disconnected>(), 1U);
  EXPECT_FALSE(protocol.subscribed());
  now = last<SetTimer>()->at;
  protocol.on_timer(now, out);
  Call call;
  ASSERT_TRUE(call.ParseFromString(last<OpenStream>()->body));
  EXPECT_EQ(call.framework_id().value(), "F1");
  EXPECT_EQ(call.subscribe().framework_info().id().value(), "F1");
  EXPECT_EQ(last<OpenStream>()->master, "b:5050");
}

TEST_F(ProtocolTest, keeps_the_roles_of_an_update_for_the_next_subscription) {
  Call update;
  update.set_type(Call::UPDATE_FRAMEWORK);
  update.mutable_update_framework()->mutable_framework_info()->add_roles("a");
  protocol.start(now, out);
  EXPECT_FALSE(protocol.send(update, out)) << "not subscribed";
  subscribe();
  update.mutable_update_framework()->mutable_framework_info()->add_roles("b");
  update.mutable_update_framework()->add_suppressed_roles("a");
  ASSERT_TRUE(protocol.send(update, out));
  Call call;
  ASSERT_TRUE(call.ParseFromString(last<PostCall>()->body));
  const auto& info = call.update_framework().framework_info();
  EXPECT_EQ(info.name(), "test");
  EXPECT_EQ(info.id().value(), "F1");
  EXPECT_EQ(info.roles_size(), 2);
  EXPECT_EQ(call.update_framework().suppressed_roles(0), "a");
  protocol.on_end("connection reset", now, out);
  now = last<SetTimer>()->at;
  protocol.on_timer(now, out);
  ASSERT_TRUE(call.ParseFromString(last<OpenStream>()->body));
  EXPECT_EQ(call.subscribe().framework_info().roles_size(), 2);
}

TEST_F(ProtocolTest, waits_longer_after_each_failure) {
  protocol.start(now, out);
  base::Duration longest{0};
  for (int i = 0; i < 10; ++i) {
    protocol.on_end("refused", now, out);
    const base::Duration wait = last<SetTimer>()->at - now;
    EXPECT_LE(wait, base::seconds(5));
    longest = std::max(longest, wait);
    now = last<SetTimer>()->at;
    protocol.on_timer(now, out);
  }
  EXPECT_GE(longest, base::milliseconds(2500));
}

TEST_F(ProtocolTest, a_stream_without_heartbeats_is_dead) {
  protocol.start(now, out);
  subscribe();
  EXPECT_EQ(last<SetTimer>()->at - now, base::seconds(75));
  now = last<SetTimer>()->at;
  protocol.on_timer(now, out);
  EXPECT_FALSE(protocol.subscribed());
  EXPECT_EQ(last<Disconnected>()->reason, "no heartbeat");
}

TEST_F(ProtocolTest, calls_go_out_one_after_the_other) {
  protocol.start(now, out);
  EXPECT_FALSE(protocol.send(revive(), out));
  subscribe();
  EXPECT_TRUE(protocol.send(revive(), out));
  EXPECT_TRUE(protocol.send(revive(), out));
  ASSERT_EQ(count<PostCall>(), 1U);
  EXPECT_EQ(last<PostCall>()->headers.get("Mesos-Stream-Id"), "S1");
  protocol.on_call_done(last<PostCall>()->id, 202, "", now, out);
  EXPECT_EQ(count<PostCall>(), 2U);
}

TEST_F(ProtocolTest, acknowledgements_do_not_wait_for_other_calls) {
  protocol.start(now, out);
  subscribe();
  protocol.send(revive(), out);
  Call ack;
  ack.set_type(Call::ACKNOWLEDGE);
  ack.mutable_acknowledge()->mutable_agent_id()->set_value("A");
  ack.mutable_acknowledge()->mutable_task_id()->set_value("T");
  ack.mutable_acknowledge()->set_uuid("0123456789abcdef");
  for (int i = 0; i < 20; ++i) protocol.send(ack, out);
  EXPECT_EQ(count<PostCall>(), 9U);
}

TEST_F(ProtocolTest, a_forgotten_subscription_is_made_anew) {
  protocol.start(now, out);
  subscribe();
  protocol.send(revive(), out);
  protocol.on_call_done(last<PostCall>()->id, 403, "Framework is not subscribed", now, out);
  EXPECT_FALSE(protocol.subscribed());
  EXPECT_EQ(count<Disconnected>(), 1U);
}

TEST_F(ProtocolTest, stops_after_an_error_event) {
  protocol.start(now, out);
  subscribe();
  Event event;
  event.set_type(Event::ERROR);
  event.mutable_error()->set_message("Framework failed over");
  feed(event);
  ASSERT_TRUE(last<Disconnected>());
  EXPECT_TRUE(last<Disconnected>()->final);
  const size_t opened = count<OpenStream>();
  protocol.on_end("", now, out);
  protocol.on_timer(now, out);
  EXPECT_EQ(count<OpenStream>(), opened);
}

TEST_F(ProtocolTest, garbage_on_the_stream_ends_it) {
  protocol.start(now, out);
  subscribe();
  protocol.on_data("this is no record\n", now, out);
  EXPECT_FALSE(protocol.subscribed());
}

TEST(Masters, are_read_in_every_spelling) {
  EXPECT_EQ(parse_masters("https://a,https://b:1/").value(), (std::vector<std::string>{"a:5050", "b:1"}));
  EXPECT_TRUE(masters_by_https("https://a:1"));
  EXPECT_FALSE(masters_by_https("a:1,http://b"));
  const auto masters = parse_masters("a,http://b:1/, c:2");
  ASSERT_TRUE(masters);
  EXPECT_EQ(*masters, (std::vector<std::string>{"a:5050", "b:1", "c:2"}));
  for (const char* bad : {"", "a:b", "a:0", "a:70000", "zk://h:2181", "zk://h:x/mesos"}) {
    EXPECT_FALSE(parse_masters(bad)) << bad;
  }
  const std::string zookeeper = "zk://user:secret@h:2181,i:2181/mesos";
  EXPECT_EQ(parse_masters(zookeeper).value(), std::vector<std::string>{zookeeper});
}

class DetectingTest : public ProtocolTest {
 protected:
  DetectingTest() : ProtocolTest(zookeeper()) {}
  static ProtocolOptions zookeeper() {
    ProtocolOptions o;
    o.masters = {"zk://h:2181/mesos"};
    return o;
  }
};

TEST_F(DetectingTest, waits_for_a_leader_and_follows_it) {
  protocol.start(now, out);
  EXPECT_EQ(count<OpenStream>(), 0U);
  protocol.on_timer(now, out);
  EXPECT_EQ(count<OpenStream>(), 0U) << "nobody is known";
  protocol.on_leader("a:5050", now, out);
  ASSERT_EQ(count<OpenStream>(), 1U);
  EXPECT_EQ(last<OpenStream>()->master, "a:5050");
  subscribe();
  out.clear();
  protocol.on_leader("a:5050", now, out);
  protocol.on_leader(std::nullopt, now, out);
  EXPECT_TRUE(protocol.subscribed()) << "ZooKeeper is away, the master is not";
  EXPECT_EQ(count<CloseStream>(), 0U);
  protocol.on_leader("b:5050", now, out);
  EXPECT_EQ(count<Disconnected>(), 1U);
  EXPECT_EQ(last<OpenStream>()->master, "b:5050") << "at once";
}

TEST_F(DetectingTest, tries_the_leader_again_until_there_is_another) {
  protocol.start(now, out);
  protocol.on_leader("a:5050", now, out);
  for (int i = 0; i < 3; ++i) {
    protocol.on_end("connection refused", now, out);
    protocol.on_timer(now, out);
    EXPECT_EQ(last<OpenStream>()->master, "a:5050");
  }
  protocol.on_end("connection refused", now, out);
  protocol.on_leader("b:5050", now, out);  // in the middle of the pause
  EXPECT_EQ(last<OpenStream>()->master, "b:5050");
}

TEST(Masters, location_headers) {
  EXPECT_EQ(leader_of_location("//h:1/p"), "h:1");
  EXPECT_EQ(leader_of_location("http://h/p"), "h:5050");
  EXPECT_EQ(leader_of_location("/p"), std::nullopt);
}

}  // namespace
}  // namespace client
