#include "dns/forwarder.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <vector>

#include "base/log.hpp"

namespace dns {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {

asio::ip::address asio_address(const Address& address) {
  if (!address.v6) {
    asio::ip::address_v4::bytes_type bytes;
    std::copy_n(address.bytes.begin(), 4, bytes.begin());
    return asio::ip::address_v4(bytes);
  }
  asio::ip::address_v6::bytes_type bytes;
  std::copy_n(address.bytes.begin(), 16, bytes.begin());
  return asio::ip::address_v6(bytes);
}

}  // namespace

struct Forwarder::Impl : std::enable_shared_from_this<Forwarder::Impl> {
  Impl(base::Loop& l, const ForwardRules& r, ForwarderOptions o) : loop(l), rules(r), options(o), cache(o.cache) {}

  base::Loop& loop;
  const ForwardRules& rules;
  ForwarderOptions options;
  AnswerCache cache;
  ForwarderCounters counters;
  size_t under_way = 0;
  std::map<Address, size_t> by_source;
  bool stopped = false;
  std::vector<char> received = std::vector<char>(65536);  // of the one socket that is read now
};

namespace {

/// One request, from resolver to resolver.
class Asking : public std::enable_shared_from_this<Asking> {
 public:
  Asking(std::shared_ptr<Forwarder::Impl> forwarder, std::string request, const Query& query, const Address& source,
         bool tcp, std::vector<Endpoint> upstreams, Forwarder::Done done)
      : forwarder_(std::move(forwarder)),
        request_(std::move(request)),
        query_(query),
        source_(source),
        tcp_(tcp),
        upstreams_(std::move(upstreams)),
        done_(std::move(done)),
        timer_(forwarder_->loop.context()),
        udp_socket_(forwarder_->loop.context()),
        tcp_socket_(forwarder_->loop.context()) {
    ++forwarder_->under_way;
    ++forwarder_->by_source[source_];
  }

  ~Asking() {
    --forwarder_->under_way;
    const auto own = forwarder_->by_source.find(source_);
    if (--own->second == 0) forwarder_->by_source.erase(own);
  }

  void next() {
    ++attempt_;
    error_code ignored;
    udp_socket_.close(ignored);
    tcp_socket_.close(ignored);
    if (forwarder_->stopped) return;
    if (position_ == upstreams_.size()) {
      ++forwarder_->counters.failed;
      return finish(error_answer(request_, kServFail));
    }
    const Endpoint upstream = upstreams_[position_++];
    ++forwarder_->counters.asked;
    timer_.expires_after(forwarder_->options.timeout);
    timer_.async_wait([self = shared_from_this(), attempt = attempt_](const error_code& error) {
      if (!error && attempt == self->attempt_) self->next();
    });
    tcp_ ? ask_tcp(upstream) : ask_udp(upstream);
  }

 private:
  void finish(std::string answer) {
    ++attempt_;
    timer_.cancel();
    error_code ignored;
    udp_socket_.close(ignored);
    tcp_socket_.close(ignored);
    if (auto done = std::exchange(done_, nullptr); done && !forwarder_->stopped) done(std::move(answer));
  }

  void take(std::string_view answer) {
    ++forwarder_->counters.answered;
    forwarder_->cache.put(query_, answer, forwarder_->loop.now().instant);
    finish(std::string(answer));
  }

  /// A socket of its own for each try: its random port is what a forger would have to guess.
  void ask_udp(const Endpoint& upstream) {
    const asio::ip::udp::endpoint peer(asio_address(upstream.address), upstream.port);
    error_code error;
    udp_socket_.open(peer.protocol(), error);
    if (!error) udp_socket_.connect(peer, error);
    if (!error) udp_socket_.non_blocking(true, error);
    if (!error) udp_socket_.send(asio::buffer(request_), 0, error);
    if (error) return fail_later();
    wait_udp();
  }

  void fail_later() {
    forwarder_->loop.post([self = shared_from_this(), attempt = attempt_] {
      if (attempt == self->attempt_) self->next();
    });
  }

  void wait_udp() {
    udp_socket_.async_wait(asio::ip::udp::socket::wait_read,
                           [self = shared_from_this(), attempt = attempt_](const error_code& failed) {
                             if (attempt != self->attempt_) return;
                             failed ? self->next() : self->read_udp();
                           });
  }

