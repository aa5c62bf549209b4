#include "kernel/master/shell.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/crypto.hpp"
#include "base/http/gzip.hpp"
#include "base/log.hpp"
#include "base/version.hpp"
#include "base/zk/real.hpp"
#include "kernel/auth/challenge.hpp"
#include "kernel/master/api/routes.hpp"
#include "kernel/master/render.hpp"

namespace master {

namespace {

constexpr size_t kMostQueuedBytes = size_t{64} << 20;  // per stream, beyond what it was just sent
constexpr size_t kGzipBytes = 1024;  // smaller bodies are not worth it

std::string host_name() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 && name[0] != 0 ? name : "localhost";
}

/// What the host's name stands for, other than loopback.
std::optional<std::string> own_address() {
  addrinfo hints{}, *found = nullptr;
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  if (getaddrinfo(host_name().c_str(), nullptr, &hints, &found) != 0) return std::nullopt;
  std::optional<std::string> address;
  for (const addrinfo* each = found; each != nullptr && !address; each = each->ai_next) {
    const in_addr& ip = reinterpret_cast<const sockaddr_in*>(each->ai_addr)->sin_addr;
    char text[INET_ADDRSTRLEN] = {};
    if ((ntohl(ip.s_addr) >> 24) != 127 && inet_ntop(AF_INET, &ip, text, sizeof(text))) address = text;
  }
  freeaddrinfo(found);
  return address;
}

/// The address as the API has it: the four bytes in network order, read as an integer of this machine.
uint32_t ip_number(const std::string& ip) {
  in_addr address{};
  return inet_pton(AF_INET, ip.c_str(), &address) == 1 ? address.s_addr : 0;
}

/// Rendering threads let the loop's go first where processors are few.
void give_way() {
  thread_local const int once = ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), 4);
  (void)once;
}

}  // namespace

mesos::v1::MasterInfo Shell::make_master_info() {
  std::string ip = flags_.advertise_ip.value_or(flags_.ip);
  if (flags_.zk && ip == "0.0.0.0") {
    ip = own_address().value_or(ip);
    if (ip == "0.0.0.0") LOG_WARNING("others will not find this master: give --ip or --advertise_ip");
  }
  const uint16_t port = flags_.advertise_port.value_or(http_port_);
  std::string hostname = ip;
  if (flags_.hostname) {
    hostname = *flags_.hostname;
  } else if (flags_.hostname_lookup && ip == "0.0.0.0") {
    hostname = host_name();
  }
  if (ip == "0.0.0.0" || ip == "::") ip = "127.0.0.1";
  mesos::v1::MasterInfo info;
  info.set_id(random_.uuid());
  info.set_ip(ip_number(ip));
  info.set_port(port);
  info.set_pid("master@" + ip + ":" + std::to_string(port));
  info.set_hostname(hostname);
  info.set_version(base::kMesosVersion);
  info.mutable_address()->set_hostname(hostname);
  info.mutable_address()->set_ip(ip);
  info.mutable_address()->set_port(port);
  if (flags_.policy.domain) *info.mutable_domain() = *flags_.policy.domain;
  using Capability = mesos::v1::MasterInfo::Capability;
  for (const auto type : {Capability::AGENT_UPDATE, Capability::AGENT_DRAINING, Capability::QUOTA_V2}) {
    info.add_capabilities()->set_type(type);
  }
  return info;
}

Shell::Shell(base::Loop& loop, const Flags& flags, std::unique_ptr<base::Store> store)
    : loop_(loop), flags_(flags), store_(std::move(store)), random_(base::Random::from_os()), pool_(loop, 2),
      subscribers_(loop, pool_, {.most_streams = flags.max_operator_event_stream_subscribers}) {
  started_ = loop.now().time;
  whitelist_ = flags.allocator_options.whitelist;
  facts_.flags = flags.table.effective();
  if (flags.zk) facts_.flags["zk"] = flags.zk->redacted();
  facts_.cluster = flags.cluster;
  facts_.log_dir = flags.log_dir;
  facts_.external_log_file = flags.external_log_file;
}

