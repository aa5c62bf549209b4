#include "kernel/containerizer/fetcher/fetcher.hpp"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/fetcher/cache.hpp"
#include "kernel/containerizer/fetcher/download.hpp"
#include "kernel/containerizer/fetcher/sandbox_files.hpp"
#include "kernel/containerizer/fetcher/uri.hpp"

namespace containerizer::fetcher {
namespace {

/// Nobody but the agent reads its files by their path: containers get them by a link in their sandbox.
std::string prepare_cache(const std::string& directory) {
  if (directory.empty()) return "";
  Status ready = base::remove_tree(directory);
  if (ready) ready = base::make_directories(directory, 0700);
  if (ready) return directory;
  LOG_WARNING("nothing fetched is cached: {} cannot be used: {}", directory, ready.error().message);
  return "";
}

std::string user_of(const FetchJob& job) { return job.user ? std::to_string(job.user->uid) : ""; }

}  // namespace

struct Fetcher::Impl : std::enable_shared_from_this<Fetcher::Impl> {
  struct Running {
    FetchJob job;
    std::function<void(Status)> done;
    size_t next = 0;
    FetchPlan plan;
    std::unique_ptr<Download> download;  // of its own
    Cache::EntryPtr entry;               // of the cache, while this job uses it
    bool ended = false;
  };
  using Job = std::shared_ptr<Running>;

  /// A download into the cache and those who wait for it. It goes on while there is one.
  struct Shared {
    Cache::EntryPtr entry;
    std::unique_ptr<Download> download;
    std::vector<Job> waiting;
    bool cannot_cache = false;
  };
  using SharedPtr = std::shared_ptr<Shared>;

  Impl(base::Loop& l, base::Pool& p, Options o)
      : loop(l),
        pool(p),
        options(std::move(o)),
        client(loop),
        cache(prepare_cache(options.cache_directory), options.cache_bytes) {}

  Sandbox sandbox_of(const Job& running) const {
    return {running->job.sandbox, running->job.runtime, options.helper, running->job.user, options.timeout};
  }

  DownloadLimits limits() const { return {options.stall_timeout, options.max_bytes}; }

  void end(const Job& running, Status status) {
    if (running->ended) return;
    running->ended = true;
    running->download.reset();
    leave_cache(running);
    jobs.erase(running->job.id);
    (status ? succeeded : failed) += 1;
    running->done(std::move(status));
  }

  void end_with(const Job& running, const Error& error) {
    const std::string uri = base::valid_utf8(running->job.uris[running->next].value());
    end(running, Error{error.code, "Failed to fetch '" + uri + "': " + error.message});
  }

  void step(const Job& running) {
    if (running->ended) return;
    if (running->next == running->job.uris.size()) return end(running, {});
    auto plan = plan_fetch(running->job.uris[running->next], options.frameworks_home);
    if (!plan) return end_with(running, plan.error());
    running->plan = *plan;
    if (!running->plan.remote) {
      return on_pool(running, [plan = running->plan, sandbox = sandbox_of(running)]() -> Status {
        RETURN_IF_ERROR(copy_local(plan, sandbox));
        return finish(plan, sandbox);
      });
    }
    running->plan.cache && !cache.directory().empty() ? use_cache(running) : download(running);
  }

  void on_pool(const Job& running, std::function<Status()> work) {
    const bool taken = pool.run_for(std::move(work), [self = shared_from_this(), running](Status status) {
      if (running->ended) return;
      if (!status) return self->end_with(running, status.error());
      self->leave_cache(running);
      ++running->next;
      self->step(running);
    });
    if (!taken) end_with(running, base::unavailable("too much work waits on this agent"));
  }

  void remove_later(std::string file) {
    if (!pool.run([file] { unlink(file.c_str()); }, [] {})) unlink(file.c_str());
  }

  // --- without the cache ---

  void download(const Job& running) {
    auto file = create_below(sandbox_of(running), running->plan.destination);
    if (!file) return end_with(running, file.error());
    Download::Callbacks callbacks;
    callbacks.done = [self = shared_from_this(), running](Status status) {
      if (running->ended) return;
      if (!status) return self->end_with(running, status.error());
      self->on_pool(running,
                    [plan = running->plan, sandbox = self->sandbox_of(running)] { return finish(plan, sandbox); });
    };
    running->download =
        std::make_unique<Download>(loop, pool, client, running->plan.source, std::move(*file), limits(),
                                   std::move(callbacks));
  }

  // --- with the cache ---

