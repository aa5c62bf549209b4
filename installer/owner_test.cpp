#include "installer/owner.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file.hpp"
#include "base/testing/temporary_directory.hpp"

namespace installer {
namespace {

class Owner : public ::testing::Test {
 protected:
  Owner() { plan_ = plan_cluster({.root = directory_.path(), .bin_dir = "/bin"}, {}).value(); }
  base::testing::TemporaryDirectory directory_;
  ClusterPlan plan_;
};

TEST_F(Owner, gets_a_password_that_only_root_can_read) {
  const auto password = first_password(plan_).value();
  ASSERT_TRUE(password);
  EXPECT_EQ(password->size(), 20u);
  struct stat info {};
  ASSERT_EQ(stat(plan_.owner_password_file().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(base::read_file(plan_.owner_password_file()).value(), *password + "\n");
}

TEST_F(Owner, is_told_the_same_password_until_the_gateway_has_taken_it) {
  const auto password = first_password(plan_).value();
  EXPECT_EQ(first_password(plan_).value(), password);
  ASSERT_TRUE(base::write_file(plan_.owner_password_file(), ""));
  ASSERT_TRUE(base::remove_tree(plan_.owner_password_file()));
  ASSERT_TRUE(base::make_directories(directory_.path() + "/gateway/login"));
  ASSERT_TRUE(base::write_file(directory_.path() + "/gateway/login/users.db", "x"));
  EXPECT_FALSE(first_password(plan_).value());
}

TEST_F(Owner, gets_another_password_in_another_cluster) {
  EXPECT_NE(make_password().value(), make_password().value());
}

TEST(ClusterPlan, without_login_stays_on_this_machine) {
  const auto refused = plan_cluster({.ip = "10.0.0.1", .bin_dir = "/bin", .auth = false}, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("--auth=off"), std::string::npos);
  for (const bool auth : {true, false}) {
    const auto plan = plan_cluster({.bin_dir = "/bin", .auth = auth}, {}).value();
    std::string words;
    for (const auto& word : plan.find("gateway")->argv) words += word + " ";
    EXPECT_NE(words.find(auth ? "--auth=on" : "--auth=off"), std::string::npos) << words;
    EXPECT_EQ(words.find("--owner_password_file=/var/lib/dcos/run/") != std::string::npos, auth);
  }
}

}  // namespace
}  // namespace installer
