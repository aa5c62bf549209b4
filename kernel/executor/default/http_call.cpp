#include "kernel/executor/default/http_call.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>

#include "kernel/executor/default/tls.hpp"

namespace executor {
namespace {

constexpr size_t kMaxHead = 64 << 10;
constexpr size_t kMaxChunkLine = 4096;

/// A socket whose connection is under way, or -1 (errno).
int connect_to(const Endpoint& endpoint, int type = SOCK_STREAM) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (!endpoint.socket.empty()) {
    auto* unix_address = reinterpret_cast<sockaddr_un*>(&storage);
    unix_address->sun_family = AF_UNIX;
    if (endpoint.socket.size() >= sizeof unix_address->sun_path) return errno = ENAMETOOLONG, -1;
    memcpy(unix_address->sun_path, endpoint.socket.c_str(), endpoint.socket.size() + 1);
    length = sizeof *unix_address;
  } else if (endpoint.address.find(':') != std::string::npos) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint.port);
    if (inet_pton(AF_INET6, endpoint.address.c_str(), &v6->sin6_addr) != 1) return errno = EINVAL, -1;
    length = sizeof *v6;
  } else {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(endpoint.port);
    if (inet_pton(AF_INET, endpoint.address.c_str(), &v4->sin_addr) != 1) return errno = EINVAL, -1;
    length = sizeof *v4;
  }
  const int fd = socket(storage.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (storage.ss_family != AF_UNIX && type == SOCK_STREAM) {
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (connect(fd, reinterpret_cast<sockaddr*>(&storage), length) == 0 || errno == EINPROGRESS) return fd;
  const int error = errno;
  close(fd);
  errno = error;
  return -1;
}

int socket_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

std::string own_address(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return "";
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET)
    inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(&storage)->sin_addr, text, sizeof text);
  else if (storage.ss_family == AF_INET6)
    inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6*>(&storage)->sin6_addr, text, sizeof text);
  return text;
}

class HttpCall final : public Watched {
 public:
  HttpCall(HttpRequest request, HttpHandlers handlers) : request_(std::move(request)), handlers_(std::move(handlers)) {
    fd_ = base::Fd(connect_to(request_.endpoint));
    if (!fd_) {
      failure_ = strerror(errno);
      failed_at_once_ = true;
      return;
    }
    out_ = request_.method + " " + request_.path + " HTTP/1.1\r\nHost: " +
           (request_.endpoint.address.empty() ? std::string("agent")
                                              : request_.endpoint.address + ":" + std::to_string(request_.endpoint.port)) +
           "\r\nConnection: close\r\n";
    for (const auto& [name, value] : request_.headers) out_ += name + ": " + value + "\r\n";
    if (request_.method != "GET") out_ += "Content-Length: " + std::to_string(request_.body.size()) + "\r\n";
    out_ += "\r\n" + request_.body;
    request_.body = {};
  }

  int fd() const override { return fd_.get(); }
  short events() const override {
    if (!connected_) return POLLOUT | POLLIN;
    if (tls_) return tls_->awaited();
    return sent_ < out_.size() ? POLLOUT | POLLIN : POLLIN;
  }
  bool over() const override { return over_; }
  std::optional<base::Instant> deadline() const override {
    // A descriptor of -1 is never ready: the failure is told on the next turn.
    return failed_at_once_ ? base::Instant{} : request_.deadline;
  }

