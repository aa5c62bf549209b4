// The login's shell with a real store, real hashes and its socket.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <optional>

#include "admin-router/login/login.hpp"
#include "base/file.hpp"
#include "base/http/client.hpp"
#include "base/testing/temporary_directory.hpp"

namespace admin_router {
namespace {

class Shell : public ::testing::Test {
 protected:
  LoginOptions options() {
    LoginOptions out;
    out.directory = directory_ / "login";
    out.owner_password_file = directory_ / "password";
    return out;
  }
  void open() {
    auto opened = Login::open(loop_, metrics_, options());
    ASSERT_TRUE(opened) << opened.error().message;
    login_ = std::move(*opened);
  }
  std::string refusal() {
    auto opened = Login::open(loop_, metrics_, options());
    return opened ? "" : opened.error().message;
  }
  int log_in(const std::string& password) {
    base::http::Client client(loop_);
    base::http::ClientRequest request;
    request.method = "POST";
    request.url =
        base::http::Url::parse("unix:" + login_->socket() + ":/acs/api/v1/auth/login").value();
    request.headers.add("Content-Type", "application/json");
    request.body = R"({"uid":"admin","password":")" + password + "\"}";
    std::optional<int> status;
    client.request(std::move(request), [&](base::Result<base::http::Response> answer) {
      status = answer ? answer->status : 0;
      loop_.stop();
    });
    loop_.run();
    return status.value_or(-1);
  }

  base::testing::TemporaryDirectory directory_;
  base::Loop loop_;
  base::Metrics metrics_;
  std::unique_ptr<Login> login_;
};

TEST_F(Shell, takes_the_owners_password_removes_the_file_and_remembers_after_a_restart) {
  ASSERT_TRUE(base::write_file(directory_ / "password", "first-password\n", 0600));
  open();
  int first = 0;
  for (int i = 0; i < 8 && first != 200; ++i) first = log_in("first-password");
  EXPECT_EQ(first, 200);
  EXPECT_FALSE(base::exists(directory_ / "password"));
  EXPECT_EQ(log_in("wrong-password"), 401);
  login_.reset();
  metrics_ = {};
  open();
  EXPECT_EQ(log_in("first-password"), 200);
}

TEST_F(Shell, keeps_its_directory_and_key_for_itself) {
  open();
  for (const char* name : {"login", "login/key.pem", "login/api.sock"}) {
    struct stat info {};
    ASSERT_EQ(::stat((directory_ / name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 077, 0u) << name;
  }
  login_.reset();
  ASSERT_EQ(::chmod((directory_ / "login/key.pem").c_str(), 0644), 0);
  EXPECT_NE(refusal().find("can be read by others"), std::string::npos);
  ASSERT_EQ(::chmod((directory_ / "login/key.pem").c_str(), 0600), 0);
  ASSERT_TRUE(base::write_file(directory_ / "login/key.pem", "nonsense", 0600));
  EXPECT_NE(refusal().find("is not a PEM text of a private key"), std::string::npos);
}

TEST_F(Shell, refuses_a_password_file_that_others_can_read) {
  ASSERT_TRUE(base::write_file(directory_ / "password", "first-password\n", 0644));
  EXPECT_NE(refusal().find("can be read by others"), std::string::npos);
  EXPECT_TRUE(base::exists(directory_ / "password"));
}

}  // namespace
}  // namespace admin_router
