// CREATE_DISK and DESTROY_DISK in the master's books: what a resource provider is to make of its space is held until it
// has made it, over whatever becomes of frameworks and agents meanwhile.

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "kernel/master/testing.hpp"
#include "kernel/resources/proto.hpp"

namespace master {
namespace {

using mesos::v1::scheduler::Call;
using Operation_ = mesos::v1::Offer::Operation;

constexpr const char* kSpace = R"(name: "disk" type: SCALAR scalar { value: %d } provider_id { value: "rp" }
    disk { source { type: RAW profile: "fast" vendor: "v" } })";
constexpr const char* kDisk = R"(name: "disk" type: SCALAR scalar { value: %d } provider_id { value: "rp" }
    disk { source { type: MOUNT profile: "fast" vendor: "v" id: "vol" mount { root: "csi" } } })";

mesos::v1::Resource resource(std::string text, int megabytes) {
  text.replace(text.find("%d"), 2, std::to_string(megabytes));
  mesos::v1::Resource out;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &out));
  return out;
}

class Disks : public ::testing::Test {
 protected:
  Disks() {
    core_ = std::make_unique<Core>(testing::master_info(), Policy(),
                                   std::make_unique<allocator::Allocator>(allocator::Options(), base::Random(1)), base::Random(2));
    tell(Recovered{});
    subscribe();
    link::AgentMessage message;
    auto& registration = *message.mutable_register_agent();
    *registration.mutable_agent_info() = testing::agent_info("h", 5051, "cpus:4;mem:1024");
    registration.set_version("1.12.0");
    testing::add_all_capabilities(registration.mutable_capabilities());
    registration.mutable_resource_version_uuid()->set_value("agent-1");
    add_provider(registration.mutable_resource_providers(), {resource(kSpace, 100)}, "rp-1");
    from_agent(std::move(message));
    agent_ = core_->state().agents.begin()->first;
  }

  void TearDown() override {
    const auto wrong = testing::find_imbalance(*core_);
    EXPECT_FALSE(wrong) << *wrong;
  }

