#include "tests/sim/runner.hpp"

#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <new>

#include "base/check.hpp"
#include "base/loop.hpp"

namespace sim {

namespace {

// What a worker tells, one record after the other.
struct Record {
  enum class Kind : uint8_t { Begun, Passed, Failed };
  Kind kind;
  uint16_t length;  // of the text that follows
  uint64_t seed;
  uint64_t events;
};

/// Shared between the workers: the next seed that nobody has begun.
struct Shared {
  std::atomic<uint64_t> next;
};

double seconds_since(base::Instant start) {
  return std::chrono::duration<double>(base::system_clock().now().instant - start).count();
}

void write_all(int file, const void* data, size_t size) {
  const auto* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t done = ::write(file, bytes, size);
    if (done <= 0) _exit(3);  // nobody listens any more
    bytes += done;
    size -= static_cast<size_t>(done);
  }
}

void tell(int file, Record::Kind kind, uint64_t seed, uint64_t events, std::string text) {
  text.resize(std::min<size_t>(text.size(), 1000));
  const Record record{kind, static_cast<uint16_t>(text.size()), seed, events};
  write_all(file, &record, sizeof record);
  write_all(file, text.data(), text.size());
}

[[noreturn]] void work(const Scenario& scenario, const Batch& batch, Shared& shared, base::Instant start, int file) {
  while (batch.seconds <= 0 || seconds_since(start) < batch.seconds) {
    const uint64_t seed = batch.first + shared.next.fetch_add(1);
    if (seed >= batch.first + batch.seeds) break;
    tell(file, Record::Kind::Begun, seed, 0, "");
    Outcome outcome = scenario.run(seed, false);
    // Nothing may depend on an address, a hash seed or time.
    if (batch.repeat_every > 0 && seed % batch.repeat_every == 1 && scenario.run(seed, false).hash != outcome.hash)
      outcome.failures.push_back("the same seed gave another run");
    const bool passed = outcome.failures.empty();
    tell(file, passed ? Record::Kind::Passed : Record::Kind::Failed, seed, outcome.events,
         passed ? "" : outcome.failures.front());
  }
  _exit(0);
}

struct Worker {
  pid_t process = -1;
  int file = -1;
  std::string buffer{};
  uint64_t seed = 0;  // under way; 0: none
};

}  // namespace

Verdict run_batch(const Scenario& scenario, const Batch& batch, const std::function<void(const Failure&)>& on_failure) {
  void* memory = ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  CHECK(memory != MAP_FAILED);
  Shared& shared = *new (memory) Shared{};
  const auto start = base::system_clock().now().instant;
  Verdict verdict;
  std::vector<Worker> workers(std::max(1u, batch.jobs));

  const auto launch = [&](Worker& worker) {
    int ends[2];
    CHECK(::pipe(ends) == 0);
    std::fflush(stdout);
    const pid_t process = ::fork();
    CHECK(process >= 0);
    if (process == 0) {
      ::close(ends[0]);
      work(scenario, batch, shared, start, ends[1]);
    }
    ::close(ends[1]);
    worker = {process, ends[0]};
  };
  const auto fail = [&](uint64_t seed, const std::string& what) {
    ++verdict.ran;
    verdict.failures.push_back({seed, what});
    on_failure(verdict.failures.back());
  };
  const auto take = [&](Worker& worker) {
    while (worker.buffer.size() >= sizeof(Record)) {
      Record record;
      worker.buffer.copy(reinterpret_cast<char*>(&record), sizeof record);
      if (worker.buffer.size() < sizeof record + record.length) return;
      const std::string text = worker.buffer.substr(sizeof record, record.length);
      worker.buffer.erase(0, sizeof record + record.length);
      worker.seed = record.kind == Record::Kind::Begun ? record.seed : 0;
      verdict.events += record.events;
      if (record.kind == Record::Kind::Passed) ++verdict.ran;
      if (record.kind == Record::Kind::Failed) fail(record.seed, text);
    }
  };

  for (Worker& worker : workers) launch(worker);
  bool stopped = false;
  for (size_t open = workers.size(); open > 0;) {
    std::vector<pollfd> polled;
    for (const Worker& worker : workers) polled.push_back({worker.file, POLLIN, 0});
    ::poll(polled.data(), polled.size(), -1);
    for (size_t i = 0; i < workers.size(); ++i) {
      Worker& worker = workers[i];
      if (worker.file < 0 || polled[i].revents == 0) continue;
      char bytes[4096];
      const ssize_t got = ::read(worker.file, bytes, sizeof bytes);
      if (got > 0) {
        worker.buffer.append(bytes, static_cast<size_t>(got));
        take(worker);
        if (!stopped && verdict.failures.size() >= batch.stop_after) {
          stopped = true;
          shared.next = batch.seeds;  // nobody begins another
        }
        continue;
      }
      int status = 0;
      ::waitpid(worker.process, &status, 0);
      ::close(worker.file);
      worker.file = -1;
      const bool died = WIFSIGNALED(status) || WEXITSTATUS(status) != 0;
      if (died && worker.seed != 0) {
        fail(worker.seed, WIFSIGNALED(status) ? "the process died by signal " + std::to_string(WTERMSIG(status))
                                              : "the process ended with " + std::to_string(WEXITSTATUS(status)));
        launch(worker);  // the others' seeds are not done yet
        continue;
      }
      --open;
    }
  }
  ::munmap(memory, sizeof(Shared));
  std::sort(verdict.failures.begin(), verdict.failures.end(), [](const auto& a, const auto& b) { return a.seed < b.seed; });
  return verdict;
}

}  // namespace sim
