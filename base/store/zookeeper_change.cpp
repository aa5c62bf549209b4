// One change of the store, whatever the connection does: performed once, or refused as a whole.

#include "base/store/zookeeper_impl.hpp"
#include "base/zk/paths.hpp"

namespace base {

namespace {

constexpr Duration kRetry = milliseconds(200);
constexpr int kMostLosses = 20;  // connections that one change may cost: a server that hangs up on it always will
constexpr int kMostMended = 64;

}  // namespace

void ZooKeeperStore::Impl::connect() {
  client.reset();
  ++session_number;
  connected = resolving = false;
  reconnecting = false;
  zk::ClientOptions wanted;
  wanted.session_timeout = options.session_timeout;
  wanted.access = zk::Access::Private;
  client = host.connect(wanted, guarded([](Impl& self, zk::SessionState state) { self.on_session(state); }));
}

void ZooKeeperStore::Impl::reconnect_after(Duration delay) {
  reconnecting = true;
  host.cancel(retry_timer);
  retry_timer = host.after(delay, guarded([](Impl& self) { self.connect(); }));
}

void ZooKeeperStore::Impl::on_session(zk::SessionState state) {
  switch (state) {
    case zk::SessionState::Connected:
      connected = true;
      if (reconnecting) return;
      if (load) return load_step();
      if (change) return resolve();
      return;
    case zk::SessionState::Connecting:
      connected = false;
      if (load) restart_load(zk::Rc::ConnectionLoss);
      return;
    case zk::SessionState::AuthFailed:
      connected = false;
      trouble("ZooKeeper refuses the credentials");
      if (load) load->running = false;
      reconnect_after(seconds(5));
      return;
    case zk::SessionState::Expired:
      // Nothing of the store belongs to a session: the next one goes on.
      connected = false;
      if (load) load->running = false;
      reconnect_after(milliseconds(1));
      return;
  }
}

void ZooKeeperStore::Impl::run(Change next) {
  change = std::move(next);
  change_sent = false;
  send_change();
}

void ZooKeeperStore::Impl::send_change() {
  if (!connected || !change || fenced) return;
  std::vector<zk::Op> ops;
  ops.reserve(change->ops.size() + 1);
  ops.push_back({zk::Op::Kind::Set, root("epoch"), signature(commit_number + 1), epoch_version});
  ops.insert(ops.end(), change->ops.begin(), change->ops.end());
  change_sent = true;
  client->multi(std::move(ops), guarded([](Impl& self, zk::Rc rc, size_t failed) { self.on_change(rc, failed); }));
}

void ZooKeeperStore::Impl::on_change(zk::Rc rc, size_t failed) {
  if (!change) return;
  switch (rc) {
    case zk::Rc::Ok:
      ++epoch_version;
      ++commit_number;
      return change_is_done({});
    case zk::Rc::ConnectionLoss:
    case zk::Rc::SessionExpired:
      if (++change->losses > kMostLosses) {
        return change_is_done(Error{Code::Io, "ZooKeeper closes the connection on this change each time"});
      }
      // Whether it was performed is found out when there is a connection.
      if (connected) resolve();
      return;
    default: break;
  }
  if (failed == 0 && (rc == zk::Rc::BadVersion || rc == zk::Rc::NoNode)) return resolve();
  const size_t index = failed == 0 ? 0 : failed - 1;
  const bool ours = failed > 0 && index < change->targets.size() && change->rebuild;
  if (ours && ++change->mended <= kMostMended &&
      (rc == zk::Rc::NoNode || rc == zk::Rc::NodeExists || rc == zk::Rc::BadVersion)) {
    return mend(change->targets[index]);
  }
  const std::string path = failed > 0 && index < change->ops.size() ? change->ops[index].path : root("epoch");
  change_is_done(Error{Code::Io, "ZooKeeper refuses a change of " + path + ": " + std::string(describe(rc))});
}

/// Reads who wrote last: this change, the one before it (then it is sent again), or another process.
void ZooKeeperStore::Impl::resolve() {
  if (!change || resolving || fenced) return;
  if (!change_sent) return send_change();
  resolving = true;
  client->sync(options.path, [](zk::Rc) {});
  client->get(root("epoch"), [weak = weak_from_this(), number = session_number](zk::Rc rc, const std::string& data,
                                                                                zk::Stat stat) {
    const auto self = weak.lock();
    if (!self || self->stopped || self->session_number != number) return;
    self->resolving = false;
    if (rc == zk::Rc::ConnectionLoss || rc == zk::Rc::SessionExpired) {
      if (self->connected) self->retry_timer = self->host.after(kRetry, self->guarded([](Impl& s) { s.resolve(); }));
      return;
    }
    if (rc != zk::Rc::Ok) return self->fence("the store's epoch node cannot be read: " + std::string(describe(rc)));
    if (data == self->signature(self->commit_number + 1)) {
      ++self->commit_number;
      self->epoch_version = stat.version;
      return self->change_is_done({});
    }
    if (data == self->signature(self->commit_number) && stat.version == self->epoch_version) return self->send_change();
    self->fence("another process has taken over the store: " + data.substr(0, data.find(' ')));
  });
}

void ZooKeeperStore::Impl::change_is_done(Status status) {
  const auto self = shared_from_this();
  const Change finished = std::move(*change);
  change.reset();
  if (finished.done) finished.done(status);
}

/// Somebody changed a node by hand, or an earlier opening left one: looks at it and tries again.
void ZooKeeperStore::Impl::mend(const Target& target) {
  trouble("the node " + node_of(target.key, target.part) + " is not as this process left it");
  client->get(node_of(target.key, target.part), guarded([target](Impl& self, zk::Rc rc, const std::string&, zk::Stat stat) {
                if (!self.change) return;
                if (rc != zk::Rc::Ok && rc != zk::Rc::NoNode) return self.on_change(zk::Rc::ConnectionLoss, 0);
                const auto [at, fresh] = self.entries.try_emplace(target.key);
                Entry& entry = at->second;
                if (fresh) {
                  entry.exists = entry.readable = false;
                }
                const auto part = static_cast<size_t>(std::max(target.part, 0));
                if (target.part < 0) {
                  entry.exists = rc == zk::Rc::Ok;
                  entry.version = stat.version;
                } else if (rc == zk::Rc::NoNode) {
                  entry.parts.resize(std::min(entry.parts.size(), part));
                } else {
                  if (entry.parts.size() <= part) entry.parts.resize(part + 1, -1);
                  entry.parts[part] = stat.version;
                }
                self.change->ops.clear();
                self.change->targets.clear();
                self.change->rebuild(*self.change);
                self.send_change();
              }));
}

}  // namespace base
