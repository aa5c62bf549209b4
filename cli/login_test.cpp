// Logging in and out.

#include "base/crypto.hpp"
#include "cli/testing.hpp"

namespace cli {
namespace {

std::string provider(const std::string& type, const std::string& method,
                     const std::string& description) {
  return R"({"authentication-type":")" + type + R"(","client-method":")" + method +
         R"(-post-receive-authtoken","config":{"start_flow_url":"/acs/api/v1/auth/login"},)" +
         R"("description":")" + description + "\"}";
}
const std::string kProviders =
    "{\"dcos-services\":" +
    provider("dcos-uid-servicekey", "dcos-servicecredential", "With a key") +
    ",\"dcos-users\":" + provider("dcos-uid-password", "dcos-usercredential", "With a password") +
    "}";

class Login : public Dcos {
 protected:
  Login() {
    cluster_.guard("HEAD /pkgpanda/active.buildinfo.full.json", "t0", "");
    cluster_.guard("GET /metadata", "t0", R"({"PUBLIC_IPV4":"127.0.0.1","CLUSTER_ID":"abc-123"})");
    cluster_.guard("GET /mesos/state-summary", "t0", R"({"cluster":"dev"})");
    cluster_.answer("GET /acs/api/v1/auth/providers", kProviders);
    cluster_.answer("POST /acs/api/v1/auth/login", R"({"token":"t0"})");
  }
  void refuse(int status = 401) {
    cluster_.answer("POST /acs/api/v1/auth/login",
                    R"({"title":"401","description":"wrong password","code":"X"})", status);
  }
  std::string token() { return run({"config", "show", "core.dcos_acs_token"}).out; }
};

TEST_F(Login, sends_what_the_original_sends_in_its_order) {
  Outcome done = run({"cluster", "setup", cluster_.url(), "--username=u", "--password=p"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out, "");
  EXPECT_EQ(cluster_.requests(),
            (std::vector<std::string>{"HEAD /", "HEAD /pkgpanda/active.buildinfo.full.json",
                                      "GET /acs/api/v1/auth/providers",
                                      R"(POST /acs/api/v1/auth/login {"uid":"u","password":"p"})",
                                      "GET /metadata", "GET /mesos/state-summary"}));
  EXPECT_EQ(token(), "t0\n");
  EXPECT_NE(run({"config", "show"}).out.find("core.dcos_acs_token ********\n"), std::string::npos);
}

TEST_F(Login, asks_for_name_and_password_and_does_not_show_it) {
  typed_ = {"u", "p"};
  Outcome done = run({"cluster", "setup", cluster_.url()});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.err, "Username: Password: (hidden)\ndev is attached: " + cluster_.url() + "\n");
  EXPECT_EQ(token(), "t0\n");
  typed_ = {"p"};
  Outcome only_password = run({"auth", "login", "--username=u"});
  EXPECT_EQ(only_password.err, "Password: (hidden)\n");
}

TEST_F(Login, is_tried_three_times_at_a_terminal_and_once_elsewhere) {
  refuse();
  typed_ = {"u", "1", "u", "2", "v", "3", "v", "4"};
  Outcome typed = run({"cluster", "setup", cluster_.url()});
  EXPECT_EQ(typed.code, 1);
  std::string once = "Username: Password: (hidden)\n";
  EXPECT_EQ(typed.err, once + "wrong password\n" + once + "wrong password\n" + once +
                           "Error: wrong password\n");
  EXPECT_EQ(cluster_.requests().back(),
            R"(POST /acs/api/v1/auth/login {"uid":"v","password":"3"})");
  typed_.clear();
  size_t before = cluster_.requests().size();
  Outcome given = run({"cluster", "setup", cluster_.url(), "--username=u", "--password=p"});
  EXPECT_EQ(given.err, "Error: wrong password\n");
  EXPECT_EQ(cluster_.requests().size(), before + 4);
  refuse(429);
  typed_ = {"u", "1", "u", "2"};
  EXPECT_EQ(run({"cluster", "setup", cluster_.url()}).err, once + "Error: wrong password\n");
  EXPECT_FALSE(base::exists(home_ + "/.dcos/clusters/abc-123"));
}

TEST_F(Login, without_a_terminal_says_what_to_give) {
  terminal_ = false;
  EXPECT_EQ(run({"cluster", "setup", cluster_.url()}).err,
            "Error: this cluster wants a login: give --username and --password-file, or set "
            "DCOS_USERNAME and DCOS_PASSWORD\n");
  environment_["DCOS_USERNAME"] = "u";
  environment_["DCOS_PASSWORD"] = "p";
  EXPECT_EQ(run({"cluster", "setup", cluster_.url()}).code, 0);
}

TEST_F(Login, reads_secrets_only_from_files_that_are_nobody_elses) {
  std::string path = secret_file("p\n");
  EXPECT_EQ(run({"cluster", "setup", cluster_.url(), "--username=u", "--password-file", path}).code,
            0);
  EXPECT_EQ(run({"auth", "login", "--username=u", "--password-file", secret_file("p", 0644)}).err,
            "Error: permissions 0644 for '" + path + "' are too open, expected 0400 or 0600\n");
  EXPECT_NE(run({"auth", "login", "--username=u", "--password-file", "/none"})
                .err.find("No such file or directory"),
            std::string::npos);
}

