#include "l4lb/shell.hpp"

#include <sys/stat.h>

#include <deque>

#include "base/file.hpp"
#include "base/http/server.hpp"
#include "base/log.hpp"
#include "base/numbers.hpp"
#include "base/pool.hpp"
#include "l4lb/agent_stream.hpp"
#include "l4lb/api/rest.hpp"
#include "l4lb/dataplane/driver.hpp"
#include "l4lb/seal.hpp"
#include "l4lb/udp.hpp"

namespace l4lb {
namespace {

constexpr const char* kNodeKey = "node/id";
constexpr const char* kLifeKey = "node/life";
constexpr base::Duration kWaitForOthers = base::seconds(5);
constexpr base::Duration kSettle = base::milliseconds(300);

base::Result<Key> read_key(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return base::errno_error("--cluster_key_file=" + path, errno);
  if ((info.st_mode & 077) != 0)
    return base::forbidden("--cluster_key_file=" + path + " can be read by others: chmod 600 it");
  auto text = base::read_file(path, 4096);
  if (!text) return text.error().with_context("--cluster_key_file");
  auto key = parse_key(*text);
  if (!key) return key.error().with_context("--cluster_key_file=" + path);
  return key;
}

}  // namespace

struct Shell::Impl {
  Impl(base::Loop& l, base::Store& s, const Flags& f)
      : loop(l),
        store(s),
        flags(f),
        pool(l, 1),
        udp(l, [this](const Endpoint& from, std::string_view bytes) { received(from, bytes); }),
        server(l, {}, [this](base::http::Request request, base::http::Responder responder) {
          router.handle(std::move(request), std::move(responder));
        }) {}

  ~Impl() {
    loop.cancel(wake);
    loop.cancel(start_timer);
  }

  void dispatch(Event event) {
    events.push_back(std::move(event));
    if (busy) return;
    busy = true;
    while (!events.empty()) {
      const Event next = std::move(events.front());
      events.pop_front();
      Effects out;
      core->on(next, loop.now().instant, out);
      for (Effect& effect : out.list) std::visit([this](auto& each) { perform(each); }, effect);
    }
    busy = false;
    consider_start();
  }

  void perform(Send& e) {
    metrics.counter("lashup/mc_outgoing_packets_total").increment();
    if (!udp.send(e.to, seal->close(e.bytes))) metrics.counter("lashup/send_failures").increment();
  }

  void perform(Persist& e) {
    base::StoreBatch batch;
    for (auto& [key, value] : e.writes) batch.writes.push_back({std::move(key), std::move(value)});
    store.commit(std::move(batch), [this, weak = std::weak_ptr(alive), ticket = e.ticket](base::Status status) {
      if (!weak.expired()) dispatch(Persisted{ticket, std::move(status)});
    });
  }

  void perform(Program& e) {
    if (driver) driver->change(std::move(e.changes));
  }

  void perform(RecordsChanged& e) {
    if (rest) rest->publish(e);
  }

  void perform(Wake& e) {
    if (e.at == wake_at && wake != 0) return;
    loop.cancel(wake);
    wake_at = e.at;
    wake = loop.at(e.at, [this] {
      wake = 0;
      dispatch(TimerFired{});
    });
  }

  void perform(Trace& e) {
    if (e.level == Trace::Level::Warning) LOG_WARNING("{}", e.text);
    else LOG_INFO("{}", e.text);
  }

  void perform(Count& e) { metrics.counter(e.metric).increment(e.by); }

  void received(const Endpoint& from, std::string_view bytes) {
    auto opened = seal->open(bytes);
    if (const auto* refusal = std::get_if<Seal::Refusal>(&opened)) {
      const char* name = *refusal == Seal::Refusal::WrongKey   ? "lashup/datagrams_wrong_key"
                         : *refusal == Seal::Refusal::Replayed ? "lashup/datagrams_replayed"
                                                               : "lashup/datagrams_malformed";
      metrics.counter(name).increment();
      return;
    }
    metrics.counter("lashup/mc_incoming_packets_total").increment();
    auto& good = std::get<Seal::Opened>(opened);
    dispatch(DatagramReceived{from, good.sender, std::move(good.plain)});
  }

