#include "tests/sim/sim_client.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/api/content.hpp"

namespace sim {

namespace {

constexpr base::Duration kCallTimeout = base::seconds(30);

}  // namespace

void SimClient::start(const mesos::v1::FrameworkInfo& framework, base::Random random) {
  client::ProtocolOptions options;
  options.masters = {"master:5050"};
  protocol_ = std::make_unique<client::Protocol>(options, framework, random);
  client::Effects out;
  protocol_->start(context_.world.now().instant, out);
  perform(std::move(out));
}

void SimClient::stop() {
  protocol_.reset();
  posts_.clear();
  ++stream_number_;
  timer_ = 0;
}

void SimClient::send(const mesos::v1::scheduler::Call& call) {
  if (!protocol_) return;
  client::Effects out;
  protocol_->send(call, out);
  perform(std::move(out));
}

void SimClient::set_timer(base::Instant at) {
  const uint64_t generation = timer_ = ++timers_;
  const base::Duration delay = std::max(at - context_.world.now().instant, base::Duration::zero());
  context_.world.after(owner_, delay, [this, generation] {
    if (generation != timer_ || !protocol_) return;
    client::Effects out;
    protocol_->on_timer(context_.world.now().instant, out);
    perform(std::move(out));
  });
}

void SimClient::perform(client::Effects effects) {
  for (client::Effect& effect : effects) {
    if (dead()) return;
    if (auto* opening = std::get_if<client::OpenStream>(&effect)) {
      if (callbacks_.may_act()) open(*opening);
    } else if (std::holds_alternative<client::CloseStream>(effect)) {
      close();
    } else if (auto* call = std::get_if<client::PostCall>(&effect)) {
      if (callbacks_.may_act()) post(*call);
    } else if (auto* timer = std::get_if<client::SetTimer>(&effect)) {
      set_timer(timer->at);
    } else if (auto* event = std::get_if<client::DeliverEvent>(&effect)) {
      callbacks_.delivered(*event);
    } else if (auto* gone = std::get_if<client::Disconnected>(&effect)) {
      context_.world.trace(owner_.name, "disconnected: " + gone->reason);
      callbacks_.lost();
    } else if (auto* note = std::get_if<client::Note>(&effect)) {
      context_.world.trace(owner_.name, note->text);
    }
  }
}

void SimClient::open(const client::OpenStream& request) {
  close();
  mesos::v1::scheduler::Call call;
  CHECK(static_cast<bool>(api::decode(api::ContentType::Protobuf, request.body, call)));
  const uint64_t number = stream_number_;
  head_seen_ = false;
  const auto subscription = master_.subscribe(
      owner_, call,
      [this, number](const mesos::v1::scheduler::Event& event) {
        if (number == stream_number_ && !dead()) on_master_event(event);
      },
      [this, number] {
        if (number != stream_number_ || dead()) return;
        client::Effects out;
        protocol_->on_end("the stream broke", context_.world.now().instant, out);
        perform(std::move(out));
      });
  stream_ = subscription.stream;
  stream_id_ = subscription.stream_id;
}

void SimClient::close() {
  ++stream_number_;
  if (stream_ != 0) context_.network.close(stream_, 0);
  stream_ = 0;
}

void SimClient::on_master_event(const mesos::v1::scheduler::Event& event) {
  if (event.type() == mesos::v1::scheduler::Event::UPDATE) {
    const auto& status = event.update().status();
    if (callbacks_.heard) callbacks_.heard(status);
    context_.world.trace(owner_.name, fmt::format("hears {} {} {}", status.task_id().value(),
                                           mesos::v1::TaskState_Name(status.state()),
                                           status.message()));
  }
  const uint64_t number = stream_number_;
  const base::Instant now = context_.world.now().instant;
  if (!head_seen_) {
    head_seen_ = true;
    client::Effects out;
    protocol_->on_head(200,
                       {{"Content-Type", std::string(api::kProtobufMedia)},
                        {"Mesos-Stream-Id", stream_id_}},
                       now, out);
    perform(std::move(out));
    if (number != stream_number_ || dead()) return;
  }
  client::Effects out;
  protocol_->on_data(api::encode_record(api::ContentType::Protobuf, event), now, out);
  perform(std::move(out));
}

void SimClient::post(const client::PostCall& request) {
  mesos::v1::scheduler::Call call;
  CHECK(static_cast<bool>(api::decode(api::ContentType::Protobuf, request.body, call)));
  if (context_.world.printing()) {
    std::string what = mesos::v1::scheduler::Call::Type_Name(call.type());
    for (const auto& operation : call.accept().operations()) {
      for (const auto& task : operation.launch().task_infos()) what += " " + task.task_id().value();
    }
    if (call.has_kill()) what += " " + call.kill().task_id().value();
    context_.world.note(owner_.name, "calls " + what);
  }
  const uint64_t id = request.id;
  // A connection of its own: calls that may overtake each other do.
  const StreamId stream =
      master_.dial_calls(owner_, [this, id] { posted(id, 0, "the connection broke"); });
  posts_[id] = stream;
  master_.call(stream, std::string(request.headers.get_or("Mesos-Stream-Id", "")), call,
               [this, id](int status, const std::string& text) { posted(id, status, text); });
  context_.world.after(owner_, kCallTimeout, [this, id] { posted(id, 0, "no answer in time"); });
}

void SimClient::posted(uint64_t id, int status, const std::string& text) {
  const auto found = posts_.find(id);
  if (found == posts_.end() || dead()) return;
  context_.network.close(found->second, 0);
  posts_.erase(found);
  client::Effects out;
  protocol_->on_call_done(id, status, text, context_.world.now().instant, out);
  perform(std::move(out));
}

}  // namespace sim