  static void add_provider(google::protobuf::RepeatedPtrField<link::ResourceProviderState>* list,
                           std::vector<mesos::v1::Resource> total, const std::string& version) {
    auto& provider = *list->Add();
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
        R"(id { value: "rp" } type: "org.apache.mesos.rp.local.storage" name: "local")", provider.mutable_info()));
    for (auto& each : total) *provider.add_total_resources() = std::move(each);
    provider.mutable_resource_version_uuid()->set_value(version);
  }

  void tell(Event event) {
    std::vector<Event> next;
    next.push_back(std::move(event));
    while (!next.empty()) {
      Effects out;
      Event current = std::move(next.front());
      next.erase(next.begin());
      core_->on(std::move(current), now_, out);
      for (Effect& effect : out.list()) {
        if (const auto* persist = std::get_if<Persist>(&effect)) next.push_back(Persisted{persist->ticket, {}});
        if (std::holds_alternative<WantTurnEnd>(effect)) next.push_back(TurnEnded{});
        if (const auto* send = std::get_if<SendToAgent>(&effect); send != nullptr && send->message.has_apply_operation())
          orders_.push_back(send->message.apply_operation());
        if (const auto* send = std::get_if<SendToScheduler>(&effect)) {
          if (send->event.has_subscribed()) framework_ = send->event.subscribed().framework_id().value();
          if (send->event.has_offers())
            for (const auto& offer : send->event.offers().offers()) offers_.push_back(offer);
          if (send->event.has_update_operation_status()) statuses_.push_back(send->event.update_operation_status().status());
        }
      }
    }
  }

  void subscribe() {
    SchedulerSubscribed event;
    event.connection = 1;
    event.stream_id = "s";
    auto& info = *event.subscribe.mutable_framework_info();
    info.set_user("root");
    info.set_name("f");
    info.add_roles("web");
    for (const auto type : {FrameworkInfo::Capability::MULTI_ROLE, FrameworkInfo::Capability::RESERVATION_REFINEMENT})
      info.add_capabilities()->set_type(type);
    tell(std::move(event));
  }

  void from_agent(link::AgentMessage message, LinkId link = 5) { tell(AgentMessageReceived{link, "10.0.0.9", std::move(message)}); }

  /// CREATE_DISK of so much of the last offer.
  void create(const std::string& id, mesos::v1::Resource source, Operation_::Type type = Operation_::CREATE_DISK) {
    ASSERT_FALSE(offers_.empty());
    SchedulerCallReceived event;
    event.stream_id = "s";
    event.call.set_type(Call::ACCEPT);
    event.call.mutable_framework_id()->set_value(framework_);
    auto& accept = *event.call.mutable_accept();
    *accept.add_offer_ids() = offers_.back().id();
    accept.mutable_filters()->set_refuse_seconds(0);
    auto& operation = *accept.add_operations();
    operation.set_type(type);
    operation.mutable_id()->set_value(id);
    if (type == Operation_::CREATE_DISK) {
      *operation.mutable_create_disk()->mutable_source() = std::move(source);
      operation.mutable_create_disk()->set_target_type(mesos::v1::Resource::DiskInfo::Source::MOUNT);
    } else {
      *operation.mutable_destroy_disk()->mutable_source() = std::move(source);
    }
    offers_.clear();
    tell(std::move(event));
  }

  /// Gives back what was offered, so that it comes together with what is free besides.
  void decline() {
    SchedulerCallReceived event;
    event.stream_id = "s";
    event.call.set_type(Call::DECLINE);
    event.call.mutable_framework_id()->set_value(framework_);
    event.call.mutable_decline()->mutable_filters()->set_refuse_seconds(0);
    for (const auto& offer : offers_) *event.call.mutable_decline()->add_offer_ids() = offer.id();
    offers_.clear();
    tell(std::move(event));
  }

  mesos::v1::OperationStatus status(mesos::v1::OperationState state, std::vector<mesos::v1::Resource> made) const {
    mesos::v1::OperationStatus out;
    out.set_state(state);
    out.mutable_uuid()->set_value(std::string(6, 'u') + "\x40" + "u\x80" + std::string(7, 'u'));
    for (auto& each : made) *out.add_converted_resources() = std::move(each);
    return out;
  }
  void end(const std::string& uuid, mesos::v1::OperationState state, std::vector<mesos::v1::Resource> made = {}) {
    link::AgentMessage message;
    auto& update = *message.mutable_operation_status_update();
    update.mutable_framework_id()->set_value(framework_);
    update.mutable_operation_uuid()->set_value(uuid);
    *update.mutable_status() = status(state, std::move(made));
    from_agent(std::move(message));
  }

  const Agent& agent() const { return *core_->state().agents.at(agent_); }
  double offered(mesos::v1::Resource::DiskInfo::Source::Type type) const {
    double sum = 0;
    for (const auto& offer : offers_)
      for (const auto& each : offer.resources())
        if (each.disk().source().type() == type) sum += each.scalar().value();
    return sum;
  }

  base::Now now_{base::Instant{base::seconds(1000)}, base::Time{base::seconds(1'000'000)}};
  std::unique_ptr<Core> core_;
  std::string framework_, agent_;
  std::vector<mesos::v1::Offer> offers_;
  std::vector<link::ApplyOperation> orders_;
  std::vector<mesos::v1::OperationStatus> statuses_;
};

using Source = mesos::v1::Resource::DiskInfo::Source;

TEST_F(Disks, of_providers_are_offered_and_ordered_on_their_version) {
  EXPECT_EQ(offered(Source::RAW), 100);
  create("op", resource(kSpace, 60));
  ASSERT_EQ(orders_.size(), 1u);
  EXPECT_EQ(orders_[0].resource_version().resource_provider_id().value(), "rp");
  EXPECT_EQ(orders_[0].resource_version().uuid().value(), "rp-1");
  EXPECT_EQ(offered(Source::RAW), 40);  // the rest; what becomes a disk is held
}

TEST_F(Disks, are_counted_when_they_are_made_and_offered_to_who_made_them) {
  create("op", resource(kSpace, 60));
  end(orders_[0].operation_uuid().value(), mesos::v1::OPERATION_FINISHED, {resource(kDisk, 60)});
  decline();
  EXPECT_EQ(offered(Source::MOUNT), 60);
  ASSERT_EQ(statuses_.size(), 1u);
  EXPECT_EQ(statuses_[0].operation_id().value(), "op");
  EXPECT_EQ(statuses_[0].converted_resources(0).disk().source().id(), "vol");
  // And back.
  create("back", resource(kDisk, 60), Operation_::DESTROY_DISK);
  ASSERT_EQ(orders_.size(), 2u);
  end(orders_[1].operation_uuid().value(), mesos::v1::OPERATION_FINISHED, {resource(kSpace, 60)});
  EXPECT_EQ(agent().total.scalar("disk").value(), 100);
  EXPECT_EQ(agent().total.size(), 3u) << agent().total.text();  // cpus, disk, mem
}

TEST_F(Disks, that_are_not_made_are_free_space_again) {
  create("op", resource(kSpace, 60));
  end(orders_[0].operation_uuid().value(), mesos::v1::OPERATION_FAILED);
  decline();
  EXPECT_EQ(offered(Source::RAW), 100);
  EXPECT_EQ(statuses_.back().state(), mesos::v1::OPERATION_FAILED);
}