  /// The machine's number, and how often it has started: durable before the first word to others.
  base::Result<std::pair<NodeId, uint64_t>> identity() {
    base::Random random = base::Random::from_os();
    ASSIGN_OR_RETURN(const auto id_text, store.get(kNodeKey));
    ASSIGN_OR_RETURN(const auto life_text, store.get(kLifeKey));
    NodeId id = id_text ? base::parse_uint(*id_text).value_or(0) : 0;
    while (id == 0) id = random.next();
    const uint64_t life = (life_text ? base::parse_uint(*life_text).value_or(0) : 0) + 1;
    base::StoreBatch batch;
    batch.put(kNodeKey, std::to_string(id));
    batch.put(kLifeKey, std::to_string(life));
    std::optional<base::Status> result;
    store.commit(std::move(batch), [this, &result](base::Status status) {
      result = std::move(status);
      loop.stop(0);
    });
    while (!result) loop.run();
    if (!*result) return result->error().with_context("storing this machine's number");
    return std::pair{id, life};
  }

  void add_gauges() {
    const auto gauge = [this](const std::string& name, std::function<size_t()> read) {
      metrics.gauge(name, [read = std::move(read)] { return static_cast<double>(read()); });
    };
    gauge("l4lb/vips", [this] { return core->replica().vips().size(); });
    gauge("l4lb/backends", [this] {
      size_t count = 0;
      for (const auto& [vip, owners] : core->replica().vips())
        for (const auto& [owner, entry] : owners) count += entry->backends.size();
      return count;
    });
    gauge("l4lb/unreachable_nodes", [this] { return core->swim().members().size() - core->swim().alive(); });
    gauge("l4lb/unreachable_backends", [this] {
      size_t count = 0;
      for (const auto& [vip, owners] : core->replica().vips())
        for (const auto& [owner, entry] : owners) count += core->swim().reachable(owner) ? 0 : entry->backends.size();
      return count;
    });
    gauge("l4lb/local_tasks", [this] { return core->local_tasks(); });
    gauge("l4lb/local_running_tasks", [this] { return core->local_running(); });
    gauge("l4lb/local_vips",
          [this] { return core->replica().entries(core->id()).size() - core->replica().tombstones(core->id()); });
    gauge("l4lb/local_backends", [this] {
      size_t count = 0;
      for (const Entry* entry : core->replica().entries(core->id())) count += entry->backends.size();
      return count;
    });
    gauge("l4lb/services_in_kernel", [this] { return driver ? driver->services() : 0; });
    gauge("lashup/members", [this] { return core->swim().members().size() + 1; });
    gauge("lashup/alive", [this] { return core->swim().alive() + 1; });
    gauge("lashup/local_health", [this] { return static_cast<size_t>(core->swim().health()); });
    gauge("lashup/rumours", [this] { return core->rumours().size(); });
    for (const char* name : {"lashup/datagrams_wrong_key", "lashup/datagrams_replayed", "lashup/datagrams_malformed",
                             "lashup/bad_datagrams", "l4lb/dataplane_errors", "l4lb/bad_labels"})
      metrics.counter(name);
  }

  DriverOptions driver_options() const {
    DriverOptions options;
    options.nft.table = flags.table;
    options.nft.range = flags.policy().names;
    options.nft.seed = core ? core->id() : 0;
    options.routes.metric = flags.route_metric();
    options.routes.source4 = parse_address(flags.ip)->v4() ? *parse_address(flags.ip) : Address();
    options.routes.source6 = parse_address(flags.ip)->v6() ? *parse_address(flags.ip) : Address();
    options.reconcile = flags.reconcile_interval;
    return options;
  }

