#include "kernel/agent/container_streams.hpp"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <deque>
#include <map>
#include <set>

#include "base/log.hpp"
#include "base/recordio.hpp"
#include "kernel/agent/core.hpp"
#include "kernel/agent/output_follower.hpp"
#include "kernel/api/mesos/v1/agent/agent.pb.h"
#include "kernel/containerizer/fd_watch.hpp"
#include "kernel/containerizer/launch/format.hpp"

namespace agent {
namespace {

using base::http::Responder;
using base::http::Response;
using base::http::Stream;
using Call = mesos::v1::agent::Call;
using mesos::v1::agent::ProcessIO;

constexpr size_t kMaxStreams = 1000;
constexpr size_t kMaxBacklog = 256 << 10;      // of output that a reader has not taken
constexpr size_t kMaxInputRecord = 1 << 20;
constexpr int kPacketsPerTurn = 32;

bool refuse(const Responder& responder, const base::Error& error) {
  const int status = error.code == base::Code::NotFound ? 404 : 500;
  responder.reply(Response::text(status, error.message));
  return false;
}

struct Output {
  std::string container;
  StreamFormat format;
  Stream stream;
  std::unique_ptr<containerizer::FdWatch> watch;   // of the helper that holds its terminal or pipes
  std::unique_ptr<OutputFollower> follower;        // of a container whose output goes to files
};

struct Input {
  explicit Input(const Responder& r) : responder(r), decoder(kMaxInputRecord) {}
  api::ContentType type = api::ContentType::Json;
  Responder responder;
  base::RecordDecoder decoder;
  std::string container;
  std::unique_ptr<containerizer::FdWatch> watch;
  std::deque<std::string> packets;   // not taken by the helper yet
  bool waiting = false, ended = false;
};

}  // namespace

struct ContainerStreams::Impl : std::enable_shared_from_this<ContainerStreams::Impl> {
  Impl(base::Loop& l, containerizer::Containerizer& c, base::Metrics& m) : loop(l), containers(c), metrics(m) {}

  // --- output ---

  void pump(const std::shared_ptr<Output>& output) {
    char packet[containerizer::launch::kMaxPacket];
    for (int i = 0; i < kPacketsPerTurn && output->watch; ++i) {
      const ssize_t length = recv(output->watch->fd(), packet, sizeof packet, MSG_DONTWAIT);
      if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
      if (length <= 0) return close(output);
      if (!tell(output, packet[0] == containerizer::launch::kErrorOutput, {packet + 1, static_cast<size_t>(length) - 1})) return;
      if (output->stream.queued_bytes() > kMaxBacklog) return output->watch->pause(true);
    }
  }

  /// False when the reader has gone.
  bool tell(const std::shared_ptr<Output>& output, bool error_output, std::string_view data) {
    ProcessIO message;
    message.set_type(ProcessIO::DATA);
    message.mutable_data()->set_type(error_output ? ProcessIO::Data::STDERR : ProcessIO::Data::STDOUT);
    message.mutable_data()->set_data(std::string(data));
    metrics.counter("containerizer/streams/output_bytes").increment(data.size());
    if (output->stream.write(api::encode_record(output->format.type, message))) return true;
    close(output);
    return false;
  }

  /// The output of a container that was launched without a terminal, from now on.
  base::Status follow(const std::shared_ptr<Output>& output) {
    ASSIGN_OR_RETURN(auto files, containers.outputs(output->container));
    const std::weak_ptr<Output> weak = output;
    ASSIGN_OR_RETURN(output->follower,
                     OutputFollower::begin(
                         loop, std::move(files),
                         [this, weak](bool error_output, std::string_view data) {
                           const auto held = weak.lock();
                           if (held && tell(held, error_output, data) && held->stream.queued_bytes() > kMaxBacklog)
                             held->follower->pause(true);
                         },
                         [this, weak] {
                           if (const auto held = weak.lock()) close(held);
                         }));
    return {};
  }

  void close(const std::shared_ptr<Output>& output) {
    if (outputs.erase(output) == 0) return;
    output->watch.reset();
    output->follower.reset();
    output->stream.close();
  }

  void heartbeat() {
    ProcessIO message;
    message.set_type(ProcessIO::CONTROL);
    message.mutable_control()->set_type(ProcessIO::Control::HEARTBEAT);
    message.mutable_control()->mutable_heartbeat()->mutable_interval()->set_nanoseconds(interval.count());
    for (const auto& output : std::set(outputs))  // a write may end one
      if (output->stream.queued_bytes() < kMaxBacklog) output->stream.write(api::encode_record(output->format.type, message));
  }

