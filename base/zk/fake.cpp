#include "base/zk/fake.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "base/check.hpp"

namespace base::zk {

namespace {

struct Node {
  std::string data{};
  int32_t version = 0;
  int32_t children_version = 0;
  int64_t owner = 0;
  int64_t created = 0;
  std::set<std::string> children{};
  int32_t next_sequence = 0;
};

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string name_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

class FakeClient;

}  // namespace

struct FakeZooKeeper::Server : std::enable_shared_from_this<FakeZooKeeper::Server> {
  struct Session {
    std::string owner;
    Duration timeout{0};
    bool alive = true;      // on the servers
    bool connected = false; // a connection carries it now
    uint64_t silence = 0;   // counts its silences; an expiry of an older one is void
    std::map<std::string, Client::Watch> child_watches{}, data_watches{};
  };

  Place place;
  std::function<Duration()> latency;
  std::map<std::string, Node> tree{{"/", Node{}}};
  std::map<int64_t, Session> sessions;
  std::set<std::string> cut_off;
  std::map<int64_t, FakeClient*> clients;
  int64_t next_session = 1, zxid = 0;
  uint64_t reads = 0;
  bool stopped = false;

  void silent(int64_t id);
  void heard(int64_t id);
  void end_session(int64_t id);
  void notify_parent(const std::string& path);
  void fire(std::map<std::string, Client::Watch> Session::*watches, const std::string& path);
  Rc perform(Op op, int64_t owner, bool sequential, std::map<std::string, Node>& to, std::string* made) const;
  void changed(const Op& op);
};

namespace {

using Server = FakeZooKeeper::Server;

/// The client's end. Messages go through `send`: to the server and back, each way with its own delay, void when the
/// connection they belong to is gone.
class FakeClient : public Client, public std::enable_shared_from_this<FakeClient> {
 public:
  FakeClient(std::shared_ptr<Server> server, std::string owner, FakeZooKeeper::Place place, ClientOptions options,
             Host::OnSession on_session)
      : server_(std::move(server)),
        owner_(std::move(owner)),
        place_(std::move(place)),
        options_(options),
        on_session_(std::move(on_session)) {}

  ~FakeClient() override { CHECK(closed_); }

  void start() { connect_later(server_->latency() * 2); }

  /// `silently`: the program crashed, nobody tells the servers.
  void close(bool silently) {
    if (closed_) return;
    closed_ = true;
    const bool reachable = connected_ && !silently && server_->cut_off.count(owner_) == 0;
    server_->clients.erase(session_);
    if (session_ != 0) {
      server_->silent(session_);
      if (reachable) {
        server_->place.after(server_->latency(), [server = server_, id = session_] { server->end_session(id); });
      }
    }
    pending_.clear();
  }

  SessionState state() const override { return state_; }
  int64_t session() const override { return session_; }
  Duration session_timeout() const override { return options_.session_timeout; }
  const std::string& owner() const { return owner_; }

  void create(const std::string& path, const std::string& data, CreateMode mode,
              std::function<void(Rc, std::string)> done) override {
    auto answer = std::make_shared<std::string>();
    const bool sequential = mode == CreateMode::EphemeralSequential;
    send(
        [path, data, sequential, answer](Server& server, int64_t id) {
          Op op{Op::Kind::Create, path, data};
          const Rc rc = server.perform(op, sequential ? id : 0, sequential, server.tree, answer.get());
          if (rc == Rc::Ok) server.notify_parent(*answer);
          return rc;
        },
        [answer, done](Rc rc) { done(rc, *answer); });
  }

  void get(const std::string& path, Watch watch, std::function<void(Rc, std::string, Stat)> done) override {
    auto answer = std::make_shared<Node>();
    send(
        [path, watch, answer](Server& server, int64_t id) {
          ++server.reads;
          const auto found = server.tree.find(path);
          if (found == server.tree.end()) return Rc::NoNode;
          *answer = found->second;
          if (watch) server.sessions.at(id).data_watches[path] = watch;
          return Rc::Ok;
        },
        [answer, done](Rc rc) {
          done(rc, answer->data, Stat{answer->version, answer->children_version, answer->owner});
        });
  }

  void children(const std::string& path, Watch watch,
                std::function<void(Rc, std::vector<std::string>)> done) override {
    auto answer = std::make_shared<std::vector<std::string>>();
    send(
        [path, watch, answer](Server& server, int64_t id) {
          ++server.reads;
          const auto found = server.tree.find(path);
          if (found == server.tree.end()) return Rc::NoNode;
          answer->assign(found->second.children.begin(), found->second.children.end());
          if (watch) server.sessions.at(id).child_watches[path] = watch;
          return Rc::Ok;
        },
        [answer, done](Rc rc) { done(rc, *answer); });
  }

