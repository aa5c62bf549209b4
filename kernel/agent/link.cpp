#include "kernel/agent/link.hpp"

#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <algorithm>
#include <boost/json.hpp>
#include <deque>
#include <mutex>

#include "base/file.hpp"
#include "base/gate.hpp"
#include "base/http/client.hpp"
#include "base/json/value.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "kernel/api/internal/agent_link_service.grpc.pb.h"
#include "kernel/client/detector.hpp"

namespace agent {
namespace {

using base::Result;
using dcos::internal::v1::AgentLink;
using dcos::internal::v1::AgentMessage;
using dcos::internal::v1::MasterMessage;

constexpr base::Duration kFirstDelay = base::milliseconds(100);
constexpr base::Duration kLongestDelay = base::seconds(5);
constexpr double kLongestSpreadSeconds = 60;  // whatever a master says
constexpr size_t kMaxQueued = 100'000;
constexpr int kMaxMessageBytes = 64 << 20;

/// One stream. gRPC's threads call the reactions; everything it has to tell goes to the loop. Deletes itself after the
/// last reaction.
class Stream final : public grpc::ClientBidiReactor<AgentMessage, MasterMessage>,
                     public std::enable_shared_from_this<Stream> {
 public:
  Stream(std::shared_ptr<base::Gate> gate, const std::string& address, std::shared_ptr<grpc::ChannelCredentials> credentials,
         std::function<void(MasterMessage)> received, std::function<void(std::string)> ended)
      : gate_(std::move(gate)), received_(std::move(received)), ended_(std::move(ended)) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
    arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 20'000);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    // A channel of its own per connection: what gRPC remembers about failed attempts must not delay the next one.
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel_ = grpc::CreateCustomChannel(address, credentials, arguments);
    stub_ = AgentLink::NewStub(channel_);
  }

  void start() {
    self_ = shared_from_this();
    stub_->async()->Connect(&context_, this);
    // The first channel is never given back: gRPC 1.51 ends the threads of its callbacks with the last channel and then
    // counts their queue's references wrongly ("assertion failed: prior > 0").
    [[maybe_unused]] static const auto* const first = new std::shared_ptr<grpc::Channel>(channel_);
    AddHold();  // writes start outside of reactions: the call must not be over under them
    StartRead(&incoming_);
    StartCall();
  }

  bool send(AgentMessage message) {
    const std::lock_guard lock(mutex_);
    if (closed_) return true;  // the end is on its way to the loop
    if (queue_.size() >= kMaxQueued) return false;
    queue_.push_back(std::move(message));
    if (!writing_) write_next();
    return true;
  }

  void cancel() { context_.TryCancel(); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      {
        const std::lock_guard lock(mutex_);
        closed_ = true;
      }
      RemoveHold();
      return;
    }
    gate_->post([self = shared_from_this(), message = std::move(incoming_)]() mutable {
      self->received_(std::move(message));
    });
    incoming_ = {};
    StartRead(&incoming_);
  }

  void OnWriteDone(bool ok) override {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (!queue_.empty()) queue_.pop_front();
    if (ok && !closed_ && !queue_.empty()) write_next();
  }

  void OnDone(const grpc::Status& status) override {
    std::string why = status.ok() ? "the master closed the connection" : status.error_message();
    gate_->post([self = shared_from_this(), why = std::move(why)] { self->ended_(why); });
    self_.reset();
  }

 private:
  void write_next() {
    writing_ = true;
    StartWrite(&queue_.front());
  }

  std::shared_ptr<base::Gate> gate_;
  std::function<void(MasterMessage)> received_;
  std::function<void(std::string)> ended_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<AgentLink::Stub> stub_;
  grpc::ClientContext context_;
  MasterMessage incoming_;
  std::mutex mutex_;  // guards the queue: the loop fills it, gRPC's threads empty it
  std::deque<AgentMessage> queue_;
  bool writing_ = false;
  bool closed_ = false;
  std::shared_ptr<Stream> self_;
};