Shell::~Shell() {
  *alive_ = false;
  for (const auto& [id, timer] : timers_) loop_.cancel(timer);
}

base::Status Shell::start() {
  base::http::ServerOptions options;
  options.server_name = "dcos-master";
  ASSIGN_OR_RETURN(tls_, base::http::Tls::for_daemon(loop_, flags_.tls));
  options.tls = tls_;
  server_ = std::make_unique<base::http::Server>(loop_, options, make_handler(*this));
  ASSIGN_OR_RETURN(http_port_, server_->listen(flags_.ip, flags_.port));

  core_ = std::make_unique<Core>(make_master_info(), flags_.policy,
                                 std::make_unique<allocator::Allocator>(flags_.allocator_options, base::Random(random_.next())),
                                 base::Random(random_.next()));
  add_gauges();

  AgentLinks::Callbacks callbacks;
  callbacks.on_message = [this](LinkId link, const std::string& ip, dcos::internal::v1::AgentMessage message) {
    std::string nonce;
    if (message.has_authenticate()) nonce = base::secret_bytes(auth::kNonceBytes).value_or("");
    on(AgentMessageReceived{link, ip, std::move(message), std::move(nonce)});
  };
  callbacks.on_lost = [this](LinkId link) { on(AgentLinkLost{link}); };
  AgentLinks::Options link_options;
  link_options.tls = tls_;
  links_ = std::make_unique<AgentLinks>(loop_, link_options, std::move(callbacks));
  uint16_t link_port = flags_.agent_link_port.value_or(0);
  if (!flags_.agent_link_port && http_port_ <= 64'535) link_port = static_cast<uint16_t>(http_port_ + 1000);
  ASSIGN_OR_RETURN(link_port_, links_->listen(flags_.ip, link_port));

  const mesos::v1::MasterInfo& master = core_->state().master;
  LOG_INFO("master {} of version {} serves {}://{}:{} and agents on port {}{}", master.id(), base::kMesosVersion, tls_->scheme(),
           flags_.ip, http_port_, link_port_,
           plain_link_port() == link_port_ || !tls_->settings().support_downgrade
               ? ""
               : ", without TLS on port " + std::to_string(plain_link_port()));
  if (flags_.zk) return contend();
  std::vector<base::StoreEntry> entries;
  if (store_) {
    const base::Instant begun = loop_.now().instant;
    ASSIGN_OR_RETURN(entries, store_->scan(""));
    metrics_.timer("registrar/state_fetch_ms").record(loop_.now().instant - begun);
  }
  LOG_INFO("registry: {}", store_ ? *flags_.work_dir + "/registry.db" : std::string("in memory"));
  serve(std::move(store_), std::move(entries));
  return {};
}

/// From here on this master leads.
void Shell::serve(std::unique_ptr<base::Store> store, std::vector<base::StoreEntry> entries) {
  store_ = std::move(store);
  acting_ = true;
  Recovered recovered;
  recovered.started = started_;
  for (base::StoreEntry& entry : entries) {
    count_record(entry.key, entry.value.size());
    recovered.entries.push_back({std::move(entry.key), std::move(entry.value)});
  }
  on(std::move(recovered));
  if (flags_.whitelist_path) watch_whitelist();
}

void Shell::watch_whitelist() {
  loop_.after(flags_.whitelist_interval, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    const auto read = [path = *flags_.whitelist_path] { return read_whitelist(path); };
    const bool asked = pool_.run_for(read, [this, alive](base::Result<std::set<std::string>> hostnames) {
      if (alive.expired()) return;
      if (!hostnames) {
        LOG_WARNING("the whitelist stays as it was: {}", hostnames.error().message);
      } else if (*hostnames != whitelist_) {
        LOG_INFO("the whitelist has changed: {} hostnames", hostnames->size());
        whitelist_ = *hostnames;
        on(WhitelistChanged{std::move(*hostnames)});
      }
      watch_whitelist();
    });
    if (!asked) watch_whitelist();
  });
}