  void multi(std::vector<Op> ops, std::function<void(Rc, size_t)> done) override {
    auto failed = std::make_shared<size_t>(0);
    send(
        [ops, failed](Server& server, int64_t) {
          auto tree = server.tree;  // all or nothing
          for (size_t i = 0; i < ops.size(); ++i) {
            const Rc rc = server.perform(ops[i], 0, false, tree, nullptr);
            if (rc == Rc::Ok) continue;
            *failed = i;
            return rc;
          }
          server.tree = std::move(tree);
          for (const Op& op : ops) server.changed(op);
          return Rc::Ok;
        },
        [failed, done](Rc rc) { done(rc, *failed); });
  }

  void sync(const std::string&, std::function<void(Rc)> done) override {
    send([](Server&, int64_t) { return Rc::Ok; }, std::move(done));
  }

  // What the fake does to it -----------------------------------------------------------------------------------------

  /// The connection is gone: everything under way is answered by ConnectionLoss.
  void break_connection() {
    if (closed_ || !connected_) return;
    connected_ = silent_ = false;
    ++connection_;
    server_->silent(session_);
    fail_pending(Rc::ConnectionLoss);
    tell(SessionState::Connecting);
    connect_later(server_->latency() * 4);
  }

  /// Cut off: noticed by the client when nothing has come for two thirds of the timeout. What was on its way is lost, so
  /// that nothing passes on this connection any more.
  void fall_silent() {
    if (closed_ || !connected_) return;
    silent_ = true;
    server_->silent(session_);
    const uint64_t connection = ++connection_;  // no message arrives any more
    in_place(options_.session_timeout * 2 / 3, [connection](FakeClient& self) {
      if (self.connected_ && self.connection_ == connection) self.break_connection();
    });
  }

  /// The other end answers again, that it knows nothing of the connection.
  void heard_again() {
    const uint64_t connection = connection_;
    in_place(Duration(0), [connection](FakeClient& self) {
      if (self.silent_ && self.connection_ == connection) self.break_connection();
    });
  }

  void watch_fired(const Watch& watch) {
    const uint64_t connection = connection_;
    answer_ = std::max(answer_, place_.now() + server_->latency());  // no answer overtakes it
    in_place(answer_ - place_.now(), [watch, connection](FakeClient& self) {
      if (self.connected_ && !self.silent_ && self.connection_ == connection) return watch();
      self.missed_.push_back(watch);  // told when the connection is back, as the real client does
    });
  }

 private:
  using Perform = std::function<Rc(Server&, int64_t session)>;

  template <class Call>
  void in_place(Duration delay, Call call) {
    place_.after(delay, [weak = weak_from_this(), call] {
      const auto self = weak.lock();
      if (self && !self->closed_) call(*self);
    });
  }

  void tell(SessionState state) {
    state_ = state;
    if (on_session_) on_session_(state);
  }

  void connect_later(Duration delay) {
    in_place(delay, [](FakeClient& self) { self.try_to_connect(); });
  }

  void try_to_connect() {
    if (connected_ || state_ == SessionState::Expired) return;
    if (server_->cut_off.count(owner_) > 0) return connect_later(milliseconds(100));
    if (session_ == 0) {
      session_ = server_->next_session++;
      Server::Session made;
      made.owner = owner_;
      made.timeout = options_.session_timeout;
      server_->sessions[session_] = made;
    } else if (!server_->sessions.at(session_).alive) {
      return tell(SessionState::Expired);
    }
    server_->clients[session_] = this;
    connected_ = true;
    ++connection_;
    server_->heard(session_);
    tell(SessionState::Connected);
    if (closed_) return;
    auto missed = std::move(missed_);
    missed_.clear();
    for (const Watch& watch : missed) {
      in_place(Duration(0), [watch](FakeClient&) { watch(); });
    }
  }

  void send(Perform perform, std::function<void(Rc)> done) {
    const uint64_t number = next_++;
    if (state_ == SessionState::Expired || !connected_) {
      const Rc rc = state_ == SessionState::Expired ? Rc::SessionExpired : Rc::ConnectionLoss;
      return in_place(Duration(0), [done, rc](FakeClient&) { done(rc); });
    }
    pending_[number] = std::move(done);
    const uint64_t connection = connection_;
    arrival_ = std::max(arrival_, place_.now() + server_->latency());
    const auto weak = weak_from_this();
    // Once sent, a message goes its way whatever happens to the sender.
    server_->place.after(arrival_ - place_.now(), [server = server_, weak, perform, number, connection, id = session_,
                                                   owner = owner_] {
      const auto session = server->sessions.find(id);
      if (session == server->sessions.end() || !session->second.alive || server->cut_off.count(owner) > 0) return;
      const auto self = weak.lock();
      if (self && self->silent_ && self->connection_ == connection) return;
      if (self && !self->closed_ && self->connected_ && self->connection_ == connection) server->heard(id);
      const Rc rc = perform(*server, id);
      if (!self || self->closed_) return;
      self->answer_ = std::max(self->answer_, self->place_.now() + server->latency());
      self->in_place(self->answer_ - self->place_.now(), [number, connection, rc](FakeClient& client) {
        if (!client.connected_ || client.connection_ != connection) return;
        client.complete(number, rc);
      });
    });
  }

