#include "tests/sim/sim_chronos.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "kernel/api/content.hpp"

namespace sim {

namespace {

constexpr base::Duration kCallTimeout = base::seconds(30);

// Rules of zones are data of a machine; runs from a seed do without.
class UtcOnly : public chronos::TimeZones {
 public:
  std::shared_ptr<const chronos::Zone> find(const std::string&) const override { return nullptr; }
};
const UtcOnly kUtcOnly;

mesos::v1::FrameworkInfo framework(const std::string& id) {
  using Info = mesos::v1::FrameworkInfo;
  Info info;
  info.set_user("root");
  info.set_name("chronos");
  if (!id.empty()) info.mutable_id()->set_value(id);
  info.set_failover_timeout(604'800);
  info.set_checkpoint(true);
  info.add_roles("*");
  for (const auto capability :
       {Info::Capability::PARTITION_AWARE, Info::Capability::REGION_AWARE,
        Info::Capability::MULTI_ROLE, Info::Capability::RESERVATION_REFINEMENT,
        Info::Capability::TASK_KILLING_STATE})
    info.add_capabilities()->set_type(capability);
  return info;
}

}  // namespace

SimChronos::SimChronos(Context& context, std::string process_name, SimMaster& master,
                         chronos::Policy policy)
    : Process(context, std::move(process_name)), master_(master), policy_(std::move(policy)) {}

void SimChronos::on_boot() {
  dead_ = false;
  auto& random = context_.world.random();
  core_ = std::make_unique<chronos::Core>(policy_, name + ":4400", kUtcOnly);
  chronos::Recovered recovered;
  for (const auto& [key, value] : disk_.durable()) recovered.records.emplace_back(key, value);
  dispatch(std::move(recovered));
  if (dead_) return;
  if (after_boot) after_boot();
  client::ProtocolOptions options;
  options.masters = {"master:5050"};
  protocol_ =
      std::make_unique<client::Protocol>(options, framework(core_->state().framework_id),
                                         base::Random(random.next()));
  client::Effects out;
  protocol_->start(context_.world.now().instant, out);
  perform_client(std::move(out));
}

void SimChronos::on_crash() {
  core_.reset();
  protocol_.reset();
  events_.clear();
  busy_ = false;
  timers_.clear();
  calls_.clear();
  posts_.clear();
  ++stream_number_;
  client_timer_ = 0;
}

void SimChronos::dispatch(chronos::Event event) {
  events_.push_back(std::move(event));
  if (busy_ || dead_ || !core_) return;
  busy_ = true;
  while (!events_.empty() && !dead_) {
    const chronos::Event next = std::move(events_.front());
    events_.pop_front();
    chronos::Effects out;
    core_->on(next, clock(), out);
    for (chronos::Effect& effect : out.list) {
      if (dead_) break;
      if (crash_point()) {
        dead_ = true;
        break;
      }
      perform(effect);
    }
  }
  busy_ = false;
}

void SimChronos::perform(chronos::Effect& effect) {
  World& world = context_.world;
  if (auto* reply = std::get_if<chronos::Reply>(&effect)) {
    const auto found = calls_.find(reply->call);
    if (found == calls_.end()) return;
    const auto answered = std::move(found->second);
    calls_.erase(found);
    answered(reply->response);
  } else if (auto* persist = std::get_if<chronos::Persist>(&effect)) {
    Disk::Writes writes;
    for (auto& write : persist->writes)
      writes.emplace_back(std::move(write.key), std::move(write.value));
    disk_.commit(std::move(writes), [this, ticket = persist->ticket](base::Status status) {
      dispatch(chronos::Persisted{ticket, std::move(status)});
    });
  } else if (auto* send = std::get_if<chronos::SendCall>(&effect)) {
    if (!protocol_) return;
    client::Effects out;
    protocol_->send(*send->call, out);
    perform_client(std::move(out));
  } else if (auto* timer = std::get_if<chronos::SetTimer>(&effect)) {
    set_timer(*timer);
  } else if (auto* cancel = std::get_if<chronos::CancelTimer>(&effect)) {
    timers_.erase(cancel->timer);
  } else if (auto* notice = std::get_if<chronos::Notify>(&effect)) {
    world.trace(name, notice->subject);
  } else if (auto* exit = std::get_if<chronos::Exit>(&effect)) {
    world.trace(name, "exits: " + exit->reason);
    // Nothing in these runs justifies an end for one of these reasons.
    if (exit->code != 106) world.fail(name + " gives up: " + exit->reason);
    dead_ = true;
    world.after(base::Duration::zero(), [this, now_epoch = epoch] {
      if (epoch == now_epoch) crash();
    });
  } else if (auto* trace = std::get_if<chronos::Trace>(&effect)) {
    world.trace(name, trace->text);
  }
}

void SimChronos::set_timer(const chronos::SetTimer& timer) {
  World& world = context_.world;
  const uint64_t generation = next_++;
  timers_[timer.timer] = generation;
  const base::Duration delay = std::max(timer.at - world.now().instant, base::Duration::zero());
  world.after(*this, delay, [this, key = timer.timer, generation] {
    const auto found = timers_.find(key);
    if (found == timers_.end() || found->second != generation) return;
    timers_.erase(found);
    dispatch(chronos::TimerFired{key});
  });
}

base::Now SimChronos::clock() const {
  base::Now now = context_.world.now();
  now.time = now.time + clock_offset_;
  return now;
}

void SimChronos::set_clock(base::Duration offset, bool noticed) {
  clock_offset_ = offset;
  if (up() && noticed) dispatch(chronos::ClockJumped{});
}

void SimChronos::request(base::http::Request request,
                          std::function<void(const base::http::Response&)> answered) {
  if (!up()) return;
  const chronos::CallId call = next_++;
  calls_[call] = std::move(answered);
  dispatch(chronos::HttpRequested{call, std::move(request)});
}

base::http::Response SimChronos::get(const std::string& target) {
  base::http::Request http;
  http.method = "GET";
  http.target = http.path = target;
  base::http::Response response;
  response.status = 0;
  request(std::move(http), [&response](const base::http::Response& r) { response = r; });
  return response;
}

void SimChronos::perform_client(client::Effects effects) {
  for (client::Effect& effect : effects) {
    if (dead_ || !protocol_) return;
    if (auto* opening = std::get_if<client::OpenStream>(&effect)) {
      open(*opening);
    } else if (std::holds_alternative<client::CloseStream>(effect)) {
      close();
    } else if (auto* call = std::get_if<client::PostCall>(&effect)) {
      post(*call);
    } else if (auto* timer = std::get_if<client::SetTimer>(&effect)) {
      const uint64_t generation = client_timer_ = next_++;
      const base::Duration delay =
          std::max(timer->at - context_.world.now().instant, base::Duration::zero());
      context_.world.after(*this, delay, [this, generation] {
        if (generation != client_timer_ || !protocol_) return;
        client::Effects out;
        protocol_->on_timer(context_.world.now().instant, out);
        perform_client(std::move(out));
      });
    } else if (auto* event = std::get_if<client::DeliverEvent>(&effect)) {
      dispatch(chronos::MasterEvent{event->event});
    } else if (auto* gone = std::get_if<client::Disconnected>(&effect)) {
      context_.world.trace(name, "disconnected: " + gone->reason);
      dispatch(chronos::MasterLost{});
    } else if (auto* note = std::get_if<client::Note>(&effect)) {
      context_.world.trace(name, note->text);
    }
  }
}

void SimChronos::open(const client::OpenStream& request) {
  close();
  mesos::v1::scheduler::Call call;
  CHECK(static_cast<bool>(api::decode(api::ContentType::Protobuf, request.body, call)));
  const uint64_t number = stream_number_;
  head_seen_ = false;
  const auto subscription = master_.subscribe(
      *this, call,
      [this, number](const mesos::v1::scheduler::Event& event) {
        if (number == stream_number_ && !dead_) on_master_event(event);
      },
      [this, number] {
        if (number != stream_number_ || dead_) return;
        client::Effects out;
        protocol_->on_end("the stream broke", context_.world.now().instant, out);
        perform_client(std::move(out));
      });
  stream_ = subscription.stream;
  stream_id_ = subscription.stream_id;
}

void SimChronos::close() {
  ++stream_number_;
  if (stream_ != 0) context_.network.close(stream_, 0);
  stream_ = 0;
}

void SimChronos::on_master_event(const mesos::v1::scheduler::Event& event) {
  if (event.type() == mesos::v1::scheduler::Event::UPDATE) {
    const auto& status = event.update().status();
    context_.world.trace(name, fmt::format("hears {} {} {}", status.task_id().value(),
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
    perform_client(std::move(out));
    if (number != stream_number_ || dead_) return;
  }
  client::Effects out;
  protocol_->on_data(api::encode_record(api::ContentType::Protobuf, event), now, out);
  perform_client(std::move(out));
}

void SimChronos::post(const client::PostCall& request) {
  mesos::v1::scheduler::Call call;
  CHECK(static_cast<bool>(api::decode(api::ContentType::Protobuf, request.body, call)));
  if (context_.world.printing()) {
    std::string what = mesos::v1::scheduler::Call::Type_Name(call.type());
    for (const auto& operation : call.accept().operations()) {
      for (const auto& task : operation.launch().task_infos()) what += " " + task.task_id().value();
    }
    if (call.has_kill()) what += " " + call.kill().task_id().value();
    context_.world.note(name, "calls " + what);
  }
  const uint64_t id = request.id;
  // A connection of its own: calls that may overtake each other do.
  const StreamId stream =
      master_.dial_calls(*this, [this, id] { posted(id, 0, "the connection broke"); });
  posts_[id] = stream;
  master_.call(stream, std::string(request.headers.get_or("Mesos-Stream-Id", "")), call,
               [this, id](int status, const std::string& text) { posted(id, status, text); });
  context_.world.after(*this, kCallTimeout, [this, id] { posted(id, 0, "no answer in time"); });
}

void SimChronos::posted(uint64_t id, int status, const std::string& text) {
  const auto found = posts_.find(id);
  if (found == posts_.end() || dead_) return;
  context_.network.close(found->second, 0);
  posts_.erase(found);
  client::Effects out;
  protocol_->on_call_done(id, status, text, context_.world.now().instant, out);
  perform_client(std::move(out));
}

}  // namespace sim