base::Status Shell::contend() {
  if (!zookeeper_) zookeeper_ = base::zk::real_host(loop_, *flags_.zk);
  Leadership::Options options;
  options.url = *flags_.zk;
  options.session_timeout = flags_.zk_session_timeout;
  options.fetch_timeout = flags_.registry_fetch_timeout;
  options.in_memory = flags_.in_memory();
  Leadership::Callbacks callbacks;
  callbacks.on_leading = [this](std::unique_ptr<base::Store> registry) {
    std::vector<base::StoreEntry> entries;
    if (registry) entries = registry->scan("").value_or({});  // from memory
    LOG_INFO("registry: {}", registry ? flags_.zk->redacted() + "/registry" : std::string("in memory"));
    serve(std::move(registry), std::move(entries));
  };
  callbacks.on_lost = [this](const std::string& why) { stop_acting(why); };
  leadership_ = std::make_unique<Leadership>(*zookeeper_, std::move(options), core_->state().master, std::move(callbacks));
  LOG_INFO("contending at {}", flags_.zk->redacted());
  leadership_->start();
  return {};
}

std::optional<mesos::v1::MasterInfo> Shell::leader() const {
  if (!leadership_) return core_->state().master;
  return leadership_->leader();
}

/// Nothing enters or leaves the core any more; then the process ends, so that nothing of this leadership is left over.
void Shell::stop_acting(const std::string& why) {
  if (stopped_) return;
  stopped_ = true;
  acting_ = false;
  LOG_ERROR("this master has lost the leadership and ends: {}", why);
  // Later, because this may be called by what is taken down here. The session's end lets the next master begin.
  loop_.post([this, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    store_.reset();
    leadership_.reset();
    loop_.stop(1);
  });
}

void Shell::drain(std::function<void()> done) {
  for (auto& [id, stream] : scheduler_streams_) stream.stream.close();
  subscribers_.close_all();
  if (leadership_) {
    // The next master need not wait for the session to end.
    stopped_ = true;
    acting_ = false;
    store_.reset();
    leadership_.reset();
  }
  server_->drain(base::seconds(2), std::move(done));
}

void Shell::on(Event event) {
  if (!acting_) return;
  events_.push_back(std::move(event));
  if (busy_) return;
  busy_ = true;
  while (!events_.empty()) {
    if (!leading()) {
      stop_acting("ZooKeeper has not confirmed the session in time");
      break;
    }
    Event next = std::move(events_.front());
    events_.pop_front();
    ++version_;
    Effects made(base::log::level() == base::log::Level::Debug, !subscribers_.empty());
    handle(std::move(next), made);
    perform(made);
  }
  busy_ = false;
}

/// One event; what an allocation takes is measured.
void Shell::handle(Event event, Effects& effects) {
  const base::Now now = loop_.now();
  const bool turn_end = std::holds_alternative<TurnEnded>(event);
  const uint64_t runs = core_->state().counters[static_cast<size_t>(Metric::AllocationRuns)];
  core_->on(std::move(event), now, effects);
  if (!turn_end || core_->state().counters[static_cast<size_t>(Metric::AllocationRuns)] == runs) return;
  metrics_.timer("allocator/mesos/allocation_run_ms").record(loop_.now().instant - now.instant);
  metrics_.timer("allocator/mesos/allocation_run_latency_ms").record(now.instant - allocation_asked_);
}

void Shell::perform(Effects& effects) {
  for (Effect& effect : effects.list()) std::visit([this](auto& e) { perform(e); }, effect);
}

void Shell::perform(SendToAgent& effect) { links_->send(effect.link, std::move(effect.message)); }

