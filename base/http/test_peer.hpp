#pragma once

// For tests: a server with its loop on a thread of its own, and a blocking socket to say to it whatever bytes one likes.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/file.hpp"
#include "base/http/server.hpp"

namespace base::http {

class TestServer {
 public:
  explicit TestServer(Handler handler, ServerOptions options = {}) {
    std::promise<uint16_t> ready;
    auto port = ready.get_future();
    thread_ = std::thread([this, &ready, handler = std::move(handler), options = std::move(options)] {
      server_ = std::make_unique<Server>(loop_, options, handler);
      ready.set_value(server_->listen("127.0.0.1", 0).value());
      loop_.run();
      server_.reset();
    });
    port_ = port.get();
  }
  ~TestServer() {
    loop_.stop();
    thread_.join();
  }

  uint16_t port() const { return port_; }
  Loop& loop() { return loop_; }

  /// Runs `call` on the server's thread and waits for its result.
  template <class Call>
  auto on_loop(Call call) {
    std::packaged_task<decltype(call(*server_))()> task([&] { return call(*server_); });
    auto result = task.get_future();
    loop_.post([&] { task(); });
    return result.get();
  }

  size_t connections() {
    return on_loop([](Server& server) { return server.connections(); });
  }

  /// Waits until the server has that many connections.
  bool has_connections(size_t count) {
    for (int i = 0; i < 2000; ++i) {
      if (connections() == count) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }

 private:
  Loop loop_;
  std::unique_ptr<Server> server_;
  std::thread thread_;
  uint16_t port_ = 0;
};

class Peer {
 public:
  explicit Peer(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }

  /// False when the server has closed meanwhile.
  bool say(std::string_view text) {
    while (!text.empty()) {
      ssize_t n = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<size_t>(n));
    }
    return true;
  }

  void half_close() { ::shutdown(fd_.get(), SHUT_WR); }

  void reset() {
    linger now{1, 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    fd_.reset();
  }

  /// Everything until the server closes; "<timeout>" is appended when it does not within some seconds.
  std::string rest() {
    while (more()) {
    }
    return std::exchange(got_, {});
  }

  /// Up to and including `mark`; less when the server closes before.
  std::string until(std::string_view mark) {
    size_t at = 0;
    while ((at = got_.find(mark)) == std::string::npos) {
      if (!more()) return std::exchange(got_, {});
    }
    std::string text = got_.substr(0, at + mark.size());
    got_.erase(0, text.size());
    return text;
  }

  /// One answer with Content-Length: its head and body.
  std::pair<std::string, std::string> answer() {
    std::string head = until("\r\n\r\n");
    size_t at = head.find("Content-Length: ");
    size_t length = at == std::string::npos ? 0 : std::stoul(head.substr(at + 16));
    while (got_.size() < length && more()) {
    }
    std::string body = got_.substr(0, length);
    got_.erase(0, length);
    return {head, body};
  }

  int fd() const { return fd_.get(); }

 private:
  bool more() {
    pollfd waiting{fd_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, 10'000) <= 0) {
      got_ += "<timeout>";
      return false;
    }
    char buffer[65536];
    ssize_t n = ::recv(fd_.get(), buffer, sizeof(buffer), 0);
    if (n <= 0) return false;
    got_.append(buffer, static_cast<size_t>(n));
    return true;
  }

  Fd fd_;
  std::string got_;
};

/// A handler that answers with what it was asked.
inline void echo(Request request, Responder responder) {
  responder.reply(Response::text(200, request.method + " " + request.target + " " + request.body));
}

/// A request; `more`: header lines.
inline std::string get(std::string_view target, std::string_view more = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n" + std::string(more) + "\r\n";
}

}  // namespace base::http