/// As the files are now: every connection has credentials of its own.
std::shared_ptr<grpc::ChannelCredentials> credentials_of(const base::http::Tls& tls) {
  namespace experimental = grpc::experimental;
  if (!tls.enabled()) return grpc::InsecureChannelCredentials();
  const auto& pem = tls.pem();
  if (tls.settings().verify_server) return grpc::SslCredentials({pem.authorities, pem.key, pem.certificate});
  experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<experimental::StaticDataCertificateProvider>(
      std::vector<experimental::IdentityKeyCertPair>{{pem.key, pem.certificate}}));
  options.watch_identity_key_cert_pairs();
  options.set_verify_server_certs(false);
  options.set_certificate_verifier(std::make_shared<experimental::NoOpCertificateVerifier>());
  options.set_check_call_host(false);
  return experimental::TlsCredentials(options);
}

Result<std::string> read_address(const std::string& body) {
  ASSIGN_OR_RETURN(const base::json::Value answer, base::json::parse(body));
  return base::json::get_string(answer, "/address");
}

}  // namespace

struct Link::Impl : std::enable_shared_from_this<Link::Impl> {
  Impl(base::Loop& l, std::string m, std::shared_ptr<base::http::Tls> t, base::Random r, Callbacks c)
      : loop(l), flag(std::move(m)), tls(std::move(t)), random(r), callbacks(std::move(c)), client(loop, client_options(tls)) {}

  static base::http::ClientOptions client_options(const std::shared_ptr<base::http::Tls>& tls) {
    base::http::ClientOptions options;
    options.tls = tls;
    return options;
  }

  void attempt_later(const std::string& why) {
    if (stopped) return;
    if (failures++ % 12 == 0) LOG_INFO("Looking for the leading master ({}): {}", shown, why);
    const base::Duration wait = std::max(delay / 2 + random.jitter(delay / 2), random.jitter(spread));
    delay = std::min(delay * 2, kLongestDelay);
    timer = loop.after(wait, [self = shared_from_this()] { self->attempt(); });
  }

  /// The size of the cluster, as the master last told it: all its agents lose it at the same moment.
  void note_spread(const MasterMessage& message) {
    double seconds = 0;
    if (message.has_ping()) {
      seconds = message.ping().reconnect_spread_seconds();
    } else if (message.has_registered()) {
      seconds = message.registered().reconnect_spread_seconds();
    } else if (message.has_reregistered()) {
      seconds = message.reregistered().reconnect_spread_seconds();
    } else {
      return;
    }
    if (!(seconds >= 0)) seconds = 0;
    spread = base::Duration(static_cast<int64_t>(std::min(seconds, kLongestSpreadSeconds) * 1e9));
  }

  /// A new leader is gone to at once. While nobody is known to lead, the link that we have may go on: a master that does
  /// not lead any more ends it by itself.
  void detect(const base::zk::Url& url) {
    detector = std::make_unique<client::Detector>(loop, url, [this](const std::optional<std::string>& found) {
      if (!found) return LOG_INFO("ZooKeeper knows of no leading master");
      if (leader == found && stream) return;
      leader = *found;
      LOG_INFO("The leading master is {}", *leader);
      delay = kFirstDelay;
      ++attempts;  // what is under way does not count
      if (stream) {
        stream->cancel();
        stream.reset();
        callbacks.disconnected("another master leads");
      }
      loop.cancel(timer);
      timer = loop.after(random.jitter(spread), [self = shared_from_this()] { self->attempt(); });
    }, zk_session_timeout);
    detector->start();
  }

  std::string where() const {
    if (detector) return leader.value_or("");
    if (!flag.starts_with("file://")) return flag;
    const auto text = base::read_file(flag.substr(7), 4096);
    return text ? std::string(base::trim(*text)) : "";
  }