  void ready(short events) override {
    if (failed_at_once_) return finish(false, failure_);
    if (events == 0) return finish(false, "no answer in time");
    if (!connected_) {
      if ((events & (POLLOUT | POLLERR | POLLHUP)) == 0) return;
      if (const int error = socket_error(fd_.get()); error != 0) return finish(false, strerror(error));
      connected_ = true;
      if (request_.endpoint.tls && !(tls_ = Tls::on(fd_.get()))) return finish(false, "TLS cannot be begun");
    }
    while (sent_ < out_.size()) {
      const ssize_t count = tls_ ? tls_->send(out_.data() + sent_, out_.size() - sent_)
                                 : send(fd_.get(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
      if (count < 0 && (errno == EAGAIN || errno == EINTR)) break;
      if (count <= 0 && tls_) return finish(false, tls_->problem());
      // What the other side answered before it closed may still be there to read.
      if (count < 0) {
        sent_ = out_.size();
        break;
      }
      sent_ += static_cast<size_t>(count);
      if (sent_ == out_.size()) out_ = std::string(), sent_ = 0;
    }
    if (tls_ ? sent_ < out_.size() : (events & (POLLIN | POLLHUP | POLLERR)) == 0) return;
    char buffer[8192];
    for (int rounds = 0; (rounds < 16 || (tls_ && tls_->pending())) && !over_; ++rounds) {
      const ssize_t count = tls_ ? tls_->receive(buffer, sizeof buffer) : recv(fd_.get(), buffer, sizeof buffer, 0);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return;
      if (count < 0) return finish(false, tls_ ? tls_->problem() : strerror(errno));
      if (count == 0) return ended();
      take(std::string_view(buffer, static_cast<size_t>(count)));
    }
  }

 private:
  enum class State { Head, Body, ChunkLine, ChunkData, ChunkEnd, Trailer };

  void finish(bool complete, const std::string& problem) {
    over_ = true;
    if (const auto end = std::exchange(handlers_.end, nullptr)) end(complete, problem);
  }

  void ended() {
    const bool whole = state_ == State::Body && !length_;
    finish(whole, whole ? "" : "the connection was closed");
  }

  void take(std::string_view bytes) {
    while (!bytes.empty() && !over_) {
      switch (state_) {
        case State::Head: {
          line_.append(bytes);
          bytes = {};
          const size_t end = line_.find("\r\n\r\n");
          if (end == std::string::npos) {
            if (line_.size() > kMaxHead) finish(false, "the answer's head is too long");
            return;
          }
          const std::string head = line_.substr(0, end + 2), rest = line_.substr(end + 4);
          line_.clear();
          if (!read_head(head)) return finish(false, "the answer cannot be understood");
          if (!over_ && !rest.empty()) take(rest);
          return;
        }
        case State::Body: {
          const size_t count = length_ ? static_cast<size_t>(std::min<uint64_t>(*length_, bytes.size())) : bytes.size();
          if (handlers_.data) handlers_.data(bytes.substr(0, count));
          if (!length_) return;
          *length_ -= count;
          if (*length_ == 0) return finish(true, "");
          return;
        }
        case State::ChunkData: {
          const size_t count = static_cast<size_t>(std::min<uint64_t>(chunk_, bytes.size()));
          if (handlers_.data) handlers_.data(bytes.substr(0, count));
          bytes.remove_prefix(count);
          chunk_ -= count;
          if (chunk_ == 0) state_ = State::ChunkEnd;
          break;
        }
        default: {
          const size_t end = bytes.find('\n');
          line_.append(bytes.substr(0, end));
          if (line_.size() > kMaxChunkLine) return finish(false, "the answer cannot be understood");
          if (end == std::string_view::npos) return;
          bytes.remove_prefix(end + 1);
          if (!line_.empty() && line_.back() == '\r') line_.pop_back();
          const std::string line = std::exchange(line_, {});
          if (state_ == State::ChunkEnd) {
            state_ = State::ChunkLine;
          } else if (state_ == State::Trailer) {
            if (line.empty()) return finish(true, "");
          } else {
            char* rest = nullptr;
            chunk_ = strtoull(line.c_str(), &rest, 16);
            if (rest == line.c_str()) return finish(false, "the answer cannot be understood");
            state_ = chunk_ == 0 ? State::Trailer : State::ChunkData;
          }
        }
      }
    }
  }

  bool read_head(const std::string& head) {
    int status = 0;
    if (sscanf(head.c_str(), "HTTP/1.%*1d %3d", &status) != 1) return false;
    if (status == 100) return state_ = State::Head, true;
    std::string location;
    bool chunked = false;
    for (size_t at = head.find("\r\n"); at != std::string::npos && at + 2 < head.size();) {
      const size_t begin = at + 2, next = head.find("\r\n", begin);
      const std::string line = head.substr(begin, next == std::string::npos ? next : next - begin);
      at = next;
      const size_t colon = line.find(':');
      if (colon == std::string::npos) continue;
      const std::string name = line.substr(0, colon);
      const size_t first = line.find_first_not_of(" \t", colon + 1);
      const std::string value = first == std::string::npos ? "" : line.substr(first);
      if (strcasecmp(name.c_str(), "content-length") == 0) length_ = strtoull(value.c_str(), nullptr, 10);
      if (strcasecmp(name.c_str(), "transfer-encoding") == 0) chunked = strcasecmp(value.c_str(), "chunked") == 0;
      if (strcasecmp(name.c_str(), "location") == 0) location = value;
    }
    state_ = chunked ? State::ChunkLine : State::Body;
    if (chunked) length_.reset();
    if (handlers_.head) handlers_.head(status, location);
    const bool bodiless = status == 204 || status == 304 || (length_ && *length_ == 0);
    if (bodiless && !over_) finish(true, "");
    return true;
  }

  HttpRequest request_;
  HttpHandlers handlers_;
  base::Fd fd_;
  std::unique_ptr<Tls> tls_;
  std::string out_, line_, failure_;
  size_t sent_ = 0;
  State state_ = State::Head;
  std::optional<uint64_t> length_;
  uint64_t chunk_ = 0;
  bool connected_ = false, over_ = false, failed_at_once_ = false;
};

class TcpProbe final : public Watched {
 public:
  TcpProbe(const Endpoint& endpoint, std::optional<base::Instant> deadline, std::function<void(std::optional<bool>)> done)
      : fd_(connect_to(endpoint)), deadline_(deadline), done_(std::move(done)) {}
  int fd() const override { return fd_.get(); }
  short events() const override { return POLLOUT; }
  bool over() const override { return !done_; }
  std::optional<base::Instant> deadline() const override { return fd_ ? deadline_ : base::Instant{}; }
  void ready(short events) override {
    const auto done = std::exchange(done_, nullptr);
    if (!fd_) return done(false);
    if (events == 0) return done(std::nullopt);
    done(socket_error(fd_.get()) == 0);
  }

 private:
  base::Fd fd_;
  std::optional<base::Instant> deadline_;
  std::function<void(std::optional<bool>)> done_;
};

}  // namespace

std::string address_towards(const std::string& address, uint16_t port) {
  const base::Fd fd(connect_to({"", address, port}, SOCK_DGRAM));
  return fd ? own_address(fd.get()) : "";
}

std::unique_ptr<Watched> make_http_call(HttpRequest request, HttpHandlers handlers) {
  return std::make_unique<HttpCall>(std::move(request), std::move(handlers));
}

std::unique_ptr<Watched> make_tcp_probe(const Endpoint& endpoint, std::optional<base::Instant> deadline,
                                        std::function<void(std::optional<bool>)> done) {
  return std::make_unique<TcpProbe>(endpoint, deadline, std::move(done));
}

}  // namespace executor
