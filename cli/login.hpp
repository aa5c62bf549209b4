#pragma once

// Whether a cluster wants to know who asks, and telling it.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/context.hpp"

namespace cli {

/// What a cluster answers to a request without a token.
struct Challenge {
  bool wants_login = false;
  std::string scheme{};  // of WWW-Authenticate: "oauthjwt"
};
base::Result<Challenge> ask_for_challenge(Client& client);

/// A way to log in.
struct Provider {
  std::string id{};
  std::string type{};    // "dcos-uid-password"
  std::string method{};  // what the client does
  std::string login_url = "/acs/api/v1/auth/login";
  std::string description{};

  /// Whether this program knows how to do it.
  bool takes_password() const {
    return type == "dcos-uid-password" || type == "dcos-uid-password-ldap";
  }
  bool takes_key() const { return type == "dcos-uid-servicekey"; }
};

/// By id. Clusters that have no list are told apart by their challenge.
base::Result<std::vector<Provider>> ask_for_providers(Client& client, const Challenge& challenge);

/// Logs in with --provider, --username, --password, --password-file, --private-key or their
/// variables; asks at a terminal for what is missing, three times at most. The value is the token.
base::Result<std::string> log_in(Context& context, Client& client, const Challenge& challenge,
                                 const Arguments& arguments);

/// A service account's proof: a token for five minutes, signed by its key.
base::Result<std::string> service_login_token(const std::string& uid, const std::string& pem,
                                              int64_t now_seconds);

}  // namespace cli