  void complete(uint64_t number, Rc rc) {
    const auto found = pending_.find(number);
    if (found == pending_.end()) return;
    const auto done = std::move(found->second);
    pending_.erase(found);
    done(rc);
  }

  void fail_pending(Rc rc) {
    auto failed = std::move(pending_);
    pending_.clear();
    for (auto& [number, done] : failed) {
      in_place(Duration(0), [done = done, rc](FakeClient&) { done(rc); });
    }
  }

  std::shared_ptr<Server> server_;
  std::string owner_;
  FakeZooKeeper::Place place_;
  ClientOptions options_;
  Host::OnSession on_session_;
  SessionState state_ = SessionState::Connecting;
  bool connected_ = false, closed_ = false, silent_ = false;
  int64_t session_ = 0;
  uint64_t connection_ = 0, next_ = 1;
  std::map<uint64_t, std::function<void(Rc)>> pending_;
  std::vector<Watch> missed_;
  Instant arrival_{}, answer_{};
};

/// What the program holds; its end closes the session.
class Handle : public Client {
 public:
  explicit Handle(std::shared_ptr<FakeClient> client) : client_(std::move(client)) {}
  ~Handle() override { client_->close(false); }
  SessionState state() const override { return client_->state(); }
  int64_t session() const override { return client_->session(); }
  Duration session_timeout() const override { return client_->session_timeout(); }
  void create(const std::string& path, const std::string& data, CreateMode mode,
              std::function<void(Rc, std::string)> done) override {
    client_->create(path, data, mode, std::move(done));
  }
  void get(const std::string& path, Watch watch, std::function<void(Rc, std::string, Stat)> done) override {
    client_->get(path, std::move(watch), std::move(done));
  }
  void children(const std::string& path, Watch watch,
                std::function<void(Rc, std::vector<std::string>)> done) override {
    client_->children(path, std::move(watch), std::move(done));
  }
  void multi(std::vector<Op> ops, std::function<void(Rc, size_t)> done) override {
    client_->multi(std::move(ops), std::move(done));
  }
  void sync(const std::string& path, std::function<void(Rc)> done) override { client_->sync(path, std::move(done)); }

