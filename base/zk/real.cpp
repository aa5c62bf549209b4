// The single-threaded C client, driven by the loop: it says which socket it waits for and until when
// (zookeeper_interest); we watch the socket and tell it (zookeeper_process). What it has to say is queued and passed on
// when it has returned, so that nothing of ours runs inside it.

#include "base/zk/real.hpp"

#include <sys/ioctl.h>
#include <zookeeper/zookeeper.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <deque>
#include <map>

#include "base/log.hpp"

namespace base::zk {

namespace {

constexpr Duration kShortestWait = milliseconds(1);
constexpr Duration kRetryWait = milliseconds(20);  // after a server could not be reached
constexpr Duration kLongestWait = seconds(1);
constexpr int kMostAnswers = 1000;  // in one turn of the loop

Rc to_rc(int code) {
  switch (code) {
    case ZOK: return Rc::Ok;
    case ZNONODE: return Rc::NoNode;
    case ZNODEEXISTS: return Rc::NodeExists;
    case ZBADVERSION: return Rc::BadVersion;
    case ZNOTEMPTY: return Rc::NotEmpty;
    case ZNOAUTH:
    case ZINVALIDACL: return Rc::NoAuth;
    case ZSESSIONEXPIRED: return Rc::SessionExpired;
    case ZAUTHFAILED: return Rc::AuthFailed;
    case ZCONNECTIONLOSS:
    case ZOPERATIONTIMEOUT:
    case ZSESSIONMOVED:
    case ZTHROTTLEDOP:
    case ZCLOSING: return Rc::ConnectionLoss;
    default: return Rc::Refused;
  }
}

void on_library_log(const char* message) { LOG_DEBUG("{}", message); }

void wipe(std::string& secret) {
  volatile char* bytes = secret.data();
  for (size_t i = 0; i < secret.size(); ++i) bytes[i] = 0;
  secret.clear();
}

/// The machine's time with what it slept: a leader that wakes up with its machine must find its lease over.
Instant now_with_sleep() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return Instant{seconds(now.tv_sec) + nanoseconds(now.tv_nsec)};
}

class RealClient;

/// What a completion of the library is given: which call it answers. `finish` copies what it needs and returns what is
/// to be called when the library has returned. An answered one is kept until the library has called, so that no later
/// call is taken for it.
struct Pending {
  using Finish = std::function<std::function<void()>(int rc, const void* answer, const ::Stat* stat, int length)>;
  RealClient* client = nullptr;
  Finish finish{};
  bool answered = false;
};

class RealClient : public std::enable_shared_from_this<RealClient> {
 public:
  RealClient(Loop& loop, const Url& url, ClientOptions options, Host::OnSession on_session)
      : loop_(loop), url_(url), options_(options), on_session_(std::move(on_session)), descriptor_(loop.context()) {}

  ~RealClient() {
    close();
    wipe(url_.credentials);
  }

  void start() {
    static const bool quiet = [] {
      zoo_set_debug_level(ZOO_LOG_LEVEL_WARN);
      return true;
    }();
    (void)quiet;
    make_acl();
    open();
  }

  void close() {
    if (closed_) return;
    closed_ = true;
    loop_.cancel(timer_);
    queue_.clear();
    if (watched_ >= 0) descriptor_.release();
    watched_ = -1;
    ++watch_number_;
    if (handle_) zookeeper_close(handle_);  // says goodbye to the server when it is connected, without waiting for it
    handle_ = nullptr;
    pending_.clear();
  }

  SessionState state() const { return state_; }
  int64_t session() const { return handle_ ? zoo_client_id(handle_)->client_id : 0; }
  Duration session_timeout() const {
    const int granted = handle_ && connected_ ? zoo_recv_timeout(handle_) : 0;
    return granted > 0 ? Duration(milliseconds(granted)) : options_.session_timeout;
  }

