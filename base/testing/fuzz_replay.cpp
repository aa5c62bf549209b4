// Runs an entry point on the files of a corpus, then on mutations of them: what the test suite does with every fuzzer.
//
//   x_fuzz FILE|DIRECTORY... [rounds=N]     a file that libFuzzer found a crash with is replayed the same way

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/random.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

/// One to eight small changes: flipped bits, new bytes, cuts, doubled pieces, pieces of another
/// input.
std::string mutate(std::string input, const std::vector<std::string>& corpus, base::Random& random) {
  for (uint64_t changes = 1 + random.below(8); changes > 0; --changes) {
    const size_t at = input.empty() ? 0 : random.below(input.size());
    switch (random.below(6)) {
      case 0:
        if (!input.empty()) input[at] = static_cast<char>(input[at] ^ (1 << random.below(8)));
        break;
      case 1:
        input.insert(at, 1, static_cast<char>(random.below(256)));
        break;
      case 2:
        input.erase(at, 1 + random.below(4));
        break;
      case 3:
        input.resize(at);
        break;
      case 4:
        input.insert(at, input.substr(at, random.below(16)));
        break;
      default: {
        const std::string& other = random.choose(corpus);
        if (!other.empty())
          input.insert(at, other.substr(random.below(other.size()), random.below(32)));
      }
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  namespace fs = std::filesystem;
  int rounds = 3000;
  std::vector<std::string> files, inputs;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "rounds=", 7) == 0) {
      rounds = std::atoi(argv[i] + 7);
    } else if (fs::is_directory(argv[i])) {
      for (const auto& entry : fs::directory_iterator(argv[i])) files.push_back(entry.path());
    } else {
      files.emplace_back(argv[i]);
    }
  }
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) {
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
      std::fprintf(stderr, "cannot read %s\n", file.c_str());
      return 1;
    }
    inputs.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
  }
  if (inputs.empty()) {
    std::fprintf(stderr, "no inputs: name files or directories\n");
    return 1;
  }
  // What is being run lies on the disk when the process ends by it.
  base::Random random(1);
  const std::string last = fs::temp_directory_path() / ("fuzz-input." + std::to_string(getpid()));
  const auto run = [&](const std::string& input) {
    std::ofstream(last, std::ios::binary) << input;
    // An exact copy on the heap, so that a sanitizer sees every read past its end.
    const std::vector<uint8_t> copy(input.begin(), input.end());
    LLVMFuzzerTestOneInput(copy.data(), copy.size());
  };
  std::printf("inputs go through %s\n", last.c_str());
  std::fflush(stdout);
  for (const std::string& input : inputs) run(input);
  for (int round = 0; round < rounds; ++round) run(mutate(random.choose(inputs), inputs, random));
  fs::remove(last);
  std::printf("%zu inputs and %d mutations\n", inputs.size(), rounds);
  return 0;
}