  base::Result<uint16_t> start() {
    ASSIGN_OR_RETURN(const Key key, read_key(flags.cluster_key_file));
    ASSIGN_OR_RETURN(const auto who, identity());
    base::Random random = base::Random::from_os();
    seal = std::make_unique<Seal>(key, who.first, who.second, random.next());
    auto records = store.scan("");
    if (!records) return records.error().with_context("reading the store");
    Endpoint listen_at = flags.gossip();
    if (!flags.gossip_address.empty()) listen_at.address = *parse_address(flags.gossip_address);
    ASSIGN_OR_RETURN(const uint16_t gossip_port, udp.listen(listen_at));
    MemberInfo self{who.first,
                    {flags.gossip().address, gossip_port},
                    static_cast<uint32_t>(who.second),
                    MemberState::Alive,
                    0,
                    *parse_address(flags.ip),
                    flags.hostname.substr(0, kMaxHostname)};
    core = std::make_unique<Core>(flags.policy(), self, base::Random::from_os());
    if (flags.dataplane == "nft")
      driver = std::make_unique<Driver>(loop, pool, metrics, driver_options(), [this](std::vector<Endpoint> backends) {
        dispatch(BackendsFailed{std::move(backends)});
      });
    Rest::Context context{loop, *core, metrics, fingerprint(key),
                          [this] { return driver ? driver->problem() : std::string(); }};
    rest = std::make_unique<Rest>(std::move(context), router);
    add_gauges();
    ASSIGN_OR_RETURN(const uint16_t port, server.listen(flags.rest_ip, flags.rest_port));
    began = loop.now().instant;
    Recovered recovered;
    for (base::StoreEntry& entry : *records)
      recovered.records.emplace_back(std::move(entry.key), std::move(entry.value));
    dispatch(std::move(recovered));
    for (const std::string& agent : flags.agent_list()) {
      auto& stream = streams.emplace_back();
      stream = std::make_unique<AgentStream>(
          loop, client, agent,
          AgentStream::Callbacks{.on_event = [this](Event event) { dispatch(std::move(event)); },
                                 .on_problem =
                                     [this, agent](const std::string& problem) {
                                       LOG_WARNING("agent {}: {}; trying again", agent, problem);
                                       metrics.counter("mesos_listener/failures_total").increment();
                                     }});
    }
    start_timer = loop.every(base::milliseconds(100), [this] { consider_start(); });
    consider_start();
    LOG_INFO("machine {} in life {}, gossip on {}:{}, key {}", render_node(who.first), who.second,
             render(listen_at.address), gossip_port, fingerprint(key).substr(0, 8));
    return port;
  }

  /// Rules of an earlier process stay until this one knows what it needs to replace them.
  void consider_start() {
    if (!driver || driver->started() || streams.size() != flags.agent_list().size()) return;
    const base::Instant now = loop.now().instant;
    bool ready = true;
    for (const auto& stream : streams) ready = ready && stream->connected();
    if (!flags.peers.empty()) {
      if (core->swim().alive() == 0) joined = now;
      ready = ready && core->swim().alive() > 0 && now - joined >= kSettle;
    }
    if (!ready && now - began < kWaitForOthers) return;
    driver->start();
    loop.cancel(start_timer);
  }

  void stop(bool leaves) {
    if (stopping) return;
    stopping = true;
    if (leaves) dispatch(LeaveAsked{});
    streams.clear();
    const auto end = [this] {
      server.drain(base::milliseconds(300), [this] { loop.stop(0); });
      loop.after(base::milliseconds(500), [&l = loop] { l.stop(0); });
    };
    if (driver && (leaves || flags.cleanup_on_exit)) {
      driver->cleanup([end](const base::Status& status) {
        if (!status) LOG_WARNING("{}", status.error().message);
        end();
      });
    } else {
      end();
    }
  }

  base::Loop& loop;
  base::Store& store;
  const Flags& flags;
  base::Metrics metrics;
  base::http::Router router;
  std::unique_ptr<Seal> seal;
  std::unique_ptr<Core> core;
  std::deque<Event> events;
  bool busy = false, stopping = false;
  base::Instant began{}, joined{}, wake_at{};
  base::Loop::TimerId wake = 0, start_timer = 0;
  std::shared_ptr<int> alive = std::make_shared<int>(0);

  // Last, so that they go first: their callbacks use what is above.
  base::Pool pool;
  std::unique_ptr<Driver> driver;
  std::unique_ptr<Rest> rest;
  base::http::Client client{loop};
  std::vector<std::unique_ptr<AgentStream>> streams;
  Udp udp;
  base::http::Server server;
};

Shell::Shell(base::Loop& loop, base::Store& store, const Flags& flags)
    : impl_(std::make_unique<Impl>(loop, store, flags)) {}
Shell::~Shell() = default;

base::Result<uint16_t> Shell::start() { return impl_->start(); }
void Shell::stop(bool leaves) { impl_->stop(leaves); }

}  // namespace l4lb
