#pragma once

// The shell of the login: keeps the key and the users on disk, hashes and signs on a pool, and
// serves the user service's API on a unix socket to which the gateway sends /acs/api/v1.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "admin-router/login/api.hpp"
#include "admin-router/login/identity.hpp"
#include "admin-router/login/login_authorizer.hpp"
#include "admin-router/login/tokens.hpp"
#include "base/http/server.hpp"
#include "base/loop.hpp"
#include "base/metrics.hpp"
#include "base/pool.hpp"
#include "base/store/store.hpp"

namespace admin_router {

struct LoginOptions {
  std::string directory{};  // of the key, the users and the socket; made with mode 0700
  std::string owner = "admin";
  std::string owner_password_file{};  // read, used and removed when it is there
  IdentityPolicy policy{};
  ApiFacts facts{};
};

class Login {
 public:
  /// Reads or makes the key, opens the store, recovers. Blocking, before the loop runs.
  static base::Result<std::unique_ptr<Login>> open(base::Loop& loop, base::Metrics& metrics,
                                                   LoginOptions options);
  ~Login();

  Authorizer& authorizer() { return authorizer_; }
  std::string socket() const { return options_.directory + "/api.sock"; }

 private:
  struct Waiting {
    base::http::Responder responder;
    bool over_tls = false;
    std::string about{};  // for the log
  };
  Login(base::Loop& loop, base::Metrics& metrics, LoginOptions options, base::PrivateKey key,
        std::unique_ptr<base::Store> store);

  base::Status recover();
  base::Status serve();
  base::Status take_owner_password();
  void answer(base::http::Request request, base::http::Responder responder);
  void feed(const IdentityEvent& event);
  void perform(ReplyEffect effect);
  void perform(GrantEffect effect);
  void perform(HashEffect effect);
  void perform(CheckEffect effect);
  void perform(PersistEffect effect);
  base::Pool& pool();

  base::Loop& loop_;
  LoginOptions options_;
  base::PrivateKey key_;
  std::unique_ptr<base::Store> store_;
  Identity identity_;
  Tokens tokens_;
  LoginAuthorizer authorizer_;
  std::unique_ptr<base::Pool> pool_;  // made when the first password comes
  std::unique_ptr<base::http::Server> server_;
  base::Loop::TimerId timer_ = 0;
  uint64_t next_call_ = 1;
  std::map<uint64_t, Waiting> waiting_;
  std::map<uint64_t, std::function<void(const ReplyEffect&)>> own_calls_;
  base::Counter& logins_;
  base::Counter& refused_;
};

}  // namespace admin_router