  void create(const std::string& path, const std::string& data, CreateMode mode,
              std::function<void(Rc, std::string)> done) {
    Pending* pending = expect([done](int rc, const void* answer, const ::Stat*, int) {
      std::string name = rc == ZOK && answer ? static_cast<const char*>(answer) : "";
      return [done, rc, name] { done(to_rc(rc), name); };
    });
    const int flags = mode == CreateMode::EphemeralSequential ? ZOO_EPHEMERAL | ZOO_SEQUENCE : 0;
    begin(pending, [&] {
      return zoo_acreate(handle_, path.c_str(), data.data(), static_cast<int>(data.size()), &acl_, flags, on_string,
                         pending);
    });
  }

  void get(const std::string& path, Client::Watch watch, std::function<void(Rc, std::string, Stat)> done) {
    Pending* pending = expect([done](int rc, const void* answer, const ::Stat* stat, int length) {
      auto data = std::make_shared<std::string>();
      if (rc == ZOK && answer && length > 0) data->assign(static_cast<const char*>(answer), static_cast<size_t>(length));
      Stat found;
      if (rc == ZOK && stat) found = Stat{stat->version, stat->cversion, stat->ephemeralOwner};
      return [done, rc, data, found] { done(to_rc(rc), std::move(*data), found); };
    });
    if (!watch) return begin(pending, [&] { return zoo_aget(handle_, path.c_str(), 0, on_data, pending); });
    data_watches_[path] = std::move(watch);
    begin(pending, [&] { return zoo_awget(handle_, path.c_str(), on_watch, this, on_data, pending); });
  }

  void children(const std::string& path, Client::Watch watch, std::function<void(Rc, std::vector<std::string>)> done) {
    Pending* pending = expect([done](int rc, const void* answer, const ::Stat*, int) {
      auto names = std::make_shared<std::vector<std::string>>();
      const auto* list = static_cast<const String_vector*>(answer);
      if (rc == ZOK && list) names->assign(list->data, list->data + list->count);
      return [done, rc, names] { done(to_rc(rc), std::move(*names)); };
    });
    if (!watch) return begin(pending, [&] { return zoo_aget_children(handle_, path.c_str(), 0, on_strings, pending); });
    child_watches_[path] = std::move(watch);
    // One context for all: the library keeps equal watches of a path once.
    begin(pending, [&] { return zoo_awget_children(handle_, path.c_str(), on_watch, this, on_strings, pending); });
  }

  void multi(std::vector<Op> ops, std::function<void(Rc, size_t)> done) {
    // What the library reads from and writes the answers to must live until then.
    struct Buffers {
      std::vector<Op> ops;
      std::vector<zoo_op_t> calls;
      std::vector<zoo_op_result_t> results;
    };
    auto buffers = std::make_shared<Buffers>();
    buffers->ops = std::move(ops);
    buffers->calls.resize(buffers->ops.size());
    buffers->results.resize(buffers->ops.size());
    for (size_t i = 0; i < buffers->ops.size(); ++i) {
      const Op& op = buffers->ops[i];
      zoo_op_t* call = &buffers->calls[i];
      const int size = static_cast<int>(op.data.size());
      switch (op.kind) {
        case Op::Kind::Create: zoo_create_op_init(call, op.path.c_str(), op.data.data(), size, &acl_, 0, nullptr, 0); break;
        case Op::Kind::Set: zoo_set_op_init(call, op.path.c_str(), op.data.data(), size, op.version, nullptr); break;
        case Op::Kind::Remove: zoo_delete_op_init(call, op.path.c_str(), op.version); break;
        case Op::Kind::Check: zoo_check_op_init(call, op.path.c_str(), op.version); break;
      }
    }
    Pending* pending = expect([done, buffers](int rc, const void*, const ::Stat*, int) {
      // Steps before the failed one are answered by ok, those after it by an inconsistency.
      size_t failed = 0;
      for (size_t i = 0; rc != ZOK && i < buffers->results.size(); ++i) {
        const int err = buffers->results[i].err;
        if (err == ZOK || err == ZRUNTIMEINCONSISTENCY) continue;
        failed = i;
        break;
      }
      return [done, rc, failed] { done(to_rc(rc), failed); };
    });
    begin(pending, [&] {
      return zoo_amulti(handle_, static_cast<int>(buffers->calls.size()), buffers->calls.data(), buffers->results.data(),
                        on_void, pending);
    });
  }