 private:
  std::shared_ptr<FakeClient> client_;
};

}  // namespace

// The servers ------------------------------------------------------------------------------------------------------

void FakeZooKeeper::Server::heard(int64_t id) {
  Session& session = sessions.at(id);
  session.connected = true;
  ++session.silence;
}

void FakeZooKeeper::Server::silent(int64_t id) {
  const auto found = sessions.find(id);
  if (found == sessions.end() || !found->second.connected) return;
  found->second.connected = false;
  const uint64_t silence = ++found->second.silence;
  place.after(found->second.timeout, [weak = weak_from_this(), id, silence] {
    const auto self = weak.lock();
    if (!self || self->stopped) return;
    const auto session = self->sessions.find(id);
    if (session != self->sessions.end() && session->second.silence == silence) self->end_session(id);
  });
}

void FakeZooKeeper::Server::end_session(int64_t id) {
  const auto found = sessions.find(id);
  if (found == sessions.end() || !found->second.alive) return;
  found->second.alive = false;
  found->second.child_watches.clear();
  found->second.data_watches.clear();
  std::vector<std::string> owned;
  for (const auto& [path, node] : tree) {
    if (node.owner == id) owned.push_back(path);
  }
  for (const std::string& path : owned) {
    tree.at(parent_of(path)).children.erase(name_of(path));
    tree.erase(path);
    fire(&Session::data_watches, path);
    notify_parent(path);
  }
}

void FakeZooKeeper::Server::notify_parent(const std::string& path) { fire(&Session::child_watches, parent_of(path)); }

void FakeZooKeeper::Server::fire(std::map<std::string, Client::Watch> Session::*watches, const std::string& path) {
  for (auto& [id, session] : sessions) {
    const auto watch = (session.*watches).find(path);
    if (watch == (session.*watches).end()) continue;
    const auto call = watch->second;
    (session.*watches).erase(watch);
    if (const auto client = clients.find(id); client != clients.end()) client->second->watch_fired(call);
  }
}

void FakeZooKeeper::Server::changed(const Op& op) {
  if (op.kind == Op::Kind::Create || op.kind == Op::Kind::Remove) notify_parent(op.path);
  if (op.kind == Op::Kind::Set || op.kind == Op::Kind::Remove) fire(&Session::data_watches, op.path);
}

Rc FakeZooKeeper::Server::perform(Op op, int64_t owner, bool sequential, std::map<std::string, Node>& to,
                                  std::string* made) const {
  const auto found = to.find(op.path);
  if (op.kind == Op::Kind::Create) {
    const auto parent = to.find(parent_of(op.path));
    if (parent == to.end()) return Rc::NoNode;
    if (sequential) op.path += fmt::format("{:010}", parent->second.next_sequence);
    if (to.count(op.path) > 0) return Rc::NodeExists;
    ++parent->second.next_sequence;
    ++parent->second.children_version;
    parent->second.children.insert(name_of(op.path));
    Node node;
    node.data = std::move(op.data);
    node.owner = owner;
    to[op.path] = std::move(node);
    if (made) *made = op.path;
    return Rc::Ok;
  }
  if (found == to.end()) return Rc::NoNode;
  if (op.version != -1 && op.version != found->second.version) return Rc::BadVersion;
  if (op.kind == Op::Kind::Set) {
    found->second.data = std::move(op.data);
    ++found->second.version;
  } else if (op.kind == Op::Kind::Remove) {
    if (!found->second.children.empty()) return Rc::NotEmpty;
    Node& parent = to.at(parent_of(op.path));
    parent.children.erase(name_of(op.path));
    ++parent.children_version;
    to.erase(found);
  }
  return Rc::Ok;
}

// What tests call --------------------------------------------------------------------------------------------------

FakeZooKeeper::FakeZooKeeper(Place server, std::function<Duration()> latency) : server_(std::make_shared<Server>()) {
  server_->place = std::move(server);
  server_->latency = std::move(latency);
}

FakeZooKeeper::~FakeZooKeeper() { server_->stopped = true; }

Host FakeZooKeeper::host(const std::string& owner, Place program) {
  Host host;
  host.connect = [server = server_, owner, program](ClientOptions options, Host::OnSession on_session) {
    auto client = std::make_shared<FakeClient>(server, owner, program, options, std::move(on_session));
    client->start();
    return std::make_unique<Handle>(client);
  };
  host.now = program.now;
  host.after = program.after;
  host.cancel = program.cancel;
  return host;
}

namespace {

std::vector<std::shared_ptr<FakeClient>> clients_of(Server& server, const std::string& owner) {
  std::vector<std::shared_ptr<FakeClient>> found;
  for (const auto& [id, client] : server.clients) {
    if (client->owner() == owner) found.push_back(client->shared_from_this());
  }
  return found;
}

}  // namespace

void FakeZooKeeper::cut(const std::string& owner) {
  server_->cut_off.insert(owner);
  for (const auto& client : clients_of(*server_, owner)) client->fall_silent();
}

void FakeZooKeeper::mend(const std::string& owner) {
  if (server_->cut_off.erase(owner) == 0) return;
  for (const auto& client : clients_of(*server_, owner)) client->heard_again();
}

void FakeZooKeeper::drop(const std::string& owner) {
  for (const auto& client : clients_of(*server_, owner)) client->break_connection();
}

void FakeZooKeeper::expire(const std::string& owner) {
  for (auto& [id, session] : server_->sessions) {
    if (session.owner == owner && session.alive) server_->end_session(id);
  }
  drop(owner);
}

void FakeZooKeeper::crash(const std::string& owner) {
  for (const auto& client : clients_of(*server_, owner)) client->close(true);
}

const std::map<std::string, std::string> FakeZooKeeper::nodes() const {
  std::map<std::string, std::string> out;
  for (const auto& [path, node] : server_->tree) {
    if (path != "/") out[path] = node.data;
  }
  return out;
}

size_t FakeZooKeeper::sessions() const {
  return static_cast<size_t>(std::count_if(server_->sessions.begin(), server_->sessions.end(),
                                           [](const auto& entry) { return entry.second.alive; }));
}

uint64_t FakeZooKeeper::reads() const { return server_->reads; }

bool FakeZooKeeper::force(const Op& op) {
  if (server_->perform(op, 0, false, server_->tree, nullptr) != Rc::Ok) return false;
  server_->changed(op);
  return true;
}

}  // namespace base::zk
