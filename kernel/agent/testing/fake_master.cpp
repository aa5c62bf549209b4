#include "kernel/agent/testing/fake_master.hpp"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/http/server.hpp"
#include "base/loop.hpp"
#include "base/testing/patience.hpp"
#include "kernel/api/internal/agent_link_service.grpc.pb.h"

namespace agent::testing {

using dcos::internal::v1::AgentMessage;
using dcos::internal::v1::MasterMessage;

namespace {
class Reactor;
}

struct FakeMaster::Impl : dcos::internal::v1::AgentLink::CallbackService {
  grpc::ServerBidiReactor<AgentMessage, MasterMessage>* Connect(grpc::CallbackServerContext* context) override;

  void take(const AgentMessage& message);
  void send(const MasterMessage& message);

  mutable std::mutex mutex;
  mutable std::condition_variable changed;
  std::vector<AgentMessage> received;
  bool admit = true, acknowledge = true;
  int registrations = 0;
  std::function<void(const mesos::v1::TaskStatus&)> observer;
  Reactor* current = nullptr;
  std::unique_ptr<grpc::Server> grpc;
  int grpc_port = 0;
  uint16_t http_port = 0;
  base::Loop loop;
  std::unique_ptr<base::http::Server> http;
  std::thread thread;
};

namespace {

class Reactor final : public grpc::ServerBidiReactor<AgentMessage, MasterMessage> {
 public:
  explicit Reactor(FakeMaster::Impl& master) : master_(master) { StartRead(&incoming_); }

  void send(const MasterMessage& message) {
    const std::lock_guard lock(mutex_);
    queue_.push_back(message);
    if (queue_.size() == 1) StartWrite(&queue_.front());
  }

  void end() {
    if (!ended_.exchange(true)) Finish(grpc::Status::OK);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return end();
    master_.take(incoming_);
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    queue_.pop_front();
    if (ok && !queue_.empty()) StartWrite(&queue_.front());
  }

  void OnDone() override {
    {
      const std::lock_guard lock(master_.mutex);
      if (master_.current == this) master_.current = nullptr;
    }
    delete this;
  }

 private:
  FakeMaster::Impl& master_;
  AgentMessage incoming_;
  std::mutex mutex_;
  std::deque<MasterMessage> queue_;
  std::atomic<bool> ended_ = false;
};

}  // namespace

grpc::ServerBidiReactor<AgentMessage, MasterMessage>* FakeMaster::Impl::Connect(grpc::CallbackServerContext*) {
  auto* reactor = new Reactor(*this);
  const std::lock_guard lock(mutex);
  current = reactor;
  return reactor;
}

void FakeMaster::Impl::send(const MasterMessage& message) {
  const std::lock_guard lock(mutex);
  if (current != nullptr) current->send(message);
}

void FakeMaster::Impl::take(const AgentMessage& message) {
  if (observer && message.has_status_update()) observer(message.status_update().status());
  MasterMessage answer;
  {
    const std::lock_guard lock(mutex);
    received.push_back(message);
    if (admit && message.has_register_agent()) {
      answer.mutable_registered()->mutable_agent_id()->set_value("agent-1");
      answer.mutable_registered()->set_total_ping_timeout_seconds(600);
    }
    if (admit && message.has_reregister_agent()) {
      answer.mutable_reregistered()->mutable_agent_id()->CopyFrom(message.reregister_agent().agent_info().id());
      answer.mutable_reregistered()->set_total_ping_timeout_seconds(600);
    }
    if (acknowledge && message.has_status_update()) {
      auto* ack = answer.mutable_acknowledge_status_update();
      ack->mutable_framework_id()->CopyFrom(message.status_update().framework_id());
      ack->mutable_task_id()->CopyFrom(message.status_update().status().task_id());
      ack->set_uuid(message.status_update().status().uuid());
    }
  }
  if (answer.message_case() != MasterMessage::MESSAGE_NOT_SET) send(answer);
  if (message.has_register_agent() || message.has_reregister_agent()) {
    // After its answer: what a test sends from here on finds the agent registered.
    const std::lock_guard lock(mutex);
    ++registrations;
  }
  changed.notify_all();
}

FakeMaster::FakeMaster() : impl_(std::make_shared<Impl>()) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &impl_->grpc_port);
  builder.RegisterService(impl_.get());
  impl_->grpc = builder.BuildAndStart();
  impl_->http = std::make_unique<base::http::Server>(
      impl_->loop, base::http::ServerOptions{}, [impl = impl_.get()](base::http::Request request, base::http::Responder responder) {
        if (request.path != "/agent-link") return responder.reply(base::http::Response::text(404, ""));
        responder.reply(base::http::Response::json(
            200, R"({"address":"127.0.0.1:)" + std::to_string(impl->grpc_port) + R"("})"));
      });
  impl_->http_port = impl_->http->listen("127.0.0.1", 0).value_or(0);
  impl_->thread = std::thread([impl = impl_.get()] { impl->loop.run(); });
}