  void attempt() {
    if (stopped) return;
    const std::string address = where();
    if (address.empty()) return attempt_later(detector ? "no master leads" : "the file names no master");
    base::http::ClientRequest request;
    auto url = base::http::Url::parse(std::string(tls->scheme()) + "://" + address + "/agent-link");
    if (!url) return attempt_later(url.error().message);
    request.url = *url;
    request.timeout = base::seconds(5);
    request.max_redirects = 3;
    const uint64_t number = ++attempts;
    client.request(std::move(request), [self = shared_from_this(), number,
                                        address](Result<base::http::Response> response) {
      if (self->stopped || number != self->attempts) return;
      if (!response) return self->attempt_later(response.error().message);
      if (response->status != 200)
        return self->attempt_later(address + " answered " + std::to_string(response->status) + " " +
                                   response->body.substr(0, 200));
      const auto link = read_address(response->body);
      if (!link) return self->attempt_later(link.error().message);
      self->master = address;
      self->connect(*link);
    });
  }

  void connect(const std::string& address) {
    const uint64_t number = attempts;
    stream = std::make_shared<Stream>(
        gate, address, credentials_of(*tls),
        [weak = weak_from_this(), number](MasterMessage message) {
          const auto self = weak.lock();
          if (!self || self->stopped || number != self->attempts) return;
          self->failures = 0;
          self->delay = kFirstDelay;
          self->note_spread(message);
          self->callbacks.received(std::move(message));
        },
        [weak = weak_from_this(), number](const std::string& why) {
          const auto self = weak.lock();
          if (!self || self->stopped || number != self->attempts) return;
          self->lost(why);
        });
    stream->start();
    LOG_INFO("Connecting to the master's link at {}", address);
    callbacks.connected();
  }

  void lost(const std::string& why) {
    stream.reset();
    ++attempts;  // nothing more of this connection counts
    callbacks.disconnected(why);
    attempt_later(why);
  }

  base::Loop& loop;
  std::shared_ptr<base::Gate> gate = std::make_shared<base::Gate>(loop);
  std::string flag, shown = flag, master;
  base::Duration zk_session_timeout = base::seconds(10);
  std::unique_ptr<client::Detector> detector;
  std::optional<std::string> leader;  // as ZooKeeper has it
  std::shared_ptr<base::http::Tls> tls;
  base::Random random;
  Callbacks callbacks;
  base::http::Client client;
  std::shared_ptr<Stream> stream;
  base::Duration delay = kFirstDelay;
  base::Duration spread{0};  // over which the agents of the cluster connect to the next master
  uint64_t attempts = 0, failures = 0;
  base::Loop::TimerId timer = 0;
  bool stopped = false;
};

Link::Link(base::Loop& loop, std::string master, base::Duration zk_session_timeout, std::shared_ptr<base::http::Tls> tls,
           base::Random random, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(loop, std::move(master), std::move(tls), random, std::move(callbacks))) {
  impl_->zk_session_timeout = zk_session_timeout;
}

Link::~Link() {
  impl_->stopped = true;
  impl_->detector.reset();
  impl_->loop.cancel(impl_->timer);
  if (impl_->stream) impl_->stream->cancel();
  impl_->stream.reset();
  impl_->gate->shut();
}

void Link::start() {
  // A file may hold a URL as well.
  const std::string place = impl_->where();
  if (!base::zk::is_url(place)) return impl_->attempt();
  auto url = base::zk::parse_url(place);
  if (!url) {
    LOG_ERROR("--master: {}", url.error().message);
    return impl_->attempt();
  }
  impl_->shown = url->redacted();
  impl_->detect(*url);
}

void Link::send(AgentMessage message) {
  if (impl_->stream && !impl_->stream->send(std::move(message))) reconnect("the master does not read");
}

void Link::reconnect(const std::string& why) {
  if (!impl_->stream) return;
  impl_->stream->cancel();
  impl_->lost(why);
}

const std::string& Link::master() const { return impl_->master; }

}  // namespace agent
