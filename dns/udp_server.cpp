#include "dns/udp_server.hpp"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cstring>
#include <thread>

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/loop.hpp"

namespace dns {
namespace {

constexpr size_t kBatch = 32;
constexpr size_t kRequestBytes = 2048;  // longer ones are no queries
constexpr size_t kAnswerBytes = 4096;
constexpr size_t kControlBytes = 64;
constexpr int kReceiveBuffer = 4 << 20;

socklen_t fill_address(const Address& address, uint16_t port, sockaddr_storage& out) {
  std::memset(&out, 0, sizeof out);
  if (address.v6) {
    auto* in6 = reinterpret_cast<sockaddr_in6*>(&out);
    in6->sin6_family = AF_INET6;
    in6->sin6_port = htons(port);
    std::memcpy(&in6->sin6_addr, address.bytes.data(), 16);
    return sizeof *in6;
  }
  auto* in = reinterpret_cast<sockaddr_in*>(&out);
  in->sin_family = AF_INET;
  in->sin_port = htons(port);
  std::memcpy(&in->sin_addr, address.bytes.data(), 4);
  return sizeof *in;
}

Address address_of(const sockaddr* address) {
  if (address->sa_family == AF_INET6) {
    const auto* in6 = reinterpret_cast<const sockaddr_in6*>(address);
    return address_of_wire({reinterpret_cast<const char*>(&in6->sin6_addr), 16});
  }
  const auto* in = reinterpret_cast<const sockaddr_in*>(address);
  return address_of_wire({reinterpret_cast<const char*>(&in->sin_addr), 4});
}

bool is_any(const Address& address) {
  for (const uint8_t byte : address.bytes) {
    if (byte != 0) return false;
  }
  return true;
}

base::Result<base::Fd> open_socket(const UdpOptions& options, bool shared) {
  const int family = options.listener.v6 ? AF_INET6 : AF_INET;
  base::Fd fd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return base::errno_error("socket", errno);
  const int one = 1;
  if (shared) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
  if (options.listener.v6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  if (is_any(options.listener)) {
    if (options.listener.v6) {
      ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, sizeof one);
    } else {
      ::setsockopt(fd.get(), IPPROTO_IP, IP_PKTINFO, &one, sizeof one);
    }
  }
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0) {
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  }
  // A thread that waits looks up now and then, so that it does not keep an old zone alive.
  const timeval patience{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_storage address;
  const socklen_t size = fill_address(options.listener, options.port, address);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    const int error = errno;
    return base::errno_error("cannot listen on udp " + Endpoint{options.listener, options.port}.text(), error);
  }
  return fd;
}

base::Result<uint16_t> port_of(int fd) {
  sockaddr_storage bound;
  socklen_t size = sizeof bound;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return base::errno_error("getsockname", errno);
  // The port stands at the same place for both families.
  return ntohs(reinterpret_cast<const sockaddr_in*>(&bound)->sin_port);
}

/// The address that the request was sent to, from what the kernel adds to it.
bool read_local(msghdr& head, Address& local) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&head); part != nullptr; part = CMSG_NXTHDR(&head, part)) {
    if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(part), sizeof info);
      local = address_of_wire({reinterpret_cast<const char*>(&info.ipi_addr), 4});
      return true;
    }
    if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_PKTINFO) {
      in6_pktinfo info;
      std::memcpy(&info, CMSG_DATA(part), sizeof info);
      local = address_of_wire({reinterpret_cast<const char*>(&info.ipi6_addr), 16});
      return true;
    }
  }
  return false;
}

/// Makes the answer leave from that address.
void write_local(msghdr& head, char* control, const Address& local) {
  head.msg_control = control;
  head.msg_controllen = kControlBytes;
  cmsghdr* part = CMSG_FIRSTHDR(&head);
  if (local.v6) {
    in6_pktinfo info{};
    std::memcpy(&info.ipi6_addr, local.bytes.data(), 16);
    part->cmsg_level = IPPROTO_IPV6;
    part->cmsg_type = IPV6_PKTINFO;
    part->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(part), &info, sizeof info);
    head.msg_controllen = CMSG_SPACE(sizeof info);
  } else {
    in_pktinfo info{};
    std::memcpy(&info.ipi_spec_dst, local.bytes.data(), 4);
    part->cmsg_level = IPPROTO_IP;
    part->cmsg_type = IP_PKTINFO;
    part->cmsg_len = CMSG_LEN(sizeof info);
    std::memcpy(CMSG_DATA(part), &info, sizeof info);
    head.msg_controllen = CMSG_SPACE(sizeof info);
  }
}

