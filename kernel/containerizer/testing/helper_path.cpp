#include "kernel/containerizer/testing/helper_path.hpp"

#include <unistd.h>

namespace containerizer {

std::string helper_path() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  std::string text(path, length > 0 ? static_cast<size_t>(length) : 0);
  for (int up = 0; up < 2; ++up) text.resize(text.rfind('/'));  // <build>/tests/name, <build>/bench/name
  return text + "/bin/dcos-launch";
}

}  // namespace containerizer
