#include "base/file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/testing/temporary_directory.hpp"

namespace base {
namespace {

using testing::TemporaryDirectory;

TEST(Files, are_written_and_read_back) {
  TemporaryDirectory directory;
  ASSERT_TRUE(write_file(directory / "a", "one"));
  ASSERT_TRUE(write_file_atomic(directory / "a", std::string(100'000, 'x'), 0600));
  EXPECT_EQ(read_file(directory / "a").value(), std::string(100'000, 'x'));
  struct stat info {};
  ASSERT_EQ(::stat((directory / "a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(list_directory(directory.path()).value(), std::vector<std::string>{"a"});
}

TEST(Files, of_proc_are_read_although_their_size_is_zero) {
  EXPECT_FALSE(read_file("/proc/self/status").value().empty());
}

TEST(Files, beyond_the_limit_are_refused) {
  TemporaryDirectory directory;
  ASSERT_TRUE(write_file(directory / "a", "12345"));
  EXPECT_EQ(read_file(directory / "a", 4).error().code, Code::TooLarge);
  EXPECT_EQ(read_file(directory / "a", 5).value(), "12345");
}

TEST(Files, say_why_they_cannot_be_read) {
  EXPECT_EQ(read_file("/nowhere/at/all").error().code, Code::NotFound);
  EXPECT_EQ(read_file("/").error().code, Code::Io);
  EXPECT_EQ(write_file_atomic("/nowhere/file", "x").error().code, Code::NotFound);
}

TEST(Files, atomic_writes_leave_no_temporary_when_the_disk_is_full) {
  auto written = write_file("/dev/full", "x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::NoSpace);
}

TEST(Directories, are_made_with_their_parents) {
  TemporaryDirectory directory;
  EXPECT_TRUE(make_directories(directory / "a/b//c/"));
  EXPECT_TRUE(make_directories(directory / "a/b/c"));
  EXPECT_TRUE(exists(directory / "a/b/c"));
  ASSERT_TRUE(write_file(directory / "file", ""));
  EXPECT_FALSE(make_directories(directory / "file/x"));
  EXPECT_FALSE(make_directories(directory / "file"));
}

TEST(Trees, are_removed_without_following_links) {
  TemporaryDirectory directory;
  ASSERT_TRUE(make_directories(directory / "outside"));
  ASSERT_TRUE(write_file(directory / "outside/kept", "x"));
  ASSERT_TRUE(make_directories(directory / "tree/a/b"));
  ASSERT_TRUE(write_file(directory / "tree/a/file", "x"));
  ASSERT_EQ(::symlink((directory / "outside").c_str(), (directory / "tree/a/link").c_str()), 0);
  EXPECT_TRUE(remove_tree(directory / "tree/"));
  EXPECT_FALSE(exists(directory / "tree"));
  EXPECT_TRUE(exists(directory / "outside/kept"));
  EXPECT_TRUE(remove_tree(directory / "tree"));  // missing is success
  ASSERT_EQ(::symlink((directory / "outside").c_str(), (directory / "link").c_str()), 0);
  EXPECT_TRUE(remove_tree(directory / "link"));
  EXPECT_TRUE(exists(directory / "outside/kept"));
}

TEST(Trees, of_any_depth_are_removed) {
  TemporaryDirectory directory;
  ASSERT_EQ(::mkdir((directory / "deep").c_str(), 0755), 0);
  Fd at(::open((directory / "deep").c_str(), O_RDONLY | O_DIRECTORY));
  for (int depth = 0; depth < 400; ++depth) {
    ASSERT_EQ(::mkdirat(at.get(), "d", 0755), 0);
    at = Fd(::openat(at.get(), "d", O_RDONLY | O_DIRECTORY));
    ASSERT_TRUE(at);
  }
  EXPECT_TRUE(remove_tree(directory / "deep"));
  EXPECT_FALSE(exists(directory / "deep"));
}

TEST(Trees, with_a_bind_mount_inside_keep_what_is_mounted) {
  TemporaryDirectory directory;
  ASSERT_TRUE(make_directories(directory / "source"));
  ASSERT_TRUE(write_file(directory / "source/kept", "x"));
  ASSERT_TRUE(make_directories(directory / "tree/mounted"));
  ASSERT_TRUE(write_file(directory / "tree/file", "x"));
  if (::mount((directory / "source").c_str(), (directory / "tree/mounted").c_str(), nullptr,
              MS_BIND, nullptr) != 0) {
    GTEST_SKIP() << "needs the right to mount";
  }
  auto removed = remove_tree(directory / "tree");
  ::umount2((directory / "tree/mounted").c_str(), MNT_DETACH);
  ASSERT_FALSE(removed);
  EXPECT_NE(removed.error().message.find("mount point"), std::string::npos);
  EXPECT_TRUE(exists(directory / "source/kept"));
  EXPECT_FALSE(exists(directory / "tree/file"));
}

}  // namespace
}  // namespace base