TEST_F(Disks, are_made_of_what_is_there_and_of_the_right_kind) {
  const auto refused = [&](mesos::v1::Resource source, Operation_::Type type, const std::string& why) {
    statuses_.clear();
    create("op", std::move(source), type);
    ASSERT_EQ(statuses_.size(), 1u) << why;
    EXPECT_EQ(statuses_[0].state(), mesos::v1::OPERATION_ERROR);
    EXPECT_NE(statuses_[0].message().find(why), std::string::npos) << statuses_[0].message();
  };
  refused(resource(kSpace, 200), Operation_::CREATE_DISK, "does not contain");
  refused(resource(kDisk, 10), Operation_::CREATE_DISK, "'source' is not a RAW disk resource");
  refused(resource(kSpace, 10), Operation_::DESTROY_DISK, "'source' is free space, not a disk");
  auto plain = resource(kSpace, 10);
  plain.clear_provider_id();
  refused(plain, Operation_::CREATE_DISK, "'source' is not managed by a resource provider");
  auto elsewhere = resource(kSpace, 10);
  elsewhere.mutable_provider_id()->set_value("other");
  refused(elsewhere, Operation_::CREATE_DISK, "Resource provider other is not one of agent");
  auto any = resource(kSpace, 10);
  any.mutable_disk()->mutable_source()->clear_profile();
  refused(any, Operation_::CREATE_DISK, "'target_profile' must be set");
}

TEST_F(Disks, made_while_the_agent_was_away_are_counted_once) {
  create("op", resource(kSpace, 60));
  const std::string uuid = orders_[0].operation_uuid().value();
  tell(AgentLinkLost{5});
  link::AgentMessage message;
  auto& again = *message.mutable_reregister_agent();
  *again.mutable_agent_info() = *agent().info;
  again.set_version("1.12.0");
  testing::add_all_capabilities(again.mutable_capabilities());
  again.mutable_resource_version_uuid()->set_value("agent-1");
  add_provider(again.mutable_resource_providers(), {resource(kSpace, 40), resource(kDisk, 60)}, "rp-2");
  auto& operation = *again.add_operations();
  operation.mutable_uuid()->set_value(uuid);
  operation.mutable_framework_id()->set_value(framework_);
  operation.mutable_info()->CopyFrom(orders_[0].operation());
  const auto ended = status(mesos::v1::OPERATION_FINISHED, {resource(kDisk, 60)});
  *operation.mutable_latest_status() = ended;
  offers_.clear();
  from_agent(std::move(message), 6);
  EXPECT_EQ(offered(Source::MOUNT), 60);
  EXPECT_EQ(offered(Source::RAW), 40);
  link::AgentMessage news;
  news.mutable_operation_status_update()->mutable_framework_id()->set_value(framework_);
  news.mutable_operation_status_update()->mutable_operation_uuid()->set_value(uuid);
  *news.mutable_operation_status_update()->mutable_status() = ended;
  from_agent(std::move(news), 6);
  EXPECT_EQ(agent().total.scalar("disk").value(), 100);
  EXPECT_EQ(statuses_.back().state(), mesos::v1::OPERATION_FINISHED);
}

TEST_F(Disks, of_a_framework_that_is_gone_are_counted_for_everybody) {
  create("op", resource(kSpace, 60));
  SchedulerCallReceived teardown;
  teardown.stream_id = "s";
  teardown.call.set_type(Call::TEARDOWN);
  teardown.call.mutable_framework_id()->set_value(framework_);
  tell(std::move(teardown));
  end(orders_[0].operation_uuid().value(), mesos::v1::OPERATION_FINISHED, {resource(kDisk, 60)});
  EXPECT_EQ(agent().total.scalar("disk").value(), 100);
  offers_.clear();
  subscribe();
  EXPECT_EQ(offered(Source::MOUNT), 60);
  EXPECT_EQ(offered(Source::RAW), 40);
}

TEST_F(Disks, of_a_provider_that_goes_are_offered_no_more_and_its_news_leave_the_agents_own_alone) {
  link::AgentMessage message;
  auto& update = *message.mutable_update_agent();
  update.set_update_total_resources(true);
  update.mutable_resource_version_uuid()->set_value("agent-1");  // unchanged: what is told of the agent itself is not taken
  offers_.clear();
  from_agent(std::move(message));
  EXPECT_EQ(offered(Source::RAW), 0);
  EXPECT_EQ(agent().total.cpus(), 4);
  EXPECT_TRUE(agent().providers.empty());
}

}  // namespace
}  // namespace master
