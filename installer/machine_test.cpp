#include "installer/machine.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.hpp"

namespace installer {
namespace {

TEST(Machine, a_taken_port_is_found_with_its_owner) {
  const base::Fd fd(socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(fd.get(), 1), 0);
  ASSERT_EQ(getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  const uint16_t port = ntohs(address.sin_port);

  const auto owner = find_port_owner(port);
  ASSERT_TRUE(owner.has_value());
  EXPECT_EQ(owner->pid, getpid());

  const Finding finding = probe_ports("127.0.0.1", {port});
  EXPECT_FALSE(finding.ok);
  EXPECT_NE(finding.seen.find("taken by"), std::string::npos) << finding.seen;
  EXPECT_NE(finding.remedy.find("--port-offset"), std::string::npos) << finding.remedy;
}

TEST(Machine, an_unwritable_directory_is_refused_with_a_remedy) {
  const Finding finding = probe_directory("/proc/nothing/here");
  EXPECT_FALSE(finding.ok);
  EXPECT_NE(finding.remedy.find("--root"), std::string::npos);
}

TEST(Machine, own_memory_is_measured_and_a_dead_process_has_none) {
  EXPECT_GT(resident_kb(getpid()), 100u);
  EXPECT_EQ(resident_kb(999'999'999), 0u);
}

TEST(Machine, a_cluster_that_never_ran_left_nothing) {
  const auto plan =
      plan_cluster({.root = "/tmp/dcos-never-existed", .bin_dir = "/bin"}, this_machine()).value();
  EXPECT_TRUE(find_leftovers(plan).none());
}

}  // namespace
}  // namespace installer
