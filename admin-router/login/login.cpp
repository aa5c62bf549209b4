#include "admin-router/login/login.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include <cerrno>

#include "admin-router/login/credentials.hpp"
#include "admin-router/login/passwords.hpp"
#include "base/crypto.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "kernel/auth/jwt.hpp"

namespace admin_router {
namespace {

constexpr size_t kMaxQueued = 64;  // passwords waiting: two seconds' worth
constexpr size_t kSaltBytes = 16;

base::Status only_ours(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return base::errno_error(path, errno);
  if ((info.st_mode & 077) == 0) return {};
  return base::forbidden(fmt::format("{} can be read by others (mode {:04o}): chmod go= {}", path,
                                     info.st_mode & 07777, path));
}

base::Result<base::PrivateKey> open_key(const std::string& path) {
  if (base::exists(path)) {
    RETURN_IF_ERROR(only_ours(path));
    ASSIGN_OR_RETURN(std::string pem, base::read_file(path, 64 << 10));
    auto key = base::PrivateKey::parse(pem);
    base::wipe(pem);
    if (!key)
      return key.error().with_context(path +
                                      " (move it away to get a new key, which ends all sessions)");
    return key;
  }
  ASSIGN_OR_RETURN(base::PrivateKey key, base::PrivateKey::make());
  std::string pem = key.pem();
  base::Status written = base::write_file_atomic(path, pem, 0600);
  base::wipe(pem);
  RETURN_IF_ERROR(written);
  LOG_INFO("made the key that signs tokens: {}", path);
  return key;
}

// What a caller may have written, for the log.
std::string printable(std::string_view uid) {
  return check_uid(uid) ? std::string(uid) : "(no user ID)";
}

}  // namespace

Login::Login(base::Loop& loop, base::Metrics& metrics, LoginOptions options, base::PrivateKey key,
             std::unique_ptr<base::Store> store)
    : loop_(loop),
      options_(std::move(options)),
      key_(std::move(key)),
      store_(std::move(store)),
      identity_(options_.policy, key_.public_key(), base::Random::from_os()),
      tokens_(identity_),
      authorizer_(tokens_),
      logins_(metrics.counter("login/granted")),
      refused_(metrics.counter("login/refused")) {
  metrics.gauge("login/users", [this] { return double(identity_.users().size()); });
  metrics.gauge("login/tokens_remembered", [this] { return double(tokens_.size()); });
  metrics.gauge("login/signatures_checked",
                [this] { return double(tokens_.signatures_checked()); });
}

Login::~Login() {
  loop_.cancel(timer_);
}

base::Result<std::unique_ptr<Login>> Login::open(base::Loop& loop, base::Metrics& metrics,
                                                 LoginOptions options) {
  const std::string& directory = options.directory;
  RETURN_IF_ERROR(base::make_directories(directory, 0700));
  RETURN_IF_ERROR(only_ours(directory));
  ASSIGN_OR_RETURN(base::PrivateKey key, open_key(directory + "/key.pem"));
  ASSIGN_OR_RETURN(auto store, base::open_store(loop, "sqlite:" + directory + "/users.db"));
  std::unique_ptr<Login> login(
      new Login(loop, metrics, std::move(options), std::move(key), std::move(store)));
  RETURN_IF_ERROR(login->recover());
  RETURN_IF_ERROR(login->serve());
  RETURN_IF_ERROR(login->take_owner_password());
  return login;
}

// A record that does not decode is left out and said; the others count.
base::Status Login::recover() {
  ASSIGN_OR_RETURN(auto entries, store_->scan(""));
  for (const auto& entry : entries)
    if (auto read = identity_.recover(entry.key, entry.value); !read)
      LOG_ERROR("the record \"{}\" in users.db is left out: {}", base::valid_utf8(entry.key),
                read.error().message);
  timer_ = loop_.every(base::minutes(1), [this] { feed(MinutePassed{}); });
  return {};
}

base::Status Login::serve() {
  base::http::ServerOptions options;
  options.max_body_bytes = 64 << 10;
  options.max_connections = 256;
  server_ = std::make_unique<base::http::Server>(
      loop_, options, [this](base::http::Request request, base::http::Responder responder) {
        answer(std::move(request), std::move(responder));
      });
  return server_->listen_unix(socket());
}

base::Status Login::take_owner_password() {
  const std::string& path = options_.owner_password_file;
  if (path.empty() || !base::exists(path)) {
    if (!identity_.has_person())
      LOG_WARNING(
          "nobody can log in yet: put a password into a file of mode 0600 and start with "
          "--owner_password_file");
    return {};
  }
  RETURN_IF_ERROR(only_ours(path));
  ASSIGN_OR_RETURN(std::string text, base::read_file(path, 4096));
  PasswordGiven event{next_call_++, options_.owner, std::string(base::trim(text))};
  base::wipe(text);
  own_calls_[event.call] = [this, path](const ReplyEffect& reply) {
    if (reply.status != 204) {
      LOG_ERROR("the password in {} is not taken: {}", path, reply.body);
      return;
    }
    ::unlink(path.c_str());
    LOG_INFO("the user \"{}\" has the password that was in {}; the file is removed", options_.owner,
             path);
  };
  feed(event);
  base::wipe(event.password);
  return {};
}

void Login::answer(base::http::Request request, base::http::Responder responder) {
  std::string authorization(request.headers.get_or("Authorization", ""));
  std::string_view token = auth::token_in_header(authorization);
  auto session = token.empty() ? nullptr : tokens_.check(token, loop_.now().time);
  std::string_view caller = session ? std::string_view(session->uid) : std::string_view();
  uint64_t call = next_call_++;
  ApiOutcome outcome = answer_api({request, call, caller, token}, identity_, options_.facts);
  base::wipe(request.body);
  if (auto* now = std::get_if<base::http::Response>(&outcome))
    return responder.reply(std::move(*now));
  Waiting waiting{std::move(responder)};
  waiting.over_tls = request.headers.get_or("X-Forwarded-Proto", "") == "https";
  IdentityEvent& event = std::get<IdentityEvent>(outcome);
  if (const auto* login = std::get_if<LoginAsked>(&event)) {
    waiting.about = fmt::format("login of {} from {}", printable(login->uid), login->source);
  } else {
    waiting.about = fmt::format("{} {} by {}", request.method,
                                base::valid_utf8(base::percent_decode(request.path)).substr(0, 200),
                                caller.empty() ? std::string_view("nobody") : caller);
  }
  waiting_.emplace(call, std::move(waiting));
  feed(event);
}

void Login::feed(const IdentityEvent& event) {
  IdentityEffects effects;
  identity_.on(event, loop_.now(), effects);
  for (IdentityEffect& effect : effects)
    std::visit([this](auto& each) { perform(std::move(each)); }, effect);
}

void Login::perform(ReplyEffect effect) {
  if (auto own = own_calls_.find(effect.call); own != own_calls_.end()) {
    auto call = std::move(own->second);
    own_calls_.erase(own);
    return call(effect);
  }
  auto it = waiting_.find(effect.call);
  if (it == waiting_.end()) return;
  Waiting waiting = std::move(it->second);
  waiting_.erase(it);
  if (effect.status >= 400) {
    refused_.increment();
    LOG_WARNING("{}: {}", waiting.about, effect.status);
  } else {
    LOG_INFO("{}: {}", waiting.about, effect.status);
  }
  base::http::Response response = api_response(effect.status, effect.body);
  if (effect.retry_after_seconds > 0)
    response.headers.set("Retry-After", std::to_string(effect.retry_after_seconds));
  if (effect.ends_session) end_session(response);
  waiting.responder.reply(std::move(response));
}

void Login::perform(GrantEffect effect) {
  auto sign = [key = key_, text = effect.unsigned_token] { return key.sign(text); };
  auto done = [this, effect](base::Result<std::string> signature) {
    auto it = waiting_.find(effect.call);
    if (it == waiting_.end()) return;
    if (!signature) {
      return perform(ReplyEffect{effect.call, 500,
                                 render_problem(500, "ERR_INTERNAL", signature.error().message)});
    }
    Waiting waiting = std::move(it->second);
    waiting_.erase(it);
    logins_.increment();
    LOG_INFO("{}: granted", waiting.about);
    std::string token = effect.unsigned_token + "." + base::base64url_encode(*signature);
    waiting.responder.reply(
        login_response(effect, token, options_.policy.token_life, waiting.over_tls));
  };
  if (!pool().run_for(std::move(sign), std::move(done)))
    perform(ReplyEffect{effect.call, 503, render_problem(503, "ERR_BUSY", "try again"), 1});
}

void Login::perform(HashEffect effect) {
  auto work = [password = effect.password]() mutable -> base::Result<std::string> {
    ASSIGN_OR_RETURN(std::string salt, base::secret_bytes(kSaltBytes));
    auto hash = hash_password(password, salt);
    base::wipe(password);
    return hash;
  };
  uint64_t ticket = effect.ticket;
  base::wipe(effect.password);
  bool taken = pool().run_for(std::move(work), [this, ticket](base::Result<std::string> hash) {
    feed(PasswordHashed{ticket, std::move(hash)});
  });
  if (!taken) feed(WorkRefused{ticket});
}

void Login::perform(CheckEffect effect) {
  auto work = [password = effect.password, hash = std::move(effect.hash)]() mutable {
    bool right = check_password(password, hash);
    base::wipe(password);
    return right;
  };
  uint64_t ticket = effect.ticket;
  base::wipe(effect.password);
  bool taken = pool().run_for(std::move(work), [this, ticket](bool right) {
    feed(PasswordChecked{ticket, right});
  });
  if (!taken) feed(WorkRefused{ticket});
}

void Login::perform(PersistEffect effect) {
  base::StoreBatch batch;
  for (auto& write : effect.writes) {
    if (write.value)
      batch.put(std::move(write.key), std::move(*write.value));
    else
      batch.erase(std::move(write.key));
  }
  store_->commit(std::move(batch), [this, ticket = effect.ticket](base::Status status) {
    feed(Persisted{ticket, std::move(status)});
  });
}

base::Pool& Login::pool() {
  if (!pool_) pool_ = std::make_unique<base::Pool>(loop_, 1, kMaxQueued);
  return *pool_;
}

}  // namespace admin_router