void Shell::perform(CloseLink& effect) { links_->close(effect.link); }

void Shell::perform(SendToScheduler& effect) {
  const auto found = scheduler_streams_.find(effect.connection);
  if (found == scheduler_streams_.end()) return;
  SchedulerStream& out = found->second;
  if (out.stream.queued_bytes() > kMostQueuedBytes) {
    LOG_WARNING("a scheduler does not read its events ({} MB wait); cutting its stream", kMostQueuedBytes >> 20);
    out.stream.abort();
    scheduler_streams_.erase(found);
    events_.push_back(SchedulerConnectionClosed{effect.connection});
    return;
  }
  out.stream.write(api::encode_record(out.type, effect.event));
}

void Shell::perform(CloseConnection& effect) {
  const auto found = scheduler_streams_.find(effect.connection);
  if (found == scheduler_streams_.end()) return;
  found->second.stream.close();
  scheduler_streams_.erase(found);
}

void Shell::perform(Reply& effect) {
  const auto found = replies_.find(effect.call);
  if (found == replies_.end()) return;
  const base::http::Responder responder = found->second;
  replies_.erase(found);
  responder.reply(base::http::Response::text(effect.status, std::move(effect.body)));
}

void Shell::perform(Persist& effect) {
  const Ticket ticket = effect.ticket;
  const std::weak_ptr<bool> alive = alive_;
  if (!store_) {
    loop_.post([this, alive, ticket] {
      if (!alive.expired()) on(Persisted{ticket, {}});
    });
    return;
  }
  base::StoreBatch batch;
  std::vector<std::pair<std::string, std::optional<size_t>>> sizes;
  for (Write& write : effect.writes) {
    sizes.emplace_back(write.key, write.value ? std::optional(write.value->size()) : std::nullopt);
    batch.writes.push_back({std::move(write.key), std::move(write.value)});
  }
  store_->commit(std::move(batch), [this, alive, ticket, sizes = std::move(sizes), begun = loop_.now().instant](base::Status result) {
    if (alive.expired()) return;
    metrics_.timer("registrar/state_store_ms").record(loop_.now().instant - begun);
    if (result) {
      for (const auto& [key, bytes] : sizes) count_record(key, bytes);
    }
    on(Persisted{ticket, std::move(result)});
  });
}

void Shell::perform(SetTimer& effect) {
  timers_[effect.timer] = loop_.at(effect.at, [this, timer = effect.timer] {
    timers_.erase(timer);
    on(TimerFired{timer});
  });
}

void Shell::perform(CancelTimer& effect) {
  const auto found = timers_.find(effect.timer);
  if (found == timers_.end()) return;
  loop_.cancel(found->second);
  timers_.erase(found);
}

void Shell::count_record(const std::string& key, std::optional<size_t> bytes) {
  const auto known = registry_sizes_.find(key);
  if (known != registry_sizes_.end()) registry_bytes_ -= known->second;
  if (!bytes) {
    if (known != registry_sizes_.end()) registry_sizes_.erase(known);
    return;
  }
  registry_sizes_[key] = key.size() + *bytes;
  registry_bytes_ += key.size() + *bytes;
}

void Shell::perform(WantTurnEnd&) {
  allocation_asked_ = loop_.now().instant;
  const std::weak_ptr<bool> alive = alive_;
  loop_.post([this, alive] {
    if (!alive.expired()) on(TurnEnded{});
  });
}

void Shell::perform(Trace& effect) {
  switch (effect.level) {
    case TraceLevel::Debug: LOG_DEBUG("{}", effect.text); break;
    case TraceLevel::Info: LOG_INFO("{}", effect.text); break;
    case TraceLevel::Warning: LOG_WARNING("{}", effect.text); break;
    case TraceLevel::Error: LOG_ERROR("{}", effect.text); break;
  }
}