  void sync(const std::string& path, std::function<void(Rc)> done) {
    Pending* pending = expect([done](int rc, const void*, const ::Stat*, int) {
      return [done, rc] { done(to_rc(rc)); };
    });
    begin(pending, [&] { return zoo_async(handle_, path.c_str(), on_string, pending); });
  }

 private:
  void make_acl() {
    static char world[] = "world", anyone[] = "anyone", auth[] = "auth", empty[] = "";
    if (url_.credentials.empty() || options_.access == Access::Open) {
      acls_.push_back({ZOO_PERM_ALL, {world, anyone}});
    } else {
      acls_.push_back({ZOO_PERM_ALL, {auth, empty}});
      if (options_.access == Access::EveryoneReads) acls_.push_back({ZOO_PERM_READ, {world, anyone}});
    }
    acl_ = {static_cast<int32_t>(acls_.size()), acls_.data()};
  }

  void open() {
    const auto timeout = std::chrono::duration_cast<milliseconds>(options_.session_timeout).count();
    handle_ = zookeeper_init2(url_.servers.c_str(), on_session_event, static_cast<int>(timeout), nullptr, this, 0,
                              on_library_log);
    if (!handle_) {
      // No server's name could be resolved, say: it may be later.
      LOG_WARNING("{} cannot be connected to: {}", url_.redacted(), strerror(errno));
      timer_ = loop_.after(kLongestWait, [weak = weak_from_this()] {
        if (const auto self = weak.lock(); self && !self->closed_) self->open();
      });
      return;
    }
    // By itself the library asks for the servers' names each time it looks at its socket, and the loop waits for the name
    // service. Without: when it has lost its server.
    zoo_set_servers_resolution_delay(handle_, -1);
    if (!url_.credentials.empty()) {
      zoo_add_auth(handle_, "digest", url_.credentials.data(), static_cast<int>(url_.credentials.size()), on_auth, this);
    }
    look_again();
  }

  // The library's turn -----------------------------------------------------------------------------------------------

  /// Asks what the library waits for and waits for it. `renewed`: its socket may be another one of the same number.
  void watch_socket(bool renewed) {
    if (closed_ || !handle_) return;
    int fd = -1, interest = 0;
    timeval until{};
    const int rc = zookeeper_interest(handle_, &fd, &interest, &until);
    renewed = renewed || rc != ZOK;
    Duration wait = seconds(until.tv_sec) + microseconds(until.tv_usec);
    if (rc != ZOK) wait = std::min(wait, kRetryWait);
    wait = std::clamp(wait, kShortestWait, kLongestWait);
    loop_.cancel(timer_);
    timer_ = loop_.after(wait, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->process(0);
    });
    if (fd != watched_ || renewed) {
      if (watched_ >= 0) descriptor_.release();
      watched_ = -1;
      ++watch_number_;
      reading_ = writing_ = false;
      boost::system::error_code error;
      if (fd >= 0 && rc == ZOK) descriptor_.assign(fd, error);
      if (fd >= 0 && rc == ZOK && !error) watched_ = fd;
    }
    if (watched_ < 0) return;
    using Descriptor = boost::asio::posix::stream_descriptor;
    if ((interest & ZOOKEEPER_READ) != 0) wait_for(reading_, Descriptor::wait_read, ZOOKEEPER_READ);
    if ((interest & ZOOKEEPER_WRITE) != 0) wait_for(writing_, Descriptor::wait_write, ZOOKEEPER_WRITE);
  }

