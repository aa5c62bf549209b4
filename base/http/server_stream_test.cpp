// Answers and bodies that take their time: streams, streamed bodies, upgrades.

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "base/http/server.hpp"
#include "base/http/test_peer.hpp"

namespace base::http {
namespace {

TEST(Server, streams_chunks_and_tells_when_the_queue_is_empty) {
  TestServer server([](Request, Responder responder) {
    Stream stream = responder.stream(Response::text(200, ""));
    auto left = std::make_shared<int>(5);
    stream.on_drained([stream, left] {
      if ((*left)-- == 0) return stream.close();
      stream.write(std::string(1000, static_cast<char>('a' + *left)));
    });
    stream.write("first");
  });
  Peer peer(server.port());
  peer.say(get("/") + get("/2"));
  EXPECT_NE(peer.until("\r\n\r\n").find("Transfer-Encoding: chunked"), std::string::npos);
  EXPECT_EQ(peer.until("first\r\n"), "5\r\nfirst\r\n");
  EXPECT_TRUE(peer.until("0\r\n\r\n").starts_with("3e8\r\neeeee"));
  EXPECT_NE(peer.until("\r\n\r\n").find("200 OK"), std::string::npos);
}

TEST(Server, streams_to_http_1_0_until_the_connection_closes) {
  TestServer server([](Request, Responder responder) {
    Stream stream = responder.stream(Response::text(200, "a"));
    stream.write("b");
    stream.close();
  });
  Peer peer(server.port());
  peer.say("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  std::string answer = peer.rest();
  EXPECT_TRUE(answer.ends_with("\r\n\r\nab")) << answer;
}

TEST(Server, streams_a_body_of_known_length_without_chunks) {
  TestServer server([](Request request, Responder responder) {
    Response head;
    head.headers.add("Content-Length", "6");
    Stream stream = responder.stream(std::move(head));
    EXPECT_TRUE(stream.write("abc"));
    if (request.path == "/short") return stream.close();
    EXPECT_FALSE(stream.write("defg") && request.method != "HEAD");
    EXPECT_TRUE(stream.write("def"));
    stream.close();
  });
  Peer peer(server.port());
  peer.say(get("/") + "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n" + get("/"));
  EXPECT_EQ(peer.answer().second, "abcdef");
  EXPECT_NE(peer.until("\r\n\r\n").find("Content-Length: 6"), std::string::npos);
  EXPECT_EQ(peer.answer().second, "abcdef");
  peer.say(get("/short"));
  EXPECT_TRUE(peer.rest().ends_with("\r\n\r\nabc"));
}

TEST(Server, sends_what_many_share_whole_and_in_order) {
  // Larger than what one turn of the loop writes; small ones before and behind it.
  const auto large = std::make_shared<const std::string>(3 << 20, 'x');
  const auto small = std::make_shared<const std::string>("small");
  TestServer server([&](Request, Responder responder) {
    Response head;
    head.headers.add("Content-Length", std::to_string(2 * small->size() + large->size()));
    const Stream stream = responder.stream(std::move(head));
    for (const auto& piece : {small, large, small}) EXPECT_TRUE(stream.write(piece));
    stream.close();
  });
  std::vector<std::unique_ptr<Peer>> peers;
  for (int i = 0; i < 5; ++i) {
    peers.push_back(std::make_unique<Peer>(server.port()));
    peers.back()->say(get("/") + get("/again"));
  }
  for (const auto& peer : peers) {
    EXPECT_TRUE(peer->answer().second == *small + *large + *small);
    EXPECT_TRUE(peer->answer().second == *small + *large + *small);
  }
}

TEST(Server, writes_large_answers_by_turns_and_small_ones_at_once) {
  const auto large = std::make_shared<const std::string>(size_t{1} << 20, 'x');
  constexpr size_t kReaders = 8;
  constexpr size_t kMostPerTurn = size_t{256} << 10;
  std::vector<Stream> streams;  // the server's thread alone
  TestServer server([&](Request request, Responder responder) {
    Response head;
    head.headers.add("Content-Length", request.path == "/small" ? "5" : std::to_string(large->size()));
    streams.push_back(responder.stream(std::move(head)));
  });
  std::vector<std::unique_ptr<Peer>> peers;
  for (size_t i = 0; i <= kReaders; ++i) {
    peers.push_back(std::make_unique<Peer>(server.port()));
    peers.back()->say(get(i < kReaders ? "/large" : "/small"));
    while (server.on_loop([&](Server&) { return streams.size(); }) <= i) std::this_thread::yield();
  }
  // All of them in one turn of the loop, as when they waited for the same rendering.
  size_t large_left = 0, small_left = 0;
  server.on_loop([&](Server&) {
    for (size_t i = 0; i < kReaders; ++i) streams[i].write(large);
    streams.back().write("small");
    for (size_t i = 0; i < kReaders; ++i) large_left += streams[i].queued_bytes();
    small_left = streams.back().queued_bytes();
    for (const Stream& stream : streams) stream.close();
    return streams.clear(), true;
  });
  EXPECT_EQ(small_left, 0u);
  EXPECT_GE(large_left, kReaders * large->size() - kMostPerTurn);
  EXPECT_EQ(peers.back()->answer().second, "small");
  for (size_t i = 0; i < kReaders; ++i) EXPECT_TRUE(peers[i]->answer().second == *large) << i;
}

TEST(Server, closes_on_a_client_that_sends_for_ever_after_its_refusal) {
  ServerOptions options;
  options.idle_timeout = milliseconds(60);
  TestServer server(echo, options);
  Peer peer(server.port());
  peer.say("garbage\r\n\r\n");
  std::string piece(1000, 'x');
  for (int i = 0; i < 1000 && peer.say(piece); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  EXPECT_TRUE(server.has_connections(0));
}

TEST(Server, tells_a_stream_that_its_reader_has_gone) {
  std::promise<void> gone;
  TestServer server([&](Request, Responder responder) {
    Stream stream = responder.stream(Response::text(200, ""));
    stream.on_disconnect([&gone, stream] {
      EXPECT_FALSE(stream.connected());
      EXPECT_FALSE(stream.write("x"));
      gone.set_value();
    });
  });
  {
    Peer peer(server.port());
    peer.say(get("/"));
    peer.until("\r\n\r\n");
  }
  EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_TRUE(server.has_connections(0));
}

TEST(Server, lets_the_caller_cut_off_a_reader_that_does_not_read) {
  std::promise<size_t> cut;
  TestServer server([&](Request, Responder responder) {
    Stream stream = responder.stream(Response::text(200, ""));
    while (stream.queued_bytes() < (1 << 20)) ASSERT_TRUE(stream.write(std::string(100'000, 'x')));
    size_t queued = stream.queued_bytes();
    stream.abort();
    EXPECT_FALSE(stream.connected());
    cut.set_value(queued);
  });
  Peer peer(server.port());
  peer.say(get("/"));
  EXPECT_GE(cut.get_future().get(), 1U << 20);
  std::string answer = peer.rest();
  EXPECT_FALSE(answer.ends_with("0\r\n\r\n"));
  EXPECT_EQ(answer.find("<timeout>"), std::string::npos);
}

TEST(Server, cuts_a_stream_whose_last_handle_goes_without_an_end) {
  TestServer server([](Request, Responder responder) {
    Stream stream = responder.stream(Response::text(200, ""));
    stream.write("half");
  });
  Peer peer(server.port());
  peer.say(get("/"));
  std::string answer = peer.rest();
  EXPECT_NE(answer.find("half"), std::string::npos);
  EXPECT_FALSE(answer.ends_with("0\r\n\r\n"));
}

TEST(Server, gives_streaming_routes_the_body_as_it_arrives) {
  ServerOptions options;
  options.max_body_bytes = 10;
  options.streams_body = [](const Request& head) { return head.path == "/up"; };
  TestServer server([](Request request, Responder responder) {
    if (request.path != "/up") return echo(std::move(request), std::move(responder));
    auto size = std::make_shared<size_t>(0);
    responder.on_body([size, responder](std::string_view data, bool end) {
      *size += data.size();
      if (end) responder.reply(Response::text(200, std::to_string(*size)));
    });
  }, options);
  Peer peer(server.port());
  std::string body(1'000'000, 'x');
  peer.say("POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + body + get("/next"));
  EXPECT_EQ(peer.answer().second, "1000000");
  EXPECT_EQ(peer.answer().second, "GET /next ");
  peer.say("POST /up HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(peer.answer().second, "0");
}

TEST(Server, stops_reading_a_body_that_nobody_takes) {
  ServerOptions options;
  options.streams_body = [](const Request&) { return true; };
  std::promise<Responder> arrived;
  TestServer server([&](Request, Responder responder) { arrived.set_value(responder); }, options);
  Peer peer(server.port());
  size_t total = 64 << 20;
  std::atomic<size_t> sent{0};
  std::thread writer([&] {
    peer.say("POST /up HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(total) + "\r\n\r\n");
    std::string piece(1 << 20, 'x');
    for (size_t i = 0; i < 64 && peer.say(piece); ++i) ++sent;
  });
  Responder responder = arrived.get_future().get();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_LT(sent, 32U);
  server.on_loop([responder = std::move(responder)](Server&) {
    auto size = std::make_shared<size_t>(0);
    responder.on_body([size, responder](std::string_view data, bool end) {
      *size += data.size();
      if (end) responder.reply(Response::text(200, std::to_string(*size)));
    });
    return 0;
  });
  EXPECT_EQ(peer.answer().second, std::to_string(total));
  writer.join();
}

TEST(Server, becomes_a_raw_channel_after_an_upgrade) {
  TestServer server([](Request, Responder responder) {
    Response head;
    head.headers.add("Upgrade", "upper");
    auto stream = std::make_shared<Stream>(responder.upgrade(std::move(head)));
    responder.on_body([stream](std::string_view data, bool end) {
      if (end) return stream->close();
      std::string text(data);
      for (char& c : text) c = static_cast<char>(::toupper(c));
      stream->write(text);
    });
  });
  Peer peer(server.port());
  peer.say(get("/", "Connection: Upgrade\r\nUpgrade: upper\r\n") + "early ");
  std::string head = peer.until("\r\n\r\n");
  EXPECT_TRUE(head.starts_with("HTTP/1.1 101 "));
  EXPECT_NE(head.find("Connection: Upgrade"), std::string::npos);
  EXPECT_NE(head.find("Upgrade: upper"), std::string::npos);
  EXPECT_EQ(peer.until(" "), "EARLY ");
  peer.say("GET / HTTP/1.1\r\n\r\n!");
  EXPECT_EQ(peer.until("!"), "GET / HTTP/1.1\r\n\r\n!");
  peer.half_close();
  EXPECT_EQ(peer.rest(), "");
}

}  // namespace
}  // namespace base::http