TEST_F(Login, of_a_service_account_is_signed_with_its_key) {
  const auto key = base::PrivateKey::make().value();
  std::string path = secret_file(key.pem());
  Outcome done =
      run({"cluster", "setup", cluster_.url(), "--username=robot", "--private-key", path});
  ASSERT_EQ(done.code, 0) << done.err;
  std::string sent = cluster_.requests()[3];
  const std::string start = R"(POST /acs/api/v1/auth/login {"uid":"robot","token":")";
  ASSERT_TRUE(sent.starts_with(start)) << sent;
  std::string proof = sent.substr(start.size(), sent.size() - start.size() - 2), claims, signature;
  size_t first = proof.find('.'), last = proof.rfind('.');
  ASSERT_TRUE(base::base64url_decode(proof.substr(first + 1, last - first - 1), claims));
  EXPECT_TRUE(claims.starts_with(R"({"uid":"robot","exp":)")) << claims;
  ASSERT_TRUE(base::base64url_decode(proof.substr(last + 1), signature));
  EXPECT_TRUE(key.public_key().verify(proof.substr(0, last), signature));
  EXPECT_NE(run({"auth", "login", "--username=robot", "--private-key", secret_file("x")})
                .err.find("is not a PEM text of a private key"),
            std::string::npos);
}

TEST_F(Login, takes_the_provider_that_is_named) {
  auto log_in = [&](const std::string& provider) {
    return run({"cluster", "setup", cluster_.url(), "--provider", provider, "--username=u",
                "--password=p"})
        .err;
  };
  EXPECT_EQ(log_in("dcos-users"), "dev is attached: " + cluster_.url() + "\n");
  EXPECT_EQ(log_in("nope"),
            "Error: the cluster has no login provider \"nope\". See `dcos auth list-providers`\n");
  EXPECT_EQ(log_in("dcos-services"),
            "Error: this login needs --private-key, a file with the service account's key\n");
  cluster_.answer("GET /acs/api/v1/auth/providers", "", 404);
  EXPECT_NE(log_in("dcos-oidc-auth0").find("needs a browser"), std::string::npos);
  EXPECT_EQ(run({"cluster", "setup", cluster_.url()}).err,
            "Error: couldn't determine a login provider\n");
}

TEST_F(Login, never_sends_a_password_to_another_address) {
  std::string providers = kProviders;
  for (const char* evil :
       {"http://evil.example/login", "//evil.example/login", "https://evil.example"}) {
    std::string changed = providers;
    size_t at = changed.rfind("/acs/api/v1/auth/login");
    changed.replace(at, 22, evil);
    cluster_.answer("GET /acs/api/v1/auth/providers", changed);
    run({"cluster", "setup", cluster_.url(), "--username=u", "--password=p"});
    EXPECT_EQ(cluster_.requests().at(3),
              R"(POST /acs/api/v1/auth/login {"uid":"u","password":"p"})");
  }
}

TEST_F(Login, is_left_out_when_a_token_is_given) {
  environment_["DCOS_CLUSTER_SETUP_ACS_TOKEN"] = "t0";
  EXPECT_EQ(run({"cluster", "setup", cluster_.url()}).code, 0);
  EXPECT_EQ(token(), "t0\n");
  for (const auto& request : cluster_.requests())
    EXPECT_EQ(request.find("auth/"), std::string::npos);
}

TEST_F(Login, is_ended_on_the_cluster_too_and_here_even_without_it) {
  run({"cluster", "setup", cluster_.url(), "--username=u", "--password=p"});
  cluster_.guard("GET /acs/api/v1/auth/logout", "t0", "{}");
  Outcome done = run({"auth", "logout"});
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(done.out + done.err, "");
  EXPECT_EQ(cluster_.requests().back(), "GET /acs/api/v1/auth/logout");
  EXPECT_EQ(run({"config", "show", "core.dcos_acs_token"}).err,
            "Error: unknown key \"core.dcos_acs_token\"\n");
  cluster_.guard("GET /mesos/state", "t0", "{}");
  EXPECT_EQ(run({"task"}).err, "Error: authentication failed, please run `dcos auth login`\n");
  EXPECT_EQ(run({"auth", "login", "--username=u", "--password=p"}).code, 0);
  run({"config", "set", "core.dcos_url", "http://127.0.0.1:1"});
  run({"config", "set", "core.dcos_acs_token", "t0"});
  EXPECT_EQ(run({"auth", "logout"}).code, 0);
}

TEST_F(Login, shows_the_providers) {
  EXPECT_EQ(run({"auth", "list-providers", cluster_.url()}).out,
            "   PROVIDER ID    LOGIN METHOD    \n"
            "  dcos-services  With a key       \n"
            "  dcos-users     With a password  \n");
  EXPECT_NE(run({"auth", "list-providers", cluster_.url(), "--json"}).out.find("\"dcos-users\": {"),
            std::string::npos);
}

TEST_F(Dcos, says_that_a_cluster_has_no_login) {
  EXPECT_EQ(run({"auth", "list-providers", cluster_.url()}).err,
            "Error: authentication disabled\n");
  run({"cluster", "setup", cluster_.url()});
  Outcome login = run({"auth", "login", "--username=u", "--password=p"});
  EXPECT_EQ(login.err, "Error: authentication disabled\n");
  EXPECT_EQ(login.code, 1);
}

}  // namespace
}  // namespace cli
