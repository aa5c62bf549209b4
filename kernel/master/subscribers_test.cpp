#include "kernel/master/subscribers.hpp"

#include <gtest/gtest.h>

#include "base/http/client.hpp"
#include "base/recordio.hpp"
#include "kernel/master/testing.hpp"

namespace master {
namespace {

using OperatorEvent = mesos::v1::master::Event;

/// Streams over loopback, server and clients on one loop.
class Streams : public ::testing::Test {
 protected:
  struct Reader {
    base::http::ClientCall call;
    base::RecordDecoder decoder;
    std::vector<std::string> got;
    bool ended = false;
  };

  void serve(Subscribers::Options options) {
    subscribers_ = std::make_unique<Subscribers>(loop_, pool_, options);
    const auto handler = [this](const base::http::Request& request, const base::http::Responder& responder) {
      const auto type = request.path == "/json" ? api::ContentType::Json : api::ContentType::Protobuf;
      subscribers_->open(responder.stream(base::http::Response()), type, Visibility(nullptr, ""), [this] {
        ++pictures_;
        auto picture = std::make_shared<Snapshot>();
        AgentInfo info;
        info.set_hostname("h");
        for (int i = 0; i < published_; ++i) picture->recovered_agents.push_back(std::make_shared<const AgentInfo>(info));
        return picture;
      });
    };
    server_ = std::make_unique<base::http::Server>(loop_, base::http::ServerOptions(), handler);
    port_ = server_->listen("127.0.0.1", 0).value();
  }

  Reader& read(const std::string& target) {
    readers_.push_back(std::make_unique<Reader>());
    Reader& reader = *readers_.back();
    base::http::ClientRequest request;
    request.url.host = "127.0.0.1";
    request.url.port = port_;
    request.url.target = target;
    const auto type = target == "/json" ? api::ContentType::Json : api::ContentType::Protobuf;
    base::http::StreamCallbacks callbacks;
    callbacks.on_head = [](const base::http::Response&) {};
    callbacks.on_data = [&reader, type](std::string_view data) {
      std::vector<std::string> records;
      EXPECT_TRUE(reader.decoder.feed(data, records).has_value());
      for (const std::string& record : records) {
        OperatorEvent event;
        EXPECT_TRUE(api::decode(type, record, event).has_value());
        if (event.type() == OperatorEvent::SUBSCRIBED) {
          reader.got.push_back("picture of " + std::to_string(event.subscribed().get_state().get_agents().recovered_agents_size()));
        } else if (event.type() == OperatorEvent::AGENT_REMOVED) {
          reader.got.push_back(event.agent_removed().agent_id().value());
        }
      }
    };
    callbacks.on_end = [&reader](const base::Status&) { reader.ended = true; };
    reader.call = client_.stream(std::move(request), std::move(callbacks));
    return reader;
  }

  void publish(const std::string& filler = {}) {
    OperatorEvent event;
    event.set_type(OperatorEvent::AGENT_REMOVED);
    event.mutable_agent_removed()->mutable_agent_id()->set_value(std::to_string(published_++) + filler);
    subscribers_->publish(event);
  }

  void run_until(const std::function<bool()>& done) {
    const auto timer = loop_.every(base::milliseconds(1), [&] {
      if (done()) loop_.stop();
    });
    loop_.run();
    loop_.cancel(timer);
  }

  base::Loop loop_;
  base::Pool pool_{loop_, 1};
  std::unique_ptr<Subscribers> subscribers_;
  std::unique_ptr<base::http::Server> server_;
  base::http::Client client_{loop_, {.max_connections_per_host = 200}};
  std::vector<std::unique_ptr<Reader>> readers_;
  uint16_t port_ = 0;
  int pictures_ = 0, published_ = 0;
};

/// What a reader has must be a picture and then everything that it does not show, in order, once.
void expect_gapless(const std::vector<std::string>& got, int published) {
  ASSERT_FALSE(got.empty());
  int next = 0;
  ASSERT_EQ(std::sscanf(got.front().c_str(), "picture of %d", &next), 1);
  for (size_t i = 1; i < got.size(); ++i) EXPECT_EQ(got[i], std::to_string(next++));
  EXPECT_EQ(next, published);
}

TEST_F(Streams, show_a_picture_and_every_later_event_whenever_they_begin) {
  serve({.pause_per_stream = base::milliseconds(1)});
  for (int round = 0; round < 20; ++round) {
    read(round % 2 == 0 ? "/json" : "/protobuf");
    read("/protobuf");
    publish();
    const size_t all = readers_.size();
    run_until([&] { return subscribers_->size() == all; });
    publish();
  }
  run_until([&] {
    return std::all_of(readers_.begin(), readers_.end(), [&](const auto& reader) {
      return !reader->got.empty() && (reader->got.back() == std::to_string(published_ - 1) || reader->got.back() == "picture of 40");
    });
  });
  for (const auto& reader : readers_) expect_gapless(reader->got, published_);
  EXPECT_LT(pictures_, 40) << "those that come together share one";
}

TEST_F(Streams, that_are_not_read_are_cut_off_and_the_others_go_on) {
  serve({.most_queued_bytes = 256 << 10});
  Reader& lazy = read("/protobuf");
  Reader& eager = read("/protobuf");
  run_until([&] { return !lazy.got.empty() && !eager.got.empty(); });
  lazy.call.pause(true);
  const std::string filler(10'000, 'x');
  const auto feeding = loop_.every(base::milliseconds(1), [&] {
    for (int i = 0; i < 10; ++i) publish(filler);
  });
  run_until([&] { return subscribers_->cut() > 0; });
  loop_.cancel(feeding);
  EXPECT_EQ(subscribers_->size(), 1U);
  publish();
  run_until([&] { return eager.got.back() == std::to_string(published_ - 1); });
  EXPECT_FALSE(eager.ended);
}

TEST_F(Streams, give_way_to_newer_ones_beyond_the_limit) {
  serve({.most_streams = 2});
  Reader& first = read("/json");
  run_until([&] { return !first.got.empty(); });
  Reader& second = read("/json");
  Reader& third = read("/json");
  run_until([&] { return first.ended && !second.got.empty() && !third.got.empty(); });
  EXPECT_EQ(subscribers_->size(), 2U);
}

}  // namespace
}  // namespace master
