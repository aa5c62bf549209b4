#pragma once

// A directory of a test's own, removed at its end.

#include <stdlib.h>

#include <string>

#include "base/check.hpp"
#include "base/file.hpp"

namespace base::testing {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/dcos-test-XXXXXX";
    CHECK(::mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~TemporaryDirectory() { (void)remove_tree(path_).has_value(); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace base::testing