  // --- input ---

  void end(const std::shared_ptr<Input>& input, int status, const std::string& text) {
    if (input->ended) return;
    input->ended = true;
    if (!input->container.empty()) attached.erase(input->container);
    inputs.erase(input);
    input->watch.reset();
    input->packets.clear();
    input->responder.on_body([](std::string_view, bool) {});
    input->responder.reply(Response::text(status, text));
  }

  void received(const std::shared_ptr<Input>& input, std::string_view data, bool last,
                const Refusal& refusal) {
    if (input->ended) return;
    std::vector<std::string> records;
    if (base::Status status = input->decoder.feed(data, records); !status)
      return end(input, 400, "Failed to decode the request's records: " + status.error().message);
    for (const auto& record : records) {
      Call call;
      if (base::Status status = api::decode(input->type, record, call); !status) return end(input, 400, status.error().message);
      if (call.type() != Call::ATTACH_CONTAINER_INPUT)
        return end(input, 415, "A body of application/recordio is not supported for " + Call::Type_Name(call.type()));
      if (!call.has_attach_container_input())
        return end(input, 400, "Expecting calls of the type ATTACH_CONTAINER_INPUT only");
      if (!take(input, call.attach_container_input(), refusal)) return;
    }
    flush(input);
    if (last && !input->ended && input->packets.empty()) end(input, 200, "");
    if (last && !input->ended) closing.insert(input);
  }

  /// False when the request has been answered.
  bool take(const std::shared_ptr<Input>& input, const Call::AttachContainerInput& call,
            const Refusal& refusal) {
    using Type = Call::AttachContainerInput;
    if (input->container.empty()) {
      if (call.type() != Type::CONTAINER_ID || !call.has_container_id())
        return end(input, 400, "Expecting the first record to be of type CONTAINER_ID"), false;
      return connect(input, container_text(call.container_id()), refusal);
    }
    if (call.type() != Type::PROCESS_IO || !call.has_process_io())
      return end(input, 400, "Expecting records after the first to be of type PROCESS_IO"), false;
    const ProcessIO& io = call.process_io();
    if (io.type() == ProcessIO::CONTROL) {
      if (io.control().type() != ProcessIO::Control::TTY_INFO) return true;  // a heartbeat
      const auto& size = io.control().tty_info().window_size();
      const unsigned short numbers[2] = {static_cast<unsigned short>(size.rows()), static_cast<unsigned short>(size.columns())};
      std::string packet(1, containerizer::launch::kWindow);
      packet.append(reinterpret_cast<const char*>(numbers), sizeof numbers);
      input->packets.push_back(std::move(packet));
      return true;
    }
    if (io.type() != ProcessIO::DATA || io.data().type() != ProcessIO::Data::STDIN)
      return end(input, 400, "Expecting data of type STDIN"), false;
    const std::string& data = io.data().data();
    if (data.empty()) input->packets.emplace_back(1, containerizer::launch::kEndOfInput);
    constexpr size_t kPiece = containerizer::launch::kMaxPacket - 1;
    for (size_t at = 0; at < data.size(); at += kPiece)
      input->packets.push_back(containerizer::launch::kInput + data.substr(at, kPiece));
    metrics.counter("containerizer/streams/input_bytes").increment(data.size());
    return true;
  }

  bool connect(const std::shared_ptr<Input>& input, const std::string& container,
               const Refusal& refusal) {
    if (const auto refused = refusal(container)) return end(input, refused->status, refused->message), false;
    if (attached.contains(container)) return end(input, 409, "Multiple input connections are not allowed"), false;
    auto connection = containers.attach(container);
    if (!connection)
      return end(input, connection.error().code == base::Code::NotFound ? 404 : 500, connection.error().message), false;
    input->container = container;
    attached.insert(container);
    input->watch = std::make_unique<containerizer::FdWatch>(loop, std::move(*connection),
                                                            [self = shared_from_this(), weak = std::weak_ptr(input)] {
                                                              // The helper never writes here: this is its end.
                                                              if (const auto held = weak.lock()) self->end(held, 200, "");
                                                            });
    return true;
  }