FakeMaster::~FakeMaster() {
  disconnect();
  impl_->grpc->Shutdown(gpr_now(GPR_CLOCK_REALTIME));
  impl_->loop.stop();
  impl_->thread.join();
  impl_->http.reset();
}

std::string FakeMaster::address() const { return "127.0.0.1:" + std::to_string(impl_->http_port); }

void FakeMaster::set_admit(bool admit) {
  const std::lock_guard lock(impl_->mutex);
  impl_->admit = admit;
}

void FakeMaster::set_acknowledge(bool acknowledge) {
  const std::lock_guard lock(impl_->mutex);
  impl_->acknowledge = acknowledge;
}

void FakeMaster::set_observer(std::function<void(const mesos::v1::TaskStatus&)> observer) {
  impl_->observer = std::move(observer);
}

void FakeMaster::send(const MasterMessage& message) { impl_->send(message); }

void FakeMaster::acknowledge(const dcos::internal::v1::StatusUpdate& update) {
  MasterMessage message;
  auto* ack = message.mutable_acknowledge_status_update();
  ack->mutable_framework_id()->CopyFrom(update.framework_id());
  ack->mutable_task_id()->CopyFrom(update.status().task_id());
  ack->set_uuid(update.status().uuid());
  send(message);
}

std::vector<AgentMessage> FakeMaster::received() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->received;
}

std::vector<mesos::v1::TaskStatus> FakeMaster::updates(const std::string& task) const {
  std::vector<mesos::v1::TaskStatus> list;
  for (const auto& message : received())
    if (message.has_status_update() && message.status_update().status().task_id().value() == task)
      list.push_back(message.status_update().status());
  return list;
}

bool FakeMaster::wait(const std::function<bool()>& condition, int seconds) const {
  const base::Instant deadline = base::system_clock().now().instant + base::seconds(seconds * base::testing::patience());
  while (!condition()) {
    std::unique_lock lock(impl_->mutex);
    if (base::system_clock().now().instant >= deadline) return false;
    impl_->changed.wait_for(lock, std::chrono::milliseconds(20));
  }
  return true;
}

bool FakeMaster::wait_for(const std::string& task, mesos::v1::TaskState state, int seconds) const {
  return wait(
      [&] {
        for (const auto& status : updates(task))
          if (status.state() == state) return true;
        return false;
      },
      seconds);
}

mesos::v1::TaskStatus FakeMaster::update(const std::string& task, mesos::v1::TaskState state) const {
  for (const auto& status : updates(task))
    if (status.state() == state) return status;
  return {};
}

int FakeMaster::registrations() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->registrations;
}

bool FakeMaster::wait_for_agent(int wanted) const {
  return wait([&] { return registrations() >= wanted; });
}

void FakeMaster::disconnect() {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->current != nullptr) impl_->current->end();
}

}  // namespace agent::testing
