#include "dns/tcp_server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "base/log.hpp"

namespace dns {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

class Connection;

Address address_of(const asio::ip::address& address) {
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    return address_of_wire({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  const auto bytes = address.to_v6().to_bytes();
  return address_of_wire({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace

struct TcpServer::Impl : std::enable_shared_from_this<TcpServer::Impl> {
  Impl(base::Loop& l, const AnswerOptions& a, const ZoneCell& z, TcpOptions o, Forward f)
      : loop(l), zone(z), options(o), forward(std::move(f)), answerer(a, base::Random::from_os()), acceptor(l.context()) {}

  void accept();

  base::Loop& loop;
  const ZoneCell& zone;
  TcpOptions options;
  Forward forward;
  Answerer answerer;
  ZoneCell::Reader reader;
  std::vector<char> buffer = std::vector<char>(kMaxMessage);
  tcp::acceptor acceptor;
  std::set<std::shared_ptr<Connection>> connections;
  std::map<Address, size_t> by_source;
  TcpCounters counters;
  bool stopped = false;
};

namespace {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<TcpServer::Impl> server, tcp::socket socket, const Address& source)
      : server_(std::move(server)), socket_(std::move(socket)), source_(source), timer_(server_->loop.context()) {}

  void start() {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    touch();
    read();
  }

  void close() {
    if (closed_) return;
    closed_ = true;
    timer_.cancel();
    error_code ignored;
    socket_.close(ignored);
    const auto own = server_->by_source.find(source_);
    if (own != server_->by_source.end() && --own->second == 0) server_->by_source.erase(own);
    server_->counters.open--;
    server_->connections.erase(shared_from_this());
  }

 private:
  /// The time limit runs from the last whole request or answer, so that single bytes do not prolong it.
  void touch() {
    timer_.expires_after(server_->options.idle_timeout);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error) self->close();
    });
  }

  bool may_read() const {
    return under_way_ < server_->options.max_under_way && queued_bytes_ < server_->options.max_queued_bytes;
  }

  void read() {
    if (closed_ || reading_ || ended_ || !may_read()) return;
    reading_ = true;
    socket_.async_read_some(asio::buffer(chunk_), [self = shared_from_this()](const error_code& error, size_t size) {
      self->reading_ = false;
      if (self->closed_) return;
      if (error) {
        // A client may end its side first and still wait for answers.
        self->ended_ = true;
        if (error != asio::error::eof || self->idle()) self->close();
        return;
      }
      self->input_.append(self->chunk_.data(), size);
      self->parse();
    });
  }

  bool idle() const { return under_way_ == 0 && queued_bytes_ == 0; }

  void parse() {
    while (!closed_ && may_read() && input_.size() >= 2) {
      const size_t size = read_u16(input_, 0);
      if (input_.size() < 2 + size) break;
      const std::string request = input_.substr(2, size);
      input_.erase(0, 2 + size);
      touch();
      on_request(request);
    }
    read();
  }

  void on_request(const std::string& request) {
    ++server_->counters.queries;
    server_->zone.refresh(server_->reader);
    size_t size = 0;
    Query query;
    const Verdict verdict =
        server_->answerer.answer(request, *server_->reader.zone, false, server_->buffer, size, query);
    if (verdict == Verdict::Drop) return close();
    if (verdict == Verdict::Answered) return write({server_->buffer.data(), size});
    ++under_way_;
    server_->forward(request, query, source_, [weak = weak_from_this(), request](std::optional<std::string> answer) {
      const auto self = weak.lock();
      if (!self || self->closed_) return;
      --self->under_way_;
      self->write(answer ? *answer : error_answer(request, kServFail));
      self->parse();
    });
  }

  void write(std::string_view answer) {
    ++server_->counters.answers;
    char size[2];
    write_u16(size, static_cast<uint16_t>(answer.size()));
    waiting_.append(size, 2);
    waiting_.append(answer);
    queued_bytes_ += answer.size() + 2;
    flush();
  }

  void flush() {
    if (writing_ || waiting_.empty() || closed_) return;
    writing_ = true;
    sending_.swap(waiting_);
    asio::async_write(socket_, asio::buffer(sending_), [self = shared_from_this()](const error_code& error, size_t) {
      self->writing_ = false;
      if (self->closed_) return;
      if (error) return self->close();
      self->queued_bytes_ -= self->sending_.size();
      self->sending_.clear();
      if (self->sending_.capacity() > 65536) self->sending_.shrink_to_fit();
      self->touch();
      self->flush();
      if (self->ended_ && self->idle()) return self->close();
      self->parse();
    });
  }

  std::shared_ptr<TcpServer::Impl> server_;
  tcp::socket socket_;
  Address source_;
  asio::steady_timer timer_;
  std::array<char, 4096> chunk_{};
  std::string input_, waiting_, sending_;
  size_t under_way_ = 0, queued_bytes_ = 0;
  bool reading_ = false, writing_ = false, ended_ = false, closed_ = false;
};

}  // namespace

void TcpServer::Impl::accept() {
  acceptor.async_accept([weak = weak_from_this()](const error_code& error, tcp::socket socket) {
    const auto self = weak.lock();
    if (!self || self->stopped || error == asio::error::operation_aborted) return;
    if (error) {
      // Out of descriptors, most likely: ends that happen meanwhile make room.
      self->loop.after(base::milliseconds(100), [weak] {
        if (const auto again = weak.lock(); again && !again->stopped) again->accept();
      });
      return;
    }
    error_code failed;
    const auto peer = socket.remote_endpoint(failed);
    if (!failed) {
      const Address source = address_of(peer.address());
      size_t& own = self->by_source[source];
      if (self->connections.size() >= self->options.max_connections || own >= self->options.max_connections_per_source) {
        ++self->counters.refused;
        if (own == 0) self->by_source.erase(source);
      } else {
        ++own;
        ++self->counters.connections;
        ++self->counters.open;
        auto connection = std::make_shared<Connection>(self, std::move(socket), source);
        self->connections.insert(connection);
        connection->start();
      }
    }
    self->accept();
  });
}

TcpServer::TcpServer(base::Loop& loop, const AnswerOptions& answers, const ZoneCell& zone, TcpOptions options, Forward forward)
    : impl_(std::make_shared<Impl>(loop, answers, zone, options, std::move(forward))) {}

TcpServer::~TcpServer() {
  impl_->stopped = true;
  error_code ignored;
  impl_->acceptor.close(ignored);
  const auto open = impl_->connections;
  for (const auto& connection : open) connection->close();
}

base::Result<uint16_t> TcpServer::listen(const Address& address, uint16_t port) {
  error_code error;
  const auto literal = asio::ip::make_address(address.text(), error);
  const tcp::endpoint endpoint(literal, port);
  impl_->acceptor.open(endpoint.protocol(), error);
  if (!error) impl_->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && address.v6) impl_->acceptor.set_option(asio::ip::v6_only(true), error);
  if (!error) impl_->acceptor.bind(endpoint, error);
  if (!error) impl_->acceptor.listen(1024, error);
  if (error) {
    return base::Error{base::Code::Io, "cannot listen on tcp " + Endpoint{address, port}.text() + ": " + error.message()};
  }
  impl_->accept();
  return impl_->acceptor.local_endpoint(error).port();
}

void TcpServer::stop_listening() {
  error_code ignored;
  impl_->acceptor.close(ignored);
}

const TcpCounters& TcpServer::counters() const { return impl_->counters; }

}  // namespace dns
