#include "base/testing/bench.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>
#include <thread>

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace base::testing {

namespace {

constexpr int kRuns = 5;

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + '"';
}

// The commit is handed in by whoever starts the benchmark, or asked of git, once.
std::string commit() {
  if (const char* given = std::getenv("BENCH_COMMIT"); given != nullptr) return given;
  std::string text;
  if (FILE* git = popen("git rev-parse --short=12 HEAD 2>/dev/null", "r"); git != nullptr) {
    char buffer[64];
    while (std::fgets(buffer, sizeof buffer, git) != nullptr) text += buffer;
    pclose(git);
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.empty() ? "unknown" : text;
}

// As tests/harness/bench.py says it: "2 x <processor>".
std::string machine() {
  std::string model = "unknown";
  std::ifstream cpuinfo("/proc/cpuinfo");
  for (std::string line; std::getline(cpuinfo, line);) {
    if (!line.starts_with("model name")) continue;
    model = trim(std::string_view(line).substr(line.find(':') + 1));
    break;
  }
  return std::to_string(std::thread::hardware_concurrency()) + " x " + model;
}

double seconds_of(const std::function<uint64_t()>& body, uint64_t& hash) {
  const auto start = std::chrono::steady_clock::now();
  hash = body();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Bench::Bench(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--small") {
      small_ = true;
    } else if (word == "--list") {
      list_ = true;
    } else {
      names_.emplace_back(word);
    }
  }
}

bool Bench::wants(const std::string& name) const {
  if (list_) {
    std::printf("%s\n", name.c_str());
    return false;
  }
  return names_.empty() ||
         std::any_of(names_.begin(), names_.end(),
                     [&](const std::string& prefix) { return name.starts_with(prefix); });
}

void Bench::measure(const std::string& name, const std::map<std::string, std::string>& parameters,
                    const std::function<uint64_t()>& body) {
  if (!wants(name)) return;
  uint64_t hash = body();  // warm-up
  std::vector<double> samples;
  for (int run = 0; run < (small_ ? 1 : kRuns); ++run) samples.push_back(seconds_of(body, hash));
  report(name, parameters, "s", std::move(samples), hash);
}

void Bench::rate(const std::string& name, const std::map<std::string, std::string>& parameters,
                 uint64_t operations, const std::function<uint64_t()>& body) {
  if (!wants(name)) return;
  uint64_t hash = body();  // warm-up
  std::vector<double> samples;
  for (int run = 0; run < (small_ ? 1 : kRuns); ++run) {
    samples.push_back(static_cast<double>(operations) / std::max(seconds_of(body, hash), 1e-9));
  }
  report(name, parameters, "1/s", std::move(samples), hash);
}

void Bench::report(const std::string& name, const std::map<std::string, std::string>& parameters,
                   const std::string& unit, std::vector<double> samples, uint64_t hash) {
  if (samples.empty()) return;
  std::sort(samples.begin(), samples.end());
  const size_t middle = samples.size() / 2;
  const double median =
      samples.size() % 2 == 1 ? samples[middle] : (samples[middle - 1] + samples[middle]) / 2;
  std::string list = "{";
  for (const auto& [key, value] : parameters) {
    list += (list.size() > 1 ? ", " : "") + quoted(key) + ": " + quoted(value);
  }
  static const std::string the_commit = commit();
  static const std::string the_machine = machine();
  std::printf(
      "{\"name\": %s, \"parameters\": %s}, \"median\": %s, \"spread\": [%s, %s], \"unit\": %s, "
      "\"samples\": %zu, "
      "\"hash\": \"%016llx\", \"commit\": %s, \"machine\": %s}\n",
      quoted(name).c_str(), list.c_str(), render_double(median).c_str(),
      render_double(samples.front()).c_str(), render_double(samples.back()).c_str(),
      quoted(unit).c_str(), samples.size(), static_cast<unsigned long long>(hash),
      quoted(the_commit).c_str(), quoted(the_machine).c_str());
  std::fflush(stdout);
}

}  // namespace base::testing