  void read_udp() {
    error_code error;
    auto& buffer = forwarder_->received;
    const size_t size = udp_socket_.receive(asio::buffer(buffer), 0, error);
    if (error == asio::error::would_block) return wait_udp();
    if (error) return next();
    const std::string_view answer(buffer.data(), size);
    // What is no answer to this is somebody else's, and the right one may still come.
    if (!answers_request(answer, request_)) return wait_udp();
    take(answer);
  }

  void ask_tcp(const Endpoint& upstream) {
    const asio::ip::tcp::endpoint peer(asio_address(upstream.address), upstream.port);
    tcp_socket_.async_connect(peer, [self = shared_from_this(), attempt = attempt_](const error_code& error) {
      if (attempt != self->attempt_) return;
      if (error) return self->next();
      self->framed_.assign(2, '\0');
      write_u16(self->framed_.data(), static_cast<uint16_t>(self->request_.size()));
      self->framed_ += self->request_;
      asio::async_write(self->tcp_socket_, asio::buffer(self->framed_),
                        [self, attempt](const error_code& failed, size_t) {
                          if (attempt != self->attempt_) return;
                          failed ? self->next() : self->read_tcp_size();
                        });
    });
  }

  void read_tcp_size() {
    framed_.assign(2, '\0');
    asio::async_read(tcp_socket_, asio::buffer(framed_), [self = shared_from_this(), attempt = attempt_](const error_code& error, size_t) {
      if (attempt != self->attempt_) return;
      if (error) return self->next();
      self->framed_.resize(read_u16(self->framed_, 0));
      asio::async_read(self->tcp_socket_, asio::buffer(self->framed_), [self, attempt](const error_code& failed, size_t) {
        if (attempt != self->attempt_) return;
        if (failed || !answers_request(self->framed_, self->request_)) return self->next();
        self->take(self->framed_);
      });
    });
  }

  std::shared_ptr<Forwarder::Impl> forwarder_;
  std::string request_;
  Query query_;
  Address source_;
  bool tcp_;
  std::vector<Endpoint> upstreams_;
  size_t position_ = 0;
  uint64_t attempt_ = 0;
  Forwarder::Done done_;
  asio::steady_timer timer_;
  asio::ip::udp::socket udp_socket_;
  asio::ip::tcp::socket tcp_socket_;
  std::string framed_;
};

}  // namespace

Forwarder::Forwarder(base::Loop& loop, const ForwardRules& rules, ForwarderOptions options)
    : impl_(std::make_shared<Impl>(loop, rules, options)) {}

Forwarder::~Forwarder() { impl_->stopped = true; }

void Forwarder::ask(std::string request, const Query& query, const Address& source, bool tcp, Done done) {
  const auto later = [this, &done](std::optional<std::string> answer) {
    impl_->loop.post([weak = std::weak_ptr(impl_), done = std::move(done), answer = std::move(answer)]() mutable {
      if (const auto self = weak.lock(); self && !self->stopped) done(std::move(answer));
    });
  };
  auto upstreams = impl_->rules.upstreams(query.name.view());
  if (upstreams.empty()) {
    ++impl_->counters.refused;
    return later(error_answer(request, kRefused));
  }
  if (auto kept = impl_->cache.find(query, request, impl_->loop.now().instant)) {
    ++impl_->counters.hits;
    return later(std::move(kept));
  }
  const auto own = impl_->by_source.find(source);
  const size_t share = std::max<size_t>(16, impl_->options.limit / 4);
  if (impl_->under_way >= impl_->options.limit || (own != impl_->by_source.end() && own->second >= share)) {
    ++impl_->counters.overflowed;
    return later(std::nullopt);
  }
  std::make_shared<Asking>(impl_, std::move(request), query, source, tcp, std::move(upstreams), std::move(done))->next();
}

size_t Forwarder::under_way() const { return impl_->under_way; }
const ForwarderCounters& Forwarder::counters() const { return impl_->counters; }
const AnswerCache& Forwarder::cache() const { return impl_->cache; }

}  // namespace dns