  void wait_for(bool& waiting, boost::asio::posix::stream_descriptor::wait_type what, int event) {
    if (waiting) return;
    waiting = true;
    descriptor_.async_wait(what, [weak = weak_from_this(), event, number = watch_number_](const auto& error) {
      const auto self = weak.lock();
      if (!self || self->watch_number_ != number) return;
      (event == ZOOKEEPER_READ ? self->reading_ : self->writing_) = false;
      if (!error) self->process(event);
    });
  }

  void process(int events) {
    if (closed_ || !handle_) return;
    const auto self = shared_from_this();
    int rc = zookeeper_process(handle_, events);
    // The library takes one answer at a time; what else has arrived goes with it.
    for (int i = 0; i < kMostAnswers && (events & ZOOKEEPER_READ) != 0 && (rc == ZOK || rc == ZNOTHING) && readable(); ++i) {
      rc = zookeeper_process(handle_, ZOOKEEPER_READ);
    }
    watch_socket(rc != ZOK && rc != ZNOTHING);
    pass_on();
  }

  bool readable() const {
    int bytes = 0;
    return watched_ >= 0 && ::ioctl(watched_, FIONREAD, &bytes) == 0 && bytes > 0;
  }

  /// Runs what the library said. Each call may end this client.
  void pass_on() {
    while (!closed_ && !queue_.empty()) {
      const auto call = std::move(queue_.front());
      queue_.pop_front();
      call();
    }
  }

  /// On a later turn: calls started outside of process() may have left something to write or to tell.
  void look_again() {
    if (looking_) return;
    looking_ = true;
    loop_.post([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->looking_ = false;
      self->watch_socket(false);
      self->pass_on();
    });
  }

  // Calls and answers ------------------------------------------------------------------------------------------------

  Pending* expect(Pending::Finish finish) {
    auto pending = std::make_unique<Pending>();
    pending->client = this;
    pending->finish = std::move(finish);
    Pending* raw = pending.get();
    pending_[raw] = std::move(pending);
    return raw;
  }

  template <class Start>
  void begin(Pending* pending, Start start) {
    int code = ended_ != 0 ? ended_ : connected_ ? ZOK : ZCONNECTIONLOSS;
    if (code == ZOK) code = start();
    if (code == ZINVALIDSTATE) code = ZSESSIONEXPIRED;
    if (code != ZOK) {
      answer(*pending, code, nullptr, nullptr, 0);
      pending_.erase(pending);
    }
    look_again();
  }

  void answer(Pending& pending, int rc, const void* answer, const ::Stat* stat, int length) {
    if (pending.answered) return;
    pending.answered = true;
    queue_.push_back(pending.finish(rc, answer, stat, length));
    pending.finish = nullptr;
  }

  void complete(Pending* pending, int rc, const void* value, const ::Stat* stat, int length) {
    if (closed_) return;
    answer(*pending, rc, value, stat, length);
    pending_.erase(pending);
    look_again();
  }

  /// The library tells of lost calls when it comes to it; our callers are told with the loss.
  void answer_all(int rc) {
    for (auto& [raw, pending] : pending_) answer(*pending, rc, nullptr, nullptr, 0);
  }

  void on_state(int state) {
    if (closed_) return;
    if (state == ZOO_CONNECTED_STATE) {
      connected_ = true;
      return queue_state(SessionState::Connected);
    }
    connected_ = false;
    if (state == ZOO_EXPIRED_SESSION_STATE) {
      ended_ = ZSESSIONEXPIRED;
      answer_all(ZSESSIONEXPIRED);
      return queue_state(SessionState::Expired);
    }
    if (state == ZOO_AUTH_FAILED_STATE) {
      ended_ = ZAUTHFAILED;
      answer_all(ZAUTHFAILED);
      return queue_state(SessionState::AuthFailed);
    }
    answer_all(ZCONNECTIONLOSS);
    queue_state(SessionState::Connecting);
  }

