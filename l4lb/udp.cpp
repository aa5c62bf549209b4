#include "l4lb/udp.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/file.hpp"

namespace l4lb {
namespace {

constexpr int kPerTurn = 128;
constexpr int kSocketBuffer = 4 << 20;

socklen_t to_sockaddr(const Endpoint& endpoint, sockaddr_storage& out) {
  std::memset(&out, 0, sizeof out);
  if (endpoint.address.v6()) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&out);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(endpoint.port);
    std::memcpy(&in6->sin6_addr, endpoint.address.bytes.data(), 16);
    return sizeof *in6;
  }
  auto* in4 = reinterpret_cast<sockaddr_in*>(&out);
  in4->sin_family = AF_INET;
  in4->sin_port = htons(endpoint.port);
  std::memcpy(&in4->sin_addr, endpoint.address.bytes.data(), 4);
  return sizeof *in4;
}

Endpoint from_sockaddr(const sockaddr_storage& in) {
  Endpoint out;
  if (in.ss_family == AF_INET6) {
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(&in);
    out.address.family = 6;
    std::memcpy(out.address.bytes.data(), &in6->sin6_addr, 16);
    out.port = ntohs(in6->sin6_port);
  } else {
    const auto* in4 = reinterpret_cast<const sockaddr_in*>(&in);
    out.address.family = 4;
    std::memcpy(out.address.bytes.data(), &in4->sin_addr, 4);
    out.port = ntohs(in4->sin_port);
  }
  return out;
}

}  // namespace

struct Udp::Impl : std::enable_shared_from_this<Udp::Impl> {
  Impl(base::Loop& loop, Received r) : socket(loop.context()), received(std::move(r)), buffer(64 << 10) {}

  void wait() {
    socket.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [self = shared_from_this()](const boost::system::error_code& error) {
                        if (error || !self->received) return;
                        self->read();
                        if (self->received) self->wait();
                      });
  }

  void read() {
    for (int i = 0; i < kPerTurn && received; ++i) {
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      const ssize_t got = ::recvfrom(socket.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT,
                                     reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 0) return;  // nothing more, or an error of an earlier send that came back
      received(from_sockaddr(from), {buffer.data(), static_cast<size_t>(got)});
    }
  }

  boost::asio::posix::stream_descriptor socket;
  Received received;
  std::vector<char> buffer;
};

Udp::Udp(base::Loop& loop, Received received) : impl_(std::make_shared<Impl>(loop, std::move(received))) {}

Udp::~Udp() {
  impl_->received = nullptr;
  boost::system::error_code ignored;
  impl_->socket.close(ignored);
}

base::Result<uint16_t> Udp::listen(const Endpoint& at) {
  sockaddr_storage address;
  const socklen_t size = to_sockaddr(at, address);
  base::Fd fd(::socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::errno_error("cannot open a UDP socket", errno);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof kSocketBuffer);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &kSocketBuffer, sizeof kSocketBuffer);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0)
    return base::errno_error("cannot listen for gossip on " + render(at), errno);
  sockaddr_storage bound{};
  socklen_t bound_size = sizeof bound;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &bound_size);
  boost::system::error_code error;
  impl_->socket.assign(fd.release(), error);
  if (error) return base::internal("cannot watch the gossip socket: " + error.message());
  impl_->wait();
  return from_sockaddr(bound).port;
}

bool Udp::send(const Endpoint& to, std::string_view bytes) {
  sockaddr_storage address;
  const socklen_t size = to_sockaddr(to, address);
  return ::sendto(impl_->socket.native_handle(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                  reinterpret_cast<const sockaddr*>(&address), size) >= 0;
}

}  // namespace l4lb