/// The memory of one thread: requests and answers of one turn.
struct Buffers {
  struct Slot {
    sockaddr_storage address;
    alignas(cmsghdr) char in_control[kControlBytes];
    alignas(cmsghdr) char out_control[kControlBytes];
    char request[kRequestBytes];
    char answer[kAnswerBytes];
    iovec in, out;
  };
  std::vector<Slot> slots = std::vector<Slot>(kBatch);
  std::array<mmsghdr, kBatch> received{}, sent{};
};

}  // namespace

void UdpPeer::send(std::string_view answer) const {
  iovec piece{const_cast<char*>(answer.data()), answer.size()};
  msghdr head{};
  head.msg_name = const_cast<char*>(address.data());
  head.msg_namelen = address_size;
  head.msg_iov = &piece;
  head.msg_iovlen = 1;
  alignas(cmsghdr) char control[kControlBytes] = {};
  if (has_local) write_local(head, control, local);
  (void)!::sendmsg(socket, &head, MSG_DONTWAIT | MSG_NOSIGNAL);
}

struct UdpServer::Impl {
  struct Worker {
    base::Fd socket;
    bool any = false;
    std::thread thread;
  };

  const AnswerOptions& answers;
  const ZoneCell& zone;
  RateLimit& limit;
  Forward forward;
  UdpCounters counters;
  std::vector<Worker> workers;
  std::atomic<bool> stopping{false};

  Impl(const AnswerOptions& a, const ZoneCell& z, RateLimit& l, Forward f)
      : answers(a), zone(z), limit(l), forward(std::move(f)) {}

  void prepare(Buffers& buffers, bool any) const {
    for (size_t i = 0; i < kBatch; ++i) {
      Buffers::Slot& slot = buffers.slots[i];
      slot.in = {slot.request, kRequestBytes};
      msghdr& head = buffers.received[i].msg_hdr;
      head.msg_name = &slot.address;
      head.msg_namelen = sizeof slot.address;
      head.msg_iov = &slot.in;
      head.msg_iovlen = 1;
      head.msg_control = any ? slot.in_control : nullptr;
      head.msg_controllen = any ? kControlBytes : 0;
      head.msg_flags = 0;
    }
  }

  void run(Worker& worker) {
    Buffers buffers;
    ZoneCell::Reader reader;
    Answerer answerer(answers, base::Random::from_os());
    std::vector<ForwardedRequest> others;
    while (!stopping.load(std::memory_order_relaxed)) {
      prepare(buffers, worker.any);
      const int count = ::recvmmsg(worker.socket.get(), buffers.received.data(), kBatch, MSG_WAITFORONE, nullptr);
      zone.refresh(reader);
      if (count <= 0) continue;
      counters.queries.fetch_add(static_cast<uint64_t>(count), std::memory_order_relaxed);
      const size_t ready = answer_batch(worker, buffers, static_cast<size_t>(count), answerer, *reader.zone, others);
      send_batch(worker, buffers, ready);
      if (!others.empty()) {
        counters.forwarded.fetch_add(others.size(), std::memory_order_relaxed);
        forward(std::exchange(others, {}));
      }
    }
  }