CallId Shell::expect_reply(base::http::Responder responder) {
  const CallId id = next_id_++;
  replies_.emplace(id, std::move(responder));
  return id;
}

void Shell::open_scheduler_stream(base::http::Stream stream, api::ContentType type, std::string stream_id,
                                  mesos::v1::scheduler::Call::Subscribe subscribe, std::string principal) {
  const ConnectionId id = next_id_++;
  stream.on_disconnect([this, id, alive = std::weak_ptr<bool>(alive_)] {
    if (alive.expired()) return;
    scheduler_streams_.erase(id);
    on(SchedulerConnectionClosed{id});
  });
  scheduler_streams_[id] = SchedulerStream{stream, type};
  on(SchedulerSubscribed{id, std::move(stream_id), std::move(subscribe), std::move(principal)});
}

void Shell::perform(Publish& effect) { subscribers_.publish(effect.event, effect.user); }

void Shell::open_operator_stream(base::http::Stream stream, api::ContentType type, const std::string& principal) {
  subscribers_.open(std::move(stream), type, visibility(principal), [this] { return snapshot(); });
}

// Rendering -------------------------------------------------------------------------------------------------------

std::shared_ptr<const Snapshot> Shell::snapshot() {
  if (!snapshot_ || snapshot_version_ != version_) {
    snapshot_ = core_->snapshot(loop_.now());
    snapshot_version_ = version_;
    // Kept for the other requests of this turn; afterwards it would only keep old tasks alive.
    loop_.post([this, alive = std::weak_ptr<bool>(alive_)] {
      if (!alive.expired()) snapshot_.reset();
    });
  }
  return snapshot_;
}

void Shell::render(const std::string& principal, std::string key, Render render, bool gzip, OnRendered done) {
  if (gzip) key += "\ngzip";
  if (const Visibility visible = visibility(principal); !visible.everything()) {
    key += "\n" + principal;  // no key has a line feed
    render = [visible, draw = std::move(render)](const Snapshot& snapshot) { return draw(visible.filter(snapshot)); };
  }
  Rendering& rendering = renderings_[key];
  if (rendering.running && rendering.version == version_) {
    rendering.done.push_back(std::move(done));
    metrics_.counter("master/http_cache_hits").increment();
    return;
  }
  if (rendering.next) {
    rendering.next->done.push_back(std::move(done));
    metrics_.counter("master/http_cache_hits").increment();
    return;
  }
  rendering.next.emplace();
  rendering.next->render = std::move(render);
  rendering.next->gzip = gzip;
  rendering.next->done.push_back(std::move(done));
  if (!rendering.running) start_rendering(key);
}

void Shell::start_rendering(const std::string& key) {
  Rendering& rendering = renderings_[key];
  Render draw = std::move(rendering.next->render);
  const bool gzip = rendering.next->gzip;
  rendering.done = std::move(rendering.next->done);
  rendering.next.reset();
  rendering.running = true;
  rendering.version = version_;
  const auto work = [draw, gzip, picture = snapshot()] {
    give_way();
    std::string text = draw(*picture);
    const bool small = text.size() < kGzipBytes;
    if (gzip && !small) text = base::http::gzip(text);
    return RenderedBody{std::make_shared<const std::string>(std::move(text)), gzip && !small};
  };
  const auto finish = [this, key, alive = std::weak_ptr<bool>(alive_)](const RenderedBody& rendered) {
    if (alive.expired()) return;
    const auto found = renderings_.find(key);
    const auto waiting = std::move(found->second.done);
    found->second.running = false;
    if (found->second.next) {
      start_rendering(key);
    } else {
      renderings_.erase(found);
    }
    for (const auto& done : waiting) done(rendered);
  };
  if (!pool_.run_for(work, finish)) {
    // Nobody is served by a queue that only grows.
    const auto waiting = std::move(rendering.done);
    renderings_.erase(key);
    for (const auto& done : waiting) done({});
  }
}

}  // namespace master
