#include "kernel/master/agent_links.hpp"

#include <absl/synchronization/mutex.h>
#include <grpc/support/time.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <chrono>
#include <deque>
#include <map>
#include <mutex>

#include "base/log.hpp"
#include "kernel/api/internal/agent_link_service.grpc.pb.h"

namespace master {

using dcos::internal::v1::AgentLink;
using dcos::internal::v1::AgentMessage;
using dcos::internal::v1::MasterMessage;

namespace {

/// "ipv4:127.0.0.1:4242", "ipv6:%5B::1%5D:4242" -> the address alone.
std::string peer_ip(const std::string& peer) {
  const size_t start = peer.find(':');
  const size_t end = peer.rfind(':');
  if (start == std::string::npos || end <= start) return peer;
  std::string ip = peer.substr(start + 1, end - start - 1);
  for (const char* bracket : {"[", "]", "%5B", "%5D"}) {
    const size_t at = ip.find(bracket);
    if (at != std::string::npos) ip.erase(at, std::string(bracket).size());
  }
  return ip;
}

/// Certificate, key and authorities from files that gRPC watches by itself.
base::Result<std::shared_ptr<grpc::ServerCredentials>> tls_credentials(const base::TlsSettings& settings) {
  namespace experimental = grpc::experimental;
  constexpr unsigned kRefreshSeconds = 2;
  if (settings.verify_client && settings.ca_file.empty()) {
    return base::invalid("certificates of agents can be checked against --ssl_ca_file only: a directory or the system's authorities "
                         "do not serve for the agents' link");
  }
  auto provider = std::make_shared<experimental::FileWatcherCertificateProvider>(
      settings.key_file, settings.cert_file, settings.verify_client ? settings.ca_file : std::string(), kRefreshSeconds);
  experimental::TlsServerCredentialsOptions options(provider);
  options.watch_identity_key_cert_pairs();
  if (settings.verify_client) {
    options.watch_root_certs();
    options.set_cert_request_type(settings.require_client ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                                                          : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return experimental::TlsServerCredentials(options);
}

}  // namespace

struct AgentLinks::Impl : std::enable_shared_from_this<AgentLinks::Impl> {
  class Reactor;

  /// gRPC's view of us.
  class Service : public AgentLink::CallbackService {
   public:
    explicit Service(Impl& impl) : impl_(impl) {}
    grpc::ServerBidiReactor<AgentMessage, MasterMessage>* Connect(grpc::CallbackServerContext* context) override;

   private:
    Impl& impl_;
  };

  Impl(base::Loop& l, Options o, Callbacks c) : loop(l), options(o), callbacks(std::move(c)), service(*this) {}

  base::Loop& loop;
  Options options;
  Callbacks callbacks;
  Service service;
  std::unique_ptr<grpc::Server> server;

  uint16_t plain_port = 0;

  mutable std::mutex mutex;
  std::map<LinkId, Reactor*> reactors;  // guarded by mutex
  LinkId next_link = 1;
  bool stopping = false;
};

/// One stream. Its methods run on gRPC's threads; write() and close() on the loop. The reactor deletes itself in OnDone,
/// after it has left `reactors`, so that whoever holds the impl's mutex may use it.
class AgentLinks::Impl::Reactor : public grpc::ServerBidiReactor<AgentMessage, MasterMessage> {
 public:
  Reactor(std::shared_ptr<Impl> impl, grpc::CallbackServerContext* context, LinkId link, std::string ip)
      : impl_(std::move(impl)), context_(context), link_(link), ip_(std::move(ip)) {
    StartRead(&incoming_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) return finish();
    auto message = std::make_shared<AgentMessage>(std::move(incoming_));
    incoming_ = AgentMessage();
    std::unique_lock lock(mutex_);
    ++unhandled_;
    paused_ = unhandled_ >= kUnhandledLimit;
    const bool read_on = !paused_;
    lock.unlock();
    impl_->loop.post([impl = impl_, link = link_, ip = ip_, message] {
      if (!impl->stopping) impl->callbacks.on_message(link, ip, std::move(*message));
      std::lock_guard guard(impl->mutex);
      const auto found = impl->reactors.find(link);
      if (found != impl->reactors.end()) found->second->handled();
    });
    if (read_on) StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    std::unique_lock lock(mutex_);
    writing_ = false;
    if (!ok) {
      lock.unlock();
      return finish();
    }
    next_write(lock);
  }

  void OnCancel() override { finish(); }

  void OnDone() override {
    std::shared_ptr<Impl> impl = impl_;
    const bool told = closed_by_us_;
    {
      std::lock_guard guard(impl->mutex);
      impl->reactors.erase(link_);
    }
    if (!told) {
      impl->loop.post([impl, link = link_] {
        if (!impl->stopping) impl->callbacks.on_lost(link);
      });
    }
    delete this;
  }

  /// With the impl's mutex held. False when the queue is full: then the link is cut.
  bool write(MasterMessage message) {
    std::unique_lock lock(mutex_);
    if (finished_ || closing_) return false;
    if (queue_.size() >= impl_->options.max_queued_messages) {
      lock.unlock();
      LOG_WARNING("link {} to {} does not take what it is sent; cutting it", link_, ip_);
      context_->TryCancel();
      finish();
      return false;
    }
    queue_.push_back(std::move(message));
    if (!writing_) next_write(lock);
    return true;
  }

  /// With the impl's mutex held.
  void close() {
    std::unique_lock lock(mutex_);
    closed_by_us_ = true;
    closing_ = true;
    if (!writing_ && queue_.empty()) {
      lock.unlock();
      finish();
    }
  }

 private:
  static constexpr size_t kUnhandledLimit = 1024;

  /// On the loop: a message was handled; reads go on when they had been paused.
  void handled() {
    std::unique_lock lock(mutex_);
    --unhandled_;
    if (!paused_ || unhandled_ > kUnhandledLimit / 2 || finished_) return;
    paused_ = false;
    lock.unlock();
    StartRead(&incoming_);
  }

  void next_write(std::unique_lock<std::mutex>& lock) {
    if (finished_) return;
    if (queue_.empty()) {
      if (!closing_) return;
      lock.unlock();
      return finish();
    }
    outgoing_ = std::move(queue_.front());
    queue_.pop_front();
    writing_ = true;
    StartWrite(&outgoing_);
  }

  void finish() {
    {
      std::lock_guard lock(mutex_);
      if (finished_) return;
      finished_ = true;
    }
    Finish(grpc::Status::OK);
  }

  std::shared_ptr<Impl> impl_;
  grpc::CallbackServerContext* const context_;
  const LinkId link_;
  const std::string ip_;
  std::mutex mutex_;
  AgentMessage incoming_;
  MasterMessage outgoing_;
  std::deque<MasterMessage> queue_;
  size_t unhandled_ = 0;
  bool writing_ = false, closing_ = false, finished_ = false, paused_ = false;
  bool closed_by_us_ = false;
};

grpc::ServerBidiReactor<AgentMessage, MasterMessage>* AgentLinks::Impl::Service::Connect(
    grpc::CallbackServerContext* context) {
  const std::string ip = peer_ip(context->peer());
  std::lock_guard guard(impl_.mutex);
  const LinkId link = impl_.next_link++;
  auto* reactor = new Reactor(impl_.shared_from_this(), context, link, ip);
  impl_.reactors[link] = reactor;
  return reactor;
}

AgentLinks::AgentLinks(base::Loop& loop, Options options, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(loop, options, std::move(callbacks))) {}

AgentLinks::~AgentLinks() {
  impl_->stopping = true;
  if (impl_->server) {
    impl_->server->Shutdown(gpr_inf_past(GPR_CLOCK_REALTIME));
    impl_->server->Wait();
  }
}

base::Result<uint16_t> AgentLinks::listen(const std::string& ip, uint16_t port) {
  // Debian's build of Abseil keeps a graph of the order in which gRPC takes its locks, under one lock for all threads: a
  // seventh of our processor time while agents return.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  grpc::ServerBuilder builder;
  const std::string host = ip.find(':') == std::string::npos ? ip : "[" + ip + "]";
  int bound = 0, plain = 0;
  const auto& tls = impl_->options.tls;
  const bool secure = tls && tls->enabled();
  if (secure) {
    ASSIGN_OR_RETURN(auto credentials, tls_credentials(tls->settings()));
    builder.AddListeningPort(host + ":" + std::to_string(port), std::move(credentials), &bound);
  }
  const bool downgrade = secure && tls->settings().support_downgrade;
  if (downgrade || !secure) {
    const int plain_port = downgrade && port != 0 ? port + 1 : port;
    builder.AddListeningPort(host + ":" + std::to_string(plain_port), grpc::InsecureServerCredentials(), secure ? &plain : &bound);
  }
  builder.RegisterService(&impl_->service);
  builder.SetMaxReceiveMessageSize(static_cast<int>(impl_->options.max_message_bytes));
  builder.SetMaxSendMessageSize(-1);
  const auto keepalive_ms =
      static_cast<int>(std::chrono::duration_cast<base::milliseconds>(impl_->options.keepalive).count());
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, keepalive_ms);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1'000);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  impl_->server = builder.BuildAndStart();
  if (!impl_->server || bound == 0 || (downgrade && plain == 0)) {
    impl_->server.reset();
    return base::unavailable("cannot listen for agents on " + host + ":" + std::to_string(port) +
                             "; is the port taken? (choose another by --agent_link_port)");
  }
  impl_->plain_port = static_cast<uint16_t>(secure ? plain : bound);
  return static_cast<uint16_t>(bound);
}

uint16_t AgentLinks::plain_port() const { return impl_->plain_port; }

bool AgentLinks::send(LinkId link, MasterMessage message) {
  std::lock_guard guard(impl_->mutex);
  const auto found = impl_->reactors.find(link);
  return found != impl_->reactors.end() && found->second->write(std::move(message));
}

void AgentLinks::close(LinkId link) {
  std::lock_guard guard(impl_->mutex);
  const auto found = impl_->reactors.find(link);
  if (found != impl_->reactors.end()) found->second->close();
}

size_t AgentLinks::size() const {
  std::lock_guard guard(impl_->mutex);
  return impl_->reactors.size();
}

}  // namespace master
