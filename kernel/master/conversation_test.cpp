// Conversations with the core: each block of a file in testdata/ is a command, a line "----" and the effects it has. Run
// with --update-golden to write what the core does now, and read the difference.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/master/core.hpp"
#include "kernel/master/testing.hpp"

namespace {

using master::testing::Conversation;

bool update_golden() {
  for (const std::string& argument : ::testing::internal::GetArgvs()) {
    if (argument == "--update-golden") return true;
  }
  return false;
}

std::string read(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

class Conversations : public ::testing::TestWithParam<std::string> {};

TEST_P(Conversations, go_as_written) {
  const std::string path = "kernel/master/testdata/" + GetParam();
  const std::string before = read(path);
  Conversation conversation;
  std::string after, line;
  std::istringstream in(before);
  while (std::getline(in, line)) {
    after += line + "\n";
    if (line != "----") {
      if (!line.empty() && line[0] != '#') conversation.command(line);
      continue;
    }
    after += conversation.take_effects() + "\n";
    while (std::getline(in, line) && !line.empty()) {
    }
  }
  while (base::trim(after).size() + 1 < after.size() && after.substr(after.size() - 2) == "\n\n") after.pop_back();
  if (update_golden()) {
    std::ofstream(path) << after;
  } else {
    EXPECT_EQ(before, after) << "run with --update-golden and read the difference of " << path;
  }
}

std::vector<std::string> files() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("kernel/master/testdata")) {
    if (entry.path().extension() == ".txt") names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Testdata, Conversations, ::testing::ValuesIn(files()), [](const auto& p) {
  return base::replace_all(p.param.substr(0, p.param.size() - 4), "-", "_");
});

}  // namespace
