// Sandboxes as a virtual tree, with what containers see there although it lies elsewhere.

#include "kernel/agent/files.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/testing/temporary_directory.hpp"

namespace agent {
namespace {

class FilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(base::make_directories(sandbox + "/data") && base::make_directories(sandbox + "/tasks"));
    ASSERT_TRUE(base::make_directories(sandbox + "/containers/c1/mine") && base::make_directories(sandbox + "/shared"));
    ASSERT_TRUE(base::make_directories(volume + "/deep"));
    ASSERT_TRUE(base::write_file(volume + "/deep/file", "kept", 0644));
    ASSERT_TRUE(base::write_file(sandbox + "/shared/note", "both", 0644));
    ASSERT_EQ(symlink("../containers/c1", (sandbox + "/tasks/t1").c_str()), 0);
    ASSERT_EQ(symlink("../../../../outside", (sandbox + "/tasks/bad").c_str()), 0);
    elsewhere = {{"data", volume}, {"containers/c1/mine", "shared"}, {"containers/c1/disk", "data"}};
  }

  std::string read(const std::string& path) {
    const auto piece = files.read({"/frameworks/f/executors/e/runs/r/" + path, "a", elsewhere}, 0, -1);
    return piece ? piece->data : piece.error().message;
  }
  std::string names(const std::string& path) {
    const auto listed = files.browse({"/frameworks/f/executors/e/runs/r/" + path, "a", elsewhere});
    if (!listed) return listed.error().message;
    std::string out;
    for (const auto& file : *listed) out += file.path.substr(file.path.rfind('/') + 1) + " ";
    return out;
  }

  base::testing::TemporaryDirectory top;
  const std::string sandbox = top / "work/slaves/a/frameworks/f/executors/e/runs/r", volume = top / "volume";
  Files files{top / "work", top / "log"};
  std::vector<Elsewhere> elsewhere;
};

TEST_F(FilesTest, show_a_volume_where_the_container_has_it) {
  EXPECT_EQ(names("data"), "deep ");
  EXPECT_EQ(read("data/deep/file"), "kept");
  EXPECT_NE(read("data/missing").find("No such path"), std::string::npos);
  EXPECT_NE(read("data/../../../../../../../../etc/passwd").find("inaccessible"), std::string::npos) << "and never what is outside of it";
  ASSERT_EQ(symlink("/etc", (volume + "/link").c_str()), 0);
  EXPECT_NE(read("data/link/passwd").find("inaccessible"), std::string::npos);
  elsewhere.clear();
  EXPECT_EQ(names("data"), "") << "the mount point itself";
}

TEST_F(FilesTest, show_what_the_containers_of_a_pod_share_by_container_and_by_task) {
  EXPECT_EQ(read("containers/c1/mine/note"), "both");
  EXPECT_EQ(read("tasks/t1/mine/note"), "both");
  EXPECT_EQ(read("tasks/t1/disk/deep/file"), "kept") << "from the container to its pod's volume";
  EXPECT_EQ(names("tasks/t1"), "mine ");
  EXPECT_NE(read("tasks/bad/x").find("inaccessible"), std::string::npos);
}

TEST_F(FilesTest, show_the_agents_log_when_somebody_keeps_it) {
  EXPECT_FALSE(files.read({kLogPath, "a"}, 0, -1)) << "there is none yet";
  ASSERT_TRUE(base::write_file(top / "log", "line\n", 0644));
  EXPECT_EQ(files.read({kLogPath, "a"}, 0, -1)->data, "line\n");
  EXPECT_FALSE(Files(top / "work").read({kLogPath, "a"}, 0, -1)) << "without --external_log_file";
}

}  // namespace
}  // namespace agent
