#pragma once

// The daemon's parts over loopback, and those who talk to them: a scheduler's stream, an agent's link.

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/http/client.hpp"
#include "base/json/proto.hpp"
#include "base/recordio.hpp"
#include "kernel/api/content.hpp"
#include "kernel/api/internal/agent_link.pb.h"
#include "kernel/master/shell.hpp"
#include "kernel/master/testing.hpp"

namespace master::testing {

namespace link = dcos::internal::v1;
using base::http::Response;
using mesos::v1::scheduler::Call;
using SchedulerEvent = mesos::v1::scheduler::Event;

/// A master on a thread of its own.
class Master {
 public:
  explicit Master(const std::string& work_dir = {}, const std::vector<std::string>& more = {},
                  const std::function<void(master::Flags&)>& change = nullptr) {
    const std::string directory = "--work_dir=" + work_dir;
    std::vector<const char*> arguments{"dcos-master", "--ip=127.0.0.1", "--port=0", "--agent_link_port=0"};
    arguments.push_back(work_dir.empty() ? "--registry=in_memory" : directory.c_str());
    for (const std::string& argument : more) arguments.push_back(argument.c_str());
    EXPECT_TRUE(flags_.parse(static_cast<int>(arguments.size()), arguments.data(), {}).has_value());
    if (change) change(flags_);
    loop_ = std::make_unique<base::Loop>();
    std::unique_ptr<base::Store> store;
    if (!work_dir.empty()) store = *base::open_store(*loop_, "sqlite:" + work_dir + "/registry.db");
    shell_ = std::make_unique<master::Shell>(*loop_, flags_, std::move(store));
    const base::Status started = shell_->start();
    EXPECT_TRUE(started.has_value()) << (started ? "" : started.error().message);
    port_ = shell_->http_port();
    thread_ = std::thread([this] { loop_->run(); });
    while (get("/roles").status == 503) std::this_thread::yield();
  }

  ~Master() {
    loop_->stop();
    thread_.join();
    shell_.reset();
    loop_.reset();
  }

  Response get(const std::string& target) const { return request("GET", target, {}, {}); }

  Response request(const std::string& method, const std::string& target, base::http::Headers headers, std::string body) const {
    base::http::ClientRequest request;
    request.method = method;
    request.url.host = "127.0.0.1";
    request.url.port = port_;
    request.url.target = target;
    request.headers = std::move(headers);
    request.body = std::move(body);
    auto answer = base::http::fetch(std::move(request));
    EXPECT_TRUE(answer.has_value()) << (answer ? "" : answer.error().message);
    return answer ? std::move(*answer) : Response();
  }

  Response post(const std::string& target, const std::string& json, const std::string& stream_id = {}) const {
    base::http::Headers headers{{"Content-Type", "application/json"}};
    if (!stream_id.empty()) headers.add("Mesos-Stream-Id", stream_id);
    return request("POST", target, std::move(headers), json);
  }

  uint16_t port() const { return port_; }

 private:
  master::Flags flags_;
  std::unique_ptr<base::Loop> loop_;
  std::unique_ptr<master::Shell> shell_;
  std::thread thread_;
  uint16_t port_ = 0;
};

/// A SUBSCRIBE stream, read until something arrives.
class Scheduler {
 public:
  explicit Scheduler(const Master& master, const std::string& subscribe, const std::string& target = "/api/v1/scheduler")
      : client_(loop_) {
    base::http::ClientRequest request;
    request.method = "POST";
    request.url.host = "127.0.0.1";
    request.url.port = master.port();
    request.url.target = target;
    request.headers = {{"Content-Type", "application/json"}, {"Accept", "application/json"}};
    request.body = subscribe;
    base::http::StreamCallbacks callbacks;
    callbacks.on_head = [this](const Response& head) {
      status = head.status;
      stream_id = head.headers.get_or("Mesos-Stream-Id", "");
    };
    callbacks.on_data = [this](std::string_view data) {
      EXPECT_TRUE(decoder_.feed(data, records_).has_value());
      loop_.stop();
    };
    callbacks.on_end = [this](base::Status) {
      ended = true;
      loop_.stop();
    };
    call_ = client_.stream(std::move(request), std::move(callbacks));
  }

  /// The next record that is no heartbeat; empty when the stream ended.
  std::string next() {
    const auto limit = loop_.after(base::seconds(30), [this] {
      ADD_FAILURE() << "nothing arrives";
      ended = true;
      loop_.stop();
    });
    for (;;) {
      while (!records_.empty()) {
        std::string record = std::move(records_.front());
        records_.erase(records_.begin());
        if (record.find("\"HEARTBEAT\"") == std::string::npos) {
          loop_.cancel(limit);
          return record;
        }
      }
      if (ended) break;
      loop_.run();
    }
    loop_.cancel(limit);
    return {};
  }

  SchedulerEvent next_event() {
    SchedulerEvent event;
    EXPECT_TRUE(base::json::proto_from_json(next(), event).has_value());
    return event;
  }

  int status = 0;
  std::string stream_id;
  bool ended = false;

 private:
  base::Loop loop_;
  base::http::Client client_;
  base::http::ClientCall call_;
  base::RecordDecoder decoder_;
  std::vector<std::string> records_;
};

/// An agent as far as the master can tell. Its link is real; gRPC stays in testing_daemon.cpp.
class FakeAgent {
 public:
  explicit FakeAgent(const Master& master);
  ~FakeAgent();

  void send(const link::AgentMessage& message);

  /// The next message that is no ping.
  link::MasterMessage next();

  /// The id that the master gives it.
  std::string register_new(const std::string& resources = "cpus:4;mem:1024;ports:[31000-32000]");

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

constexpr char kSubscribe[] =
    R"({"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"nobody","name":"f","checkpoint":true,"failover_timeout":60}}})";

}  // namespace master::testing
