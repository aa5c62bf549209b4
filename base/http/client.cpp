#include "base/http/client.hpp"

#include <algorithm>
#include <utility>

#include "base/http/client_connection.hpp"
#include "base/strings.hpp"

namespace base::http {

namespace {

constexpr size_t kMaxWaiting = 10'000;  // calls that wait for a connection to one host

bool has_line_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

Status check(const ClientRequest& request) {
  if (request.method.empty() || request.method.find_first_of(" \t\r\n") != std::string::npos) {
    return invalid("'" + request.method + "' is not a method");
  }
  if (request.url.target.find_first_of(" \t\r\n") != std::string::npos ||
      !request.url.target.starts_with('/')) {
    return invalid("'" + request.url.target + "' is not a request target");
  }
  for (const auto& [name, value] : request.headers.all()) {
    if (name.empty() || name.find_first_of(": \t\r\n") != std::string::npos || has_line_break(value)) {
      return invalid("header '" + name + "' is malformed");
    }
  }
  return {};
}

}  // namespace

void ClientCall::Impl::finish(Status status) {
  if (finished) return;
  finished = true;
  if (timer != 0) loop->cancel(std::exchange(timer, 0));
  connection = nullptr;
  auto tell = [self = shared_from_this(), status = std::move(status)] {
    if (self->streaming) {
      auto kept = std::exchange(self->callbacks, nullptr);
      if (kept && kept->on_end) kept->on_end(status);
      return;
    }
    auto call = std::exchange(self->done, nullptr);
    if (!call) return;
    if (status) {
      call(std::move(self->response));
    } else {
      call(status.error());
    }
  };
  if (starting) {
    loop->post(std::move(tell));
  } else {
    tell();
  }
}

void ClientCall::Impl::cancel() {
  if (finished && !done && !callbacks) return;
  finished = true;
  if (timer != 0) loop->cancel(std::exchange(timer, 0));
  // One of these may be running: end them on a later turn.
  loop->post([done = std::exchange(done, nullptr), callbacks = std::exchange(callbacks, nullptr)] {});
  if (auto open = std::exchange(connection, nullptr)) open->close();
}

Client::Impl::Impl(Loop& on, ClientOptions with)
    : loop(on), poller(Poller::of(on)), options(std::move(with)) {}

std::string Client::Impl::key_of(const Url& url) {
  if (url.scheme == "unix") return "unix:" + url.host;
  return url.scheme + "://" + url.host + ":" + std::to_string(url.port);
}

/// Which connections can carry the request.
std::string Client::Impl::key_of(const ClientRequest& request) {
  const std::string key = key_of(request.url);
  return request.network.empty() ? key : key + " in " + request.network;
}

void Client::Impl::start(const Call& call) {
  if (Status valid = check(call->request); !valid) return call->finish(valid);
  if (sweep == 0) {
    Duration period = std::clamp<Duration>(options.idle_timeout / 4, milliseconds(5), seconds(5));
    sweep = loop.every(period, [this] { close_idle(); });
  }
  std::string key = key_of(call->request);
  Host& host = hosts[key];
  if (!host.idle.empty()) {
    auto connection = std::move(host.idle.back());
    host.idle.pop_back();
    host.active.emplace(connection.get(), connection);
    connection->send(call);
    return;
  }
  if (host.active.size() >= options.max_connections_per_host) {
    if (host.waiting.size() >= kMaxWaiting) {
      return call->finish(unavailable("too many requests wait for " + key));
    }
    host.waiting.push_back(call);
    return;
  }
  auto connection = std::make_shared<ClientConnection>(shared_from_this(), key);
  host.active.emplace(connection.get(), connection);
  connection->connect(call);
}

/// Once more, on a connection that is not one of the idle ones: they may be as dead as the last.
void Client::Impl::retry(const Call& call) {
  call->retried = true;
  Host& host = hosts[key_of(call->request)];
  auto idle = std::exchange(host.idle, {});
  for (auto& connection : idle) connection->close();
  start(call);
}

void Client::Impl::on_timeout(const Call& call) {
  call->timer = 0;
  if (call->finished) return;
  auto open = call->connection;
  call->finish(Error{Code::Timeout, "no answer from " + call->request.url.render() + " within " +
                                        render_duration(call->request.timeout)});
  if (open) open->close();
}

void Client::Impl::release(const std::shared_ptr<ClientConnection>& connection, bool reusable) {
  auto found = hosts.find(connection->key());
  if (found == hosts.end()) return;
  Host& host = found->second;
  host.active.erase(connection.get());
  std::erase(host.idle, connection);
  if (reusable) {
    if (host.waiting.empty() && host.idle.size() >= options.max_idle_per_host) {
      connection->close();
    } else {
      connection->idle_since = loop.now().instant;
      host.idle.push_back(connection);
    }
  }
  serve_waiting(connection->key());
}

void Client::Impl::serve_waiting(const std::string& key) {
  auto found = hosts.find(key);
  if (found == hosts.end()) return;
  Host& host = found->second;
  while (!host.waiting.empty() && host.waiting.front()->finished) host.waiting.pop_front();
  if (host.waiting.empty()) {
    if (host.idle.empty() && host.active.empty()) hosts.erase(found);
    return;
  }
  if (host.idle.empty() && host.active.size() >= options.max_connections_per_host) return;
  Call call = std::move(host.waiting.front());
  host.waiting.pop_front();
  bool was = std::exchange(call->starting, true);  // nobody expects its end inside another call's
  start(call);
  call->starting = was;
}

void Client::Impl::close_idle() {
  Instant limit = loop.now().instant - options.idle_timeout;
  std::vector<std::shared_ptr<ClientConnection>> old;
  for (auto& [key, host] : hosts) {
    for (auto& connection : host.idle) {
      if (connection->idle_since < limit) old.push_back(connection);
    }
  }
  for (auto& connection : old) connection->close();
}

void Client::Impl::shut_down() {
  if (sweep != 0) loop.cancel(std::exchange(sweep, 0));
  auto all = std::exchange(hosts, {});
  for (auto& [key, host] : all) {
    for (auto& call : host.waiting) call->cancel();
    for (auto& connection : host.idle) connection->close();
    for (auto& [pointer, connection] : host.active) connection->abandon();
  }
}

Client::Client(Loop& loop, ClientOptions options)
    : impl_(std::make_shared<Impl>(loop, std::move(options))) {}

Client::~Client() { impl_->shut_down(); }

namespace {

std::shared_ptr<ClientCall::Impl> make_call(Loop& loop, ClientRequest request) {
  auto call = std::make_shared<ClientCall::Impl>();
  call->loop = &loop;
  call->redirects = request.max_redirects;
  call->request = std::move(request);
  return call;
}

}  // namespace

/// Starts the clock and the call.
static ClientCall begin(const std::shared_ptr<Client::Impl>& client,
                        const std::shared_ptr<ClientCall::Impl>& call) {
  call->client = client;
  if (call->request.timeout > Duration::zero()) {
    call->timer = client->loop.after(
        call->request.timeout, [weak = std::weak_ptr(client), watched = std::weak_ptr(call)] {
          auto owner = weak.lock();
          auto timed = watched.lock();
          if (owner && timed) owner->on_timeout(timed);
        });
  }
  client->start(call);
  call->starting = false;
  return ClientCall(call);
}

ClientCall Client::request(ClientRequest request, std::function<void(Result<Response>)> done) {
  auto call = make_call(impl_->loop, std::move(request));
  call->done = std::move(done);
  return begin(impl_, call);
}

ClientCall Client::stream(ClientRequest request, StreamCallbacks callbacks) {
  auto call = make_call(impl_->loop, std::move(request));
  call->streaming = true;
  call->callbacks = std::make_shared<StreamCallbacks>(std::move(callbacks));
  return begin(impl_, call);
}

ClientCall Client::stream_upload(ClientRequest request, StreamCallbacks callbacks) {
  auto call = make_call(impl_->loop, std::move(request));
  call->streaming = true;
  call->upload = true;
  call->callbacks = std::make_shared<StreamCallbacks>(std::move(callbacks));
  return begin(impl_, call);
}

void ClientCall::cancel() const {
  if (impl_) impl_->cancel();
}

bool ClientCall::write(std::string data) const {
  if (!impl_ || impl_->finished || !impl_->upload || impl_->upload_ended) return false;
  if (data.empty()) return true;
  if (impl_->connection) {
    impl_->connection->upload(std::move(data));
  } else {
    impl_->upload_waiting.append(std::move(data));
  }
  return true;
}

void ClientCall::end() const {
  if (!impl_ || impl_->finished || !impl_->upload || impl_->upload_ended) return;
  impl_->upload_ended = true;
  if (impl_->connection) impl_->connection->end_upload();
}

size_t ClientCall::queued_bytes() const {
  if (!impl_) return 0;
  size_t bytes = impl_->upload_waiting.bytes();
  if (impl_->connection) bytes += impl_->connection->out().bytes();
  return bytes;
}

void ClientCall::pause(bool pause) const {
  if (!impl_) return;
  bool was = std::exchange(impl_->paused, pause);
  if (was && !pause && impl_->connection) impl_->connection->resume();
}

Result<Response> fetch(ClientRequest request) {
  Loop loop;
  Result<Response> result = internal("no answer");
  Client client(loop);
  client.request(std::move(request), [&](Result<Response> answer) {
    result = std::move(answer);
    loop.stop();
  });
  loop.run();
  return result;
}

}  // namespace base::http