  /// Fills buffers.sent; returns how many.
  size_t answer_batch(Worker& worker, Buffers& buffers, size_t count, Answerer& answerer, const Zone& now_served,
                      std::vector<ForwardedRequest>& others) {
    const base::Instant now = base::system_clock().now().instant;
    size_t ready = 0;
    uint64_t limited = 0, dropped = 0;
    for (size_t i = 0; i < count; ++i) {
      Buffers::Slot& slot = buffers.slots[i];
      msghdr& in = buffers.received[i].msg_hdr;
      const std::string_view request(slot.request, buffers.received[i].msg_len);
      const Address source = address_of(reinterpret_cast<const sockaddr*>(&slot.address));
      size_t size = 0;
      const RateLimit::Verdict allowed = limit.take(source, now);
      if (allowed == RateLimit::Verdict::Drop || (in.msg_flags & MSG_TRUNC)) {
        ++(allowed == RateLimit::Verdict::Drop ? limited : dropped);
        continue;
      }
      Query query;
      Verdict verdict = Verdict::Answered;
      if (allowed == RateLimit::Verdict::Slip) {
        const std::string shortest = error_answer(request, kNoError, true);
        std::memcpy(slot.answer, shortest.data(), shortest.size());
        size = shortest.size();
        ++limited;
      } else {
        verdict = answerer.answer(request, now_served, true, slot.answer, size, query);
      }
      Address local;
      const bool has_local = worker.any && read_local(in, local);
      if (verdict == Verdict::Forward) {
        UdpPeer peer{worker.socket.get(), {}, static_cast<uint8_t>(in.msg_namelen), source, local, has_local};
        std::memcpy(peer.address.data(), &slot.address, std::min<size_t>(in.msg_namelen, peer.address.size()));
        others.push_back({std::string(request), query, peer});
      } else if (verdict == Verdict::Answered && size > 0) {
        slot.out = {slot.answer, size};
        msghdr& out = buffers.sent[ready++].msg_hdr;
        out = msghdr{};
        out.msg_name = &slot.address;
        out.msg_namelen = in.msg_namelen;
        out.msg_iov = &slot.out;
        out.msg_iovlen = 1;
        if (has_local) write_local(out, slot.out_control, local);
      } else {
        ++dropped;
      }
    }
    if (limited) counters.limited.fetch_add(limited, std::memory_order_relaxed);
    if (dropped) counters.dropped.fetch_add(dropped, std::memory_order_relaxed);
    return ready;
  }

  void send_batch(Worker& worker, Buffers& buffers, size_t ready) {
    size_t done = 0;
    while (done < ready) {
      const int sent = ::sendmmsg(worker.socket.get(), buffers.sent.data() + done, static_cast<unsigned>(ready - done),
                                  MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) {
        done += static_cast<size_t>(sent);
        counters.answers.fetch_add(static_cast<uint64_t>(sent), std::memory_order_relaxed);
        continue;
      }
      if (errno == EAGAIN) {
        pollfd wait{worker.socket.get(), POLLOUT, 0};
        if (::poll(&wait, 1, 10) > 0) continue;
      }
      // The first one cannot be sent (no route, a refusal that was pending): the others still can.
      counters.failures.fetch_add(1, std::memory_order_relaxed);
      ++done;
    }
  }
};

UdpServer::UdpServer(const AnswerOptions& answers, const ZoneCell& zone, RateLimit& limit, Forward forward)
    : impl_(std::make_unique<Impl>(answers, zone, limit, std::move(forward))) {}

UdpServer::~UdpServer() {
  impl_->stopping = true;
  // Wakes whoever waits on them.
  for (Impl::Worker& worker : impl_->workers) ::shutdown(worker.socket.get(), SHUT_RDWR);
  for (Impl::Worker& worker : impl_->workers) {
    if (worker.thread.joinable()) worker.thread.join();
  }
}

base::Result<uint16_t> UdpServer::bind(const UdpOptions& options) {
  // Sockets that share a port share it with any process of this user: one that does not share finds out.
  ASSIGN_OR_RETURN(base::Fd probe, open_socket(options, false));
  UdpOptions fixed = options;
  ASSIGN_OR_RETURN(fixed.port, port_of(probe.get()));
  probe.reset();
  for (unsigned i = 0; i < options.threads; ++i) {
    ASSIGN_OR_RETURN(base::Fd socket, open_socket(fixed, true));
    impl_->workers.push_back({std::move(socket), is_any(options.listener), {}});
  }
  return fixed.port;
}

void UdpServer::start() {
  for (Impl::Worker& worker : impl_->workers) {
    worker.thread = std::thread([impl = impl_.get(), &worker] { impl->run(worker); });
  }
}

const UdpCounters& UdpServer::counters() const { return impl_->counters; }

}  // namespace dns
