#include "kernel/containerizer/images/registry.hpp"

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace containerizer::images {
namespace {

using base::http::Response;

constexpr int kMaxRedirects = 5;
constexpr int kMaxAttempts = 4;
constexpr base::Duration kFirstDelay = base::milliseconds(300);
constexpr base::Duration kMaxDelay = base::seconds(10);

bool may_pass(int status) {
  return status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

base::Duration delay_of(int attempt, const Response* answer) {
  base::Duration delay = kFirstDelay * (1 << attempt);
  if (answer != nullptr)
    if (const auto seconds = base::parse_uint(answer->headers.get_or("Retry-After", ""));
        seconds && *seconds < 1000)
      delay = std::max<base::Duration>(delay, base::seconds(static_cast<int64_t>(*seconds)));
  return std::min(delay, kMaxDelay);
}

std::string words_of(const Response& answer) {
  const auto value = base::json::parse(answer.body, {.max_bytes = 1 << 20, .max_depth = 32});
  if (value) {
    for (const char* code_at : {"/errors/0/code", "/error", "/code"}) {
      const auto code = base::json::get_string(*value, code_at);
      if (!code) continue;
      const auto message = base::json::get_string(
          *value, std::string(code_at).starts_with("/errors") ? "/errors/0/message" : "/message");
      return *code + (message && !message->empty() ? ": " + *message : "");
    }
    if (const auto details = base::json::get_string(*value, "/details")) return *details;
  }
  return std::string(base::trim(base::valid_utf8(answer.body.substr(0, 200))));
}

}  // namespace

Error answer_error(const Response& answer, const std::string& what) {
  const std::string words = base::valid_utf8(words_of(answer).substr(0, 500));
  const base::Code code = answer.status == 404   ? base::Code::NotFound
                          : answer.status == 401 ? base::Code::Unauthenticated
                          : answer.status == 403 ? base::Code::Forbidden
                                                 : base::Code::BadGateway;
  return Error{code, what + ": the registry answered " + std::to_string(answer.status) + " " +
                         std::string(base::http::reason_phrase(answer.status)) +
                         (words.empty() ? "" : " (" + words + ")")};
}

struct Registry::Get {
  std::string path, accept;
  size_t max_bytes = 0;
  int attempt = 0;
  bool logged_in = false;
  std::function<void(Result<Response>)> done;
};

struct Registry::Streaming {
  std::string path;
  uint64_t offset = 0;
  bool logged_in = false;
  base::http::StreamCallbacks callbacks;
  std::optional<Response> refused;  // its body is collected, for the words in it
};

Registry::Registry(base::Loop& loop, base::http::Client& client, Endpoint endpoint,
                   std::optional<Credential> credential, Options options)
    : loop_(loop),
      client_(client),
      endpoint_(std::move(endpoint)),
      credential_(std::move(credential)),
      options_(options) {}

Result<base::http::ClientRequest> Registry::make_request(const std::string& path,
                                                         const std::string& accept) const {
  base::http::ClientRequest request;
  ASSIGN_OR_RETURN(request.url,
                   base::http::Url::parse(endpoint_.url + "/v2/" + endpoint_.repository + path));
  request.headers.add("User-Agent", "dcos-agent");
  if (!accept.empty()) request.headers.add("Accept", accept);
  if (!authorization_.empty()) request.headers.add("Authorization", authorization_);
  request.max_redirects = kMaxRedirects;
  return request;
}

void Registry::get(const std::string& path, const std::string& accept, size_t max_bytes,
                   std::function<void(Result<Response>)> done) {
  auto call = std::make_shared<Get>();
  call->path = path;
  call->accept = accept;
  call->max_bytes = max_bytes;
  call->done = std::move(done);
  attempt(call);
}

void Registry::attempt(const std::shared_ptr<Get>& get) {
  auto request = make_request(get->path, get->accept);
  if (!request)
    return loop_.post([self = shared_from_this(), get, error = request.error()] {
      if (!self->cancelled_) get->done(error);
    });
  request->timeout = options_.timeout;
  request->max_body_bytes = get->max_bytes;
  const uint64_t id = next_call_++;
  calls_[id] = client_.request(std::move(*request),
                               [self = shared_from_this(), get, id](Result<Response> answer) {
                                 self->calls_.erase(id);
                                 if (!self->cancelled_) self->answered(get, std::move(answer));
                               });
}

void Registry::answered(const std::shared_ptr<Get>& get, Result<Response> answer) {
  if (answer && answer->status == 200) return get->done(std::move(answer));
  if (answer && answer->status == 401 && !get->logged_in) {
    get->logged_in = true;
    return log_in(std::string(answer->headers.get_or("WWW-Authenticate", "")), words_of(*answer),
                  [self = shared_from_this(), get](Status status) {
                    if (!status) return get->done(status.error());
                    self->attempt(get);
                  });
  }
  // A registry that cannot be reached is told at once; one that is overloaded is given time.
  const bool again =
      answer ? may_pass(answer->status) : answer.error().code == base::Code::BadGateway;
  if (again && ++get->attempt < kMaxAttempts) {
    loop_.after(delay_of(get->attempt, answer ? &*answer : nullptr),
                [self = shared_from_this(), get] {
                  if (!self->cancelled_) self->attempt(get);
                });
    return;
  }
  if (!answer) return get->done(answer.error());
  get->done(refusal(*answer));
}

Error Registry::refusal(const Response& answer) const {
  Error error = answer_error(answer, endpoint_.url);
  if ((answer.status == 401 || answer.status == 403) && credential_ && !credential_->user.empty())
    error.message += "; it refuses the user '" + base::valid_utf8(credential_->user) +
                     "', or this image to that user";
  return error;
}

void Registry::stream(const std::string& path, uint64_t offset,
                      base::http::StreamCallbacks callbacks) {
  auto streaming = std::make_shared<Streaming>();
  streaming->path = path;
  streaming->offset = offset;
  streaming->callbacks = std::move(callbacks);
  start_stream(streaming);
}

void Registry::start_stream(const std::shared_ptr<Streaming>& streaming) {
  auto request = make_request(streaming->path, "");
  if (!request)
    return loop_.post([self = shared_from_this(), streaming, error = request.error()] {
      if (!self->cancelled_) streaming->callbacks.on_end(error);
    });
  request->timeout = options_.stall_timeout;
  if (streaming->offset > 0)
    request->headers.add("Range", "bytes=" + std::to_string(streaming->offset) + "-");
  base::http::StreamCallbacks callbacks;
  callbacks.on_head = [self = shared_from_this(), streaming](const Response& head) {
    if (self->cancelled_) return;
    if (head.status == 200 || head.status == 206) return streaming->callbacks.on_head(head);
    streaming->refused = head;
  };
  callbacks.on_data = [self = shared_from_this(), streaming](std::string_view data) {
    if (self->cancelled_) return;
    if (!streaming->refused) return streaming->callbacks.on_data(data);
    if (streaming->refused->body.size() < 64 << 10) streaming->refused->body.append(data);
  };
  callbacks.on_end = [self = shared_from_this(), streaming](Status status) {
    if (self->cancelled_) return;
    self->streams_.erase(streaming->path);
    const auto refused = std::exchange(streaming->refused, std::nullopt);
    if (!refused) return streaming->callbacks.on_end(std::move(status));
    if (refused->status != 401 || streaming->logged_in)
      return streaming->callbacks.on_end(self->refusal(*refused));
    streaming->logged_in = true;
    self->log_in(std::string(refused->headers.get_or("WWW-Authenticate", "")), words_of(*refused),
                 [self, streaming](Status ready) {
                   if (!ready) return streaming->callbacks.on_end(std::move(ready));
                   self->start_stream(streaming);
                 });
  };
  streams_[streaming->path] = client_.stream(std::move(*request), std::move(callbacks));
}

void Registry::log_in(std::string header, std::string refused_with,
                      std::function<void(Status)> done) {
  const auto refuse = [this, &done, &refused_with](const std::string& why) {
    done(Error{base::Code::Unauthenticated,
               endpoint_.url + ": the registry wants a login" + why +
                   (refused_with.empty() ? "" : " (" + base::valid_utf8(refused_with) + ")")});
  };
  const auto challenge = parse_challenge(header);
  if (!challenge) return refuse(" but does not say which");
  if (challenge->scheme == "bearer") return fetch_token(*challenge, std::move(done));
  if (challenge->scheme != "basic")
    return refuse(" of the kind '" + challenge->scheme + "', which is not supported");
  if (!credential_ || credential_->user.empty())
    return refuse(", and no user is known for " + endpoint_.registry +
                  "; give one by --docker_config or the image's own configuration");
  const std::string basic = credential_->basic();
  if (authorization_ == basic)
    return refuse(" and refuses the user '" + credential_->user + "' with the given password");
  authorization_ = basic;
  done({});
}

void Registry::fetch_token(const Challenge& challenge, std::function<void(Status)> done) {
  const auto parameter = [&challenge](const char* name) {
    const auto found = challenge.parameters.find(name);
    return found == challenge.parameters.end() ? std::string() : found->second;
  };
  const std::string realm = parameter("realm");
  auto url = base::http::Url::parse(realm);
  if (!url || url->scheme == "unix")
    return done(Error{base::Code::BadGateway,
                      endpoint_.url + ": the registry's login has no usable realm"});
  // A password that may travel in clear only where the registry itself is spoken to in clear.
  if (credential_ && url->scheme == "http" && endpoint_.url.starts_with("https://"))
    return done(Error{
        base::Code::Forbidden,
        endpoint_.url + ": the registry wants the password to be sent unencrypted to " + realm});
  const std::string scope = parameter("scope").empty()
                                ? "repository:" + endpoint_.repository + ":pull"
                                : parameter("scope");
  base::http::ClientRequest request;
  std::string query = "service=" + base::percent_encode(parameter("service")) +
                      "&scope=" + base::percent_encode(scope);
  request.headers.add("User-Agent", "dcos-agent");
  if (credential_ && !credential_->identity_token.empty()) {
    request.method = "POST";
    request.headers.add("Content-Type", "application/x-www-form-urlencoded");
    request.body = query + "&grant_type=refresh_token&client_id=dcos-agent&refresh_token=" +
                   base::percent_encode(credential_->identity_token);
  } else {
    if (credential_) {
      request.headers.add("Authorization", credential_->basic());
      query += "&account=" + base::percent_encode(credential_->user);
    }
    url->target += (url->target.find('?') == std::string::npos ? "?" : "&") + query;
  }
  request.url = *url;
  request.timeout = options_.timeout;
  request.max_body_bytes = 1 << 20;
  const uint64_t id = next_call_++;
  calls_[id] = client_.request(
      std::move(request),
      [self = shared_from_this(), id, realm, done = std::move(done)](Result<Response> answer) {
        self->calls_.erase(id);
        if (self->cancelled_) return;
        if (!answer) return done(answer.error().with_context("the registry's login"));
        if (answer->status != 200)
          return done(answer_error(*answer, "the registry's login at " + realm));
        const auto value = base::json::parse(answer->body);
        auto token =
            value ? base::json::get_string(*value, "/token") : Result<std::string>(value.error());
        if (value && (!token || token->empty()))
          token = base::json::get_string(*value, "/access_token");
        if (!token || token->empty() || token->find_first_of("\r\n\t ") != std::string::npos)
          return done(
              Error{base::Code::BadGateway, "the registry's login at " + realm + " gave no token"});
        self->authorization_ = "Bearer " + *token;
        done({});
      });
}

void Registry::cancel() {
  cancelled_ = true;
  for (const auto& [id, call] : calls_) call.cancel();
  for (const auto& [path, call] : streams_) call.cancel();
  calls_.clear();
  streams_.clear();
}

void Registry::pause(const std::string& path, bool pause) {
  if (const auto found = streams_.find(path); found != streams_.end()) found->second.pause(pause);
}

void Registry::cancel_stream(const std::string& path) {
  if (const auto found = streams_.find(path); found != streams_.end()) {
    found->second.cancel();
    streams_.erase(found);
  }
}

}  // namespace containerizer::images