  void use_cache(const Job& running) {
    const std::string key = Cache::key_of(user_of(running->job), running->job.uris[running->next].value());
    running->entry = cache.use(key);
    if (running->entry && running->entry->complete) {
      ++hits;
      return install(running);
    }
    if (running->entry) {
      ++hits;
      shared.at(key)->waiting.push_back(running);
      return;
    }
    running->entry = cache.add(key);
    base::Fd file(open(running->entry->file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
    if (!file) {
      LOG_WARNING("the fetcher's cache cannot be written: {}", base::errno_error(running->entry->file, errno).message);
      cache.forget(running->entry);
      leave_cache(running);
      return download(running);
    }
    auto one = std::make_shared<Shared>();
    one->entry = running->entry;
    one->waiting.push_back(running);
    shared[key] = one;
    Download::Callbacks callbacks;
    callbacks.sized = [self = shared_from_this(), one](std::optional<uint64_t> bytes) -> Status {
      one->cannot_cache = true;
      if (!bytes) return base::unsupported("its size is not known");
      ASSIGN_OR_RETURN(const auto files, self->cache.reserve(one->entry, *bytes));
      for (const auto& old : files) self->remove_later(old);
      one->cannot_cache = false;
      return {};
    };
    callbacks.done = [self = shared_from_this(), one, digest = running->plan.digest](Status status) {
      if (!status) return self->downloaded(one, status);
      const auto check = [file = one->entry->file, digest] { return check_digest(file, digest); };
      if (!self->pool.run_for(check, [self, one](const Status& right) { self->downloaded(one, right); }))
        self->downloaded(one, base::unavailable("too much work waits on this agent"));
    };
    one->download =
        std::make_unique<Download>(loop, pool, client, running->plan.source, std::move(file), limits(),
                                   std::move(callbacks));
  }

  /// The download into the cache ended.
  void downloaded(const SharedPtr& one, const Status& status) {
    const auto found = shared.find(one->entry->key);
    if (found != shared.end() && found->second == one) shared.erase(found);
    status ? cache.complete(one->entry) : cache.forget(one->entry);
    for (const auto& running : std::exchange(one->waiting, {})) {
      if (running->ended) continue;
      if (status) {
        install(running);
      } else if (one->cannot_cache) {
        leave_cache(running);
        download(running);
      } else {
        end_with(running, status.error());
      }
    }
  }

  void install(const Job& running) {
    on_pool(running, [file = running->entry->file, plan = running->plan, sandbox = sandbox_of(running)] {
      return install_cached(file, plan, sandbox);
    });
  }

  void leave_cache(const Job& running) {
    const auto entry = std::exchange(running->entry, nullptr);
    if (!entry) return;
    const auto found = shared.find(entry->key);
    if (found != shared.end() && found->second->entry == entry) {
      auto& waiting = found->second->waiting;
      std::erase(waiting, running);
      if (waiting.empty()) {  // nobody wants it any more
        const auto one = found->second;
        shared.erase(found);
        one->download.reset();
        cache.forget(entry);
      }
    }
    if (cache.release(entry)) remove_later(entry->file);
  }

  base::Loop& loop;
  base::Pool& pool;
  Options options;
  base::http::Client client;
  Cache cache;
  std::map<std::string, Job> jobs;
  std::map<std::string, SharedPtr> shared;  // by the entry's key
  uint64_t succeeded = 0, failed = 0, hits = 0;
};

Fetcher::Fetcher(base::Loop& loop, base::Pool& pool, Options options)
    : impl_(std::make_shared<Impl>(loop, pool, std::move(options))) {}

Fetcher::~Fetcher() {
  for (auto& [id, running] : impl_->jobs) {
    running->ended = true;
    running->download.reset();
  }
  impl_->jobs.clear();
  impl_->shared.clear();
}

void Fetcher::fetch(FetchJob job, std::function<void(Status)> done) {
  auto running = std::make_shared<Impl::Running>();
  running->job = std::move(job);
  running->done = std::move(done);
  impl_->jobs[running->job.id] = running;
  impl_->loop.post([impl = impl_, running] { impl->step(running); });
}

void Fetcher::cancel(const std::string& id) {
  const auto found = impl_->jobs.find(id);
  if (found == impl_->jobs.end()) return;
  impl_->loop.post([impl = impl_, running = found->second] {
    impl->end(running, Error{base::Code::Cancelled, "the container was destroyed while its files were fetched"});
  });
}

FetcherCounts Fetcher::counts() const {
  return {impl_->succeeded, impl_->failed, impl_->cache.limit(), impl_->cache.used(), impl_->hits};
}

}  // namespace containerizer::fetcher
