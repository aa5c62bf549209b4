#include "tests/bench/swarm/scheduler.hpp"

#include <algorithm>

namespace swarm {

using mesos::v1::scheduler::Call;
using mesos::v1::scheduler::Event;

namespace {

constexpr char kProtobuf[] = "Content-Type: application/x-protobuf\r\nAccept: application/x-protobuf\r\n";

}  // namespace

Scheduler::Scheduler(Sockets& sockets, uint16_t master_port, Options options)
    : sockets_(sockets),
      master_port_(master_port),
      options_(options),
      events_(sockets, master_port),
      calls_(sockets, master_port) {}

void Scheduler::subscribe() {
  subscribed_ = false;
  offers_ = 0;
  decoder_ = base::RecordDecoder();
  Call call;
  call.set_type(Call::SUBSCRIBE);
  auto& info = *call.mutable_subscribe()->mutable_framework_info();
  info.set_user("nobody");
  info.set_name("swarm");
  info.set_checkpoint(true);
  info.set_failover_timeout(3600);
  info.add_roles("*");
  info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::MULTI_ROLE);
  info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
  if (!framework_id_.empty()) {
    info.mutable_id()->set_value(framework_id_);
    call.mutable_framework_id()->set_value(framework_id_);
  }
  const auto again = [this] {
    events_.close();
    sockets_.after(base::milliseconds(20), [this] { subscribe(); });
  };
  events_.stream("POST", "/api/v1/scheduler", kProtobuf, call.SerializeAsString(),
                 {.on_head = [this](const Answer& head) { stream_id_ = head.header("mesos-stream-id"); },
                  .on_data =
                      [this](std::string_view data) {
                        std::vector<std::string> records;
                        if (!decoder_.feed(data, records)) return;  // the text of a refusal
                        for (const std::string& record : records) on_record(record);
                      },
                  .on_end =
                      [this, again] {
                        subscribed_ = false;
                        sockets_.after(base::Duration(0), again);
                      }});
}

void Scheduler::call(Call call, std::function<void()> answered) {
  call.mutable_framework_id()->set_value(framework_id_);
  calls_.request("POST", "/api/v1/scheduler", kProtobuf + ("Mesos-Stream-Id: " + stream_id_ + "\r\n"),
                 call.SerializeAsString(), [this, answered](const Answer& answer) {
                   if (answer.status != 202 && answer.status != 0) {
                     ++refused_;
                     last_refusal_ = answer.body;
                   }
                   if (answered) answered();
                 });
}

void Scheduler::probe(std::function<void()> answered) {
  Call decline;
  decline.set_type(Call::DECLINE);
  decline.mutable_decline()->add_offer_ids()->set_value("none");
  call(std::move(decline), std::move(answered));
}

void Scheduler::revive() {
  Call again;
  again.set_type(Call::REVIVE);
  call(std::move(again));
}

void Scheduler::on_record(const std::string& record) {
  Event event;
  if (!event.ParseFromString(record)) return;
  switch (event.type()) {
    case Event::SUBSCRIBED:
      framework_id_ = event.subscribed().framework_id().value();
      subscribed_ = true;
      break;
    case Event::OFFERS:
      offered_at_ = now();
      offers_ += static_cast<uint64_t>(event.offers().offers_size());
      for (const auto& offer : event.offers().offers()) accept(offer);
      break;
    case Event::UPDATE: {
      const auto& status = event.update().status();
      running_ += status.state() == mesos::v1::TASK_RUNNING;
      if (status.state() == mesos::v1::TASK_FINISHED) ++ended_;
      if (!status.has_uuid()) break;
      Call acknowledge;
      acknowledge.set_type(Call::ACKNOWLEDGE);
      *acknowledge.mutable_acknowledge()->mutable_agent_id() = status.agent_id();
      *acknowledge.mutable_acknowledge()->mutable_task_id() = status.task_id();
      acknowledge.mutable_acknowledge()->set_uuid(status.uuid());
      call(std::move(acknowledge));
      break;
    }
    default: break;
  }
}

void Scheduler::accept(const mesos::v1::Offer& offer) {
  double cpus = 0;
  for (const auto& resource : offer.resources()) {
    if (resource.name() == "cpus") cpus += resource.scalar().value();
  }
  Call accept;
  accept.set_type(Call::ACCEPT);
  *accept.mutable_accept()->add_offer_ids() = offer.id();
  accept.mutable_accept()->mutable_filters()->set_refuse_seconds(launched_ < options_.tasks ? options_.refuse_seconds : 3600);
  auto& operation = *accept.mutable_accept()->add_operations();
  operation.set_type(mesos::v1::Offer::Operation::LAUNCH);
  for (size_t i = 0; i < options_.per_offer && launched_ < options_.tasks && cpus >= options_.cpus; ++i) {
    cpus -= options_.cpus;
    auto& task = *operation.mutable_launch()->add_task_infos();
    task.set_name("task");
    task.mutable_task_id()->set_value("task-" + std::to_string(launched_++));
    *task.mutable_agent_id() = offer.agent_id();
    task.mutable_command()->set_value("sleep 1000");
    for (const auto& [name, amount] : {std::pair("cpus", options_.cpus), std::pair("mem", options_.mem_mb)}) {
      auto* resource = task.add_resources();
      resource->set_name(name);
      resource->set_type(mesos::v1::Value::SCALAR);
      resource->mutable_scalar()->set_value(amount);
    }
  }
  if (operation.launch().task_infos().empty()) accept.mutable_accept()->clear_operations();
  call(std::move(accept));
}

}  // namespace swarm