  void queue_state(SessionState state) {
    queue_.push_back([this, state] {
      if (state_ == state) return;
      state_ = state;
      if (on_session_) on_session_(state);
    });
    look_again();
  }

  static void on_session_event(zhandle_t*, int type, int state, const char*, void* context) {
    if (type == ZOO_SESSION_EVENT) static_cast<RealClient*>(context)->on_state(state);
  }

  static void on_watch(zhandle_t*, int type, int, const char* path, void* context) {
    auto* self = static_cast<RealClient*>(context);
    if (self->closed_ || type == ZOO_SESSION_EVENT || path == nullptr) return;
    if (type != ZOO_CHANGED_EVENT) self->pass_on_watch(self->child_watches_, path);
    if (type != ZOO_CHILD_EVENT) self->pass_on_watch(self->data_watches_, path);
  }

  void pass_on_watch(std::map<std::string, Client::Watch>& watches, const char* path) {
    const auto found = watches.find(path);
    if (found == watches.end()) return;
    queue_.push_back(std::move(found->second));
    watches.erase(found);
    look_again();
  }

  static void on_auth(int rc, const void* context) {
    auto* self = static_cast<RealClient*>(const_cast<void*>(context));
    if (rc == ZAUTHFAILED) self->on_state(ZOO_AUTH_FAILED_STATE);
  }

  static void complete(const void* context, int rc, const void* value, const ::Stat* stat, int length) {
    auto* pending = static_cast<Pending*>(const_cast<void*>(context));
    pending->client->complete(pending, rc, value, stat, length);
  }
  static void on_void(int rc, const void* context) { complete(context, rc, nullptr, nullptr, 0); }
  static void on_string(int rc, const char* value, const void* context) { complete(context, rc, value, nullptr, 0); }
  static void on_data(int rc, const char* value, int length, const ::Stat* stat, const void* context) {
    complete(context, rc, value, stat, length);
  }
  static void on_strings(int rc, const String_vector* names, const void* context) { complete(context, rc, names, nullptr, 0); }

  Loop& loop_;
  Url url_;
  ClientOptions options_;
  Host::OnSession on_session_;
  boost::asio::posix::stream_descriptor descriptor_;
  zhandle_t* handle_ = nullptr;
  SessionState state_ = SessionState::Connecting;  // as told
  bool connected_ = false;                         // as the library has it
  int ended_ = 0;                                  // why every further call fails
  int watched_ = -1;
  uint64_t watch_number_ = 0;
  bool reading_ = false, writing_ = false, looking_ = false, closed_ = false;
  Loop::TimerId timer_ = 0;
  std::map<Pending*, std::unique_ptr<Pending>> pending_;
  std::map<std::string, Client::Watch> child_watches_, data_watches_;
  std::deque<std::function<void()>> queue_;
  std::vector<ACL> acls_;
  ACL_vector acl_{};
};

/// What the owner holds: its end is the session's.
class Handle : public Client {
 public:
  explicit Handle(std::shared_ptr<RealClient> client) : client_(std::move(client)) {}
  ~Handle() override { client_->close(); }
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
  std::shared_ptr<RealClient> client_;
};

}  // namespace

Host real_host(Loop& loop, Url url) {
  Host host;
  host.connect = [&loop, url = std::move(url)](ClientOptions options, Host::OnSession on_session) {
    auto client = std::make_shared<RealClient>(loop, url, options, std::move(on_session));
    client->start();
    return std::make_unique<Handle>(client);
  };
  host.now = now_with_sleep;
  host.after = [&loop](Duration delay, std::function<void()> call) { return loop.after(delay, std::move(call)); };
  host.cancel = [&loop](uint64_t timer) { loop.cancel(timer); };
  return host;
}

}  // namespace base::zk