  void flush(const std::shared_ptr<Input>& input) {
    while (!input->packets.empty() && input->watch) {
      const std::string& packet = input->packets.front();
      if (send(input->watch->fd(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
        input->packets.pop_front();
        continue;
      }
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != ENOBUFS) return end(input, 200, "");  // the container has ended
      if (!input->waiting) input->responder.pause_body(true);
      input->waiting = true;
      input->watch->when_writable([self = shared_from_this(), weak = std::weak_ptr(input)] {
        if (const auto held = weak.lock()) self->flush(held);
      });
      return;
    }
    if (input->waiting) input->responder.pause_body(false);
    input->waiting = false;
    if (closing.erase(input) > 0) end(input, 200, "");
  }

  base::Loop& loop;
  containerizer::Containerizer& containers;
  base::Metrics& metrics;
  base::Duration interval{};
  base::Loop::TimerId timer = 0;
  std::set<std::shared_ptr<Output>> outputs;
  std::set<std::shared_ptr<Input>> inputs, closing;
  std::set<std::string> attached;   // containers that have an input
};

ContainerStreams::ContainerStreams(base::Loop& loop, containerizer::Containerizer& containers, base::Metrics& metrics,
                                   base::Duration heartbeat)
    : impl_(std::make_shared<Impl>(loop, containers, metrics)) {
  impl_->interval = heartbeat;
  impl_->timer = loop.every(heartbeat, [impl = impl_.get()] { impl->heartbeat(); });
  metrics.gauge("containerizer/streams/outputs", [impl = impl_.get()] { return static_cast<double>(impl->outputs.size()); });
  metrics.gauge("containerizer/streams/inputs", [impl = impl_.get()] { return static_cast<double>(impl->inputs.size()); });
}

ContainerStreams::~ContainerStreams() {
  impl_->loop.cancel(impl_->timer);
  for (const auto& output : std::exchange(impl_->outputs, {})) {
    output->watch.reset();
    output->follower.reset();
    output->stream.abort();
  }
  for (const auto& input : std::exchange(impl_->inputs, {})) {
    input->ended = true;
    input->watch.reset();
  }
  impl_->closing.clear();
}

bool ContainerStreams::output(const std::string& container, StreamFormat format, const Responder& responder) {
  if (impl_->outputs.size() >= kMaxStreams) {
    responder.reply(Response::text(503, "Too many readers are attached to containers of this agent"));
    return false;
  }
  auto output = std::make_shared<Output>();
  output->container = container;
  output->format = format;
  auto connection = impl_->containers.attach(container);
  if (!connection) {
    // Without a terminal its output is in files.
    const bool in_files = connection.error().code == base::Code::Unsupported;
    if (const base::Status followed = in_files ? impl_->follow(output) : base::Status(connection.error()); !followed)
      return refuse(responder, followed.error());
  } else if (const char want = containerizer::launch::kWantOutput; send(connection->get(), &want, 1, MSG_NOSIGNAL) != 1) {
    return refuse(responder, base::not_found("container " + container + " has ended"));
  }
  Response head;
  head.headers.set("Content-Type", std::string(format.recordio ? api::kRecordioMedia : api::media_type(format.type)));
  if (format.recordio) head.headers.set("Message-Content-Type", std::string(api::media_type(format.type)));
  output->stream = responder.stream(std::move(head));
  impl_->outputs.insert(output);
  std::weak_ptr<Output> weak = output;
  output->stream.on_disconnect([impl = impl_, weak] {
    if (const auto held = weak.lock()) impl->close(held);
  });
  output->stream.on_drained([weak] {
    const auto held = weak.lock();
    if (held && held->watch) held->watch->pause(false);
    if (held && held->follower) held->follower->pause(false);
  });
  if (!connection) return true;
  output->watch = std::make_unique<containerizer::FdWatch>(impl_->loop, std::move(*connection), [impl = impl_, weak] {
    if (const auto held = weak.lock()) impl->pump(held);
  });
  return true;
}

void ContainerStreams::input(api::ContentType type, const Responder& responder, Refusal refusal) {
  if (impl_->inputs.size() >= kMaxStreams)
    return responder.reply(Response::text(503, "Too many writers are attached to containers of this agent"));
  auto input = std::make_shared<Input>(responder);
  input->type = type;
  impl_->inputs.insert(input);
  std::weak_ptr<Input> weak = input;
  responder.on_disconnect([impl = impl_, weak] {
    const auto held = weak.lock();
    if (!held || held->ended) return;
    held->ended = true;
    if (!held->container.empty()) impl->attached.erase(held->container);
    impl->closing.erase(held);
    impl->inputs.erase(held);
    held->watch.reset();
  });
  responder.on_body([impl = impl_, weak, refusal = std::move(refusal)](std::string_view data, bool last) {
    if (const auto held = weak.lock()) impl->received(held, data, last, refusal);
  });
}

}  // namespace agent
