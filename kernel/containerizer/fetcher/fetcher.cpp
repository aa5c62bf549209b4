#include "kernel/containerizer/fetcher/fetcher.hpp"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "base/file.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/fetcher/uri.hpp"

namespace containerizer::fetcher {
namespace {

constexpr int kMaxRedirects = 10;

/// Makes the file below the sandbox; no component may be a link, and the file must be new or replaced whole.
Result<base::Fd> create_below(const std::string& sandbox, const std::string& relative,
                              const std::optional<launch::UserIds>& user) {
  base::Fd directory(open(sandbox.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return base::errno_error(sandbox, errno);
  const auto parts = base::tokenize(relative, '/');
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    const std::string part(parts[i]);
    if (mkdirat(directory.get(), part.c_str(), 0755) == 0) {
      if (user && fchownat(directory.get(), part.c_str(), user->uid, user->gid, AT_SYMLINK_NOFOLLOW) != 0)
        return base::errno_error("chown " + part, errno);
    } else if (errno != EEXIST) {
      return base::errno_error("mkdir " + part, errno);
    }
    base::Fd next(openat(directory.get(), part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return base::errno_error(part, errno);
    directory = std::move(next);
  }
  const std::string name(parts.empty() ? "" : parts.back());
  if (unlinkat(directory.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    return base::errno_error("cannot replace " + name, errno);
  base::Fd file(openat(directory.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) return base::errno_error("cannot create " + relative, errno);
  if (user && fchown(file.get(), user->uid, user->gid) != 0) return base::errno_error("chown " + name, errno);
  return file;
}

Status write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::errno_error("writing", errno);
    data.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Status copy_file(const FetchPlan& plan, const FetchJob& job) {
  const base::Fd source(open(plan.source.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source) return base::errno_error("cannot open the file", errno);
  struct stat info;
  if (fstat(source.get(), &info) != 0) return base::errno_error("cannot read the file", errno);
  if (!S_ISREG(info.st_mode)) return base::invalid("it is not a regular file");
  ASSIGN_OR_RETURN(const base::Fd target, create_below(job.sandbox, plan.destination, job.user));
  for (;;) {
    const ssize_t copied = sendfile(target.get(), source.get(), nullptr, size_t{1} << 30);
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0) return base::errno_error("copying", errno);
    if (copied == 0) return {};
  }
}

/// Waits for a helper started by this process; its exit status is that of the program.
Status run_unpacker(const std::string& helper, const FetchJob& job, std::vector<std::string> arguments,
                    const std::string& output, base::Duration timeout) {
  launch::LaunchOrder order;
  order.arguments = std::move(arguments);
  order.environment = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
  order.directory = job.sandbox;
  order.user = job.user;
  order.output = output;
  order.error_output = job.sandbox + "/stderr";
  order.status_file = job.runtime + "/unpack_status";
  ASSIGN_OR_RETURN(const launch::Helper started, launch::start_helper(helper, order));
  pollfd wait{started.pidfd.get(), POLLIN, 0};
  const auto milliseconds = std::chrono::duration_cast<base::milliseconds>(timeout).count();
  const bool ended = poll(&wait, 1, static_cast<int>(milliseconds)) > 0;
  if (!ended) syscall(SYS_pidfd_send_signal, started.pidfd.get(), 64 /* kKillTreeSignal */, nullptr, 0);
  siginfo_t info{};
  waitid(P_PIDFD, static_cast<id_t>(started.pidfd.get()), &info, WEXITED);
  if (!ended) return Error{base::Code::Timeout, order.arguments[0] + " takes too long"};
  if (info.si_status != 0)
    return base::invalid("'" + order.arguments[0] + "' ended with status " + std::to_string(info.si_status) +
                         " (see stderr in the sandbox)");
  return {};
}

Status unpack(const std::string& helper, const FetchPlan& plan, const FetchJob& job, base::Duration timeout) {
  const std::string file = "./" + plan.destination;
  switch (plan.unpack) {
    case Unpack::Nothing: return {};
    case Unpack::Tar: return run_unpacker(helper, job, {"tar", "-xf", file}, "", timeout);
    case Unpack::Zip: return run_unpacker(helper, job, {"unzip", "-o", "-q", file}, "", timeout);
    case Unpack::Gzip: {
      const std::string target = plan.destination.substr(0, plan.destination.size() - 3);
      RETURN_IF_ERROR(create_below(job.sandbox, target, job.user));
      return run_unpacker(helper, job, {"gzip", "-d", "-c", file}, job.sandbox + "/" + target, timeout);
    }
  }
  return {};
}

Status finish(const std::string& helper, const FetchPlan& plan, const FetchJob& job, base::Duration timeout) {
  if (plan.executable) {
    const std::string path = job.sandbox + "/" + plan.destination;
    const base::Fd file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file || fchmod(file.get(), 0755) != 0) return base::errno_error("cannot make it executable", errno);
  }
  return unpack(helper, plan, job, timeout);
}

}  // namespace

struct Fetcher::Impl : std::enable_shared_from_this<Fetcher::Impl> {
  struct Running {
    FetchJob job;
    std::function<void(Status)> done;
    size_t next = 0;
    FetchPlan plan;
    base::Fd file;
    uint64_t received = 0;
    uint64_t received_at_check = 0;
    base::http::ClientCall call;
    base::Loop::TimerId stall_timer = 0;
    std::optional<Error> failure;
    bool ended = false;
  };
  using Job = std::shared_ptr<Running>;

  Impl(base::Loop& l, base::Pool& p, Options o) : loop(l), pool(p), options(std::move(o)), client(loop) {}

  void end(const Job& running, Status status) {
    if (running->ended) return;
    running->ended = true;
    loop.cancel(running->stall_timer);
    running->file.reset();
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
    if (running->plan.remote) return download(running);
    on_pool(running, [self = shared_from_this(), running]() -> Status {
      RETURN_IF_ERROR(copy_file(running->plan, running->job));
      return finish(self->options.helper, running->plan, running->job, self->options.timeout);
    });
  }

  void on_pool(const Job& running, std::function<Status()> work) {
    const bool taken = pool.run_for(std::move(work), [self = shared_from_this(), running](Status status) {
      if (!status) return self->end_with(running, status.error());
      ++running->next;
      self->step(running);
    });
    if (!taken) end_with(running, base::unavailable("too much work waits on this agent"));
  }

  void download(const Job& running) {
    base::http::ClientRequest request;
    auto url = base::http::Url::parse(running->plan.source);
    if (!url) return end_with(running, url.error());
    request.url = *url;
    request.max_redirects = kMaxRedirects;
    request.timeout = options.stall_timeout;
    auto file = create_below(running->job.sandbox, running->plan.destination, running->job.user);
    if (!file) return end_with(running, file.error());
    running->file = std::move(*file);
    running->received = running->received_at_check = 0;
    running->failure.reset();

    base::http::StreamCallbacks callbacks;
    callbacks.on_head = [running](const base::http::Response& head) {
      if (head.status != 200)
        running->failure = Error{base::Code::BadGateway, "the server answered " + std::to_string(head.status) + " " +
                                                             std::string(base::http::reason_phrase(head.status))};
    };
    callbacks.on_data = [self = shared_from_this(), running](std::string_view data) { self->take(running, data); };
    callbacks.on_end = [self = shared_from_this(), running](Status status) { self->downloaded(running, status); };
    running->call = client.stream(std::move(request), std::move(callbacks));
    watch_progress(running);
  }

  void take(const Job& running, std::string_view data) {
    if (running->ended || running->failure) return;
    running->received += data.size();
    if (running->received > options.max_bytes)
      running->failure = Error{base::Code::TooLarge, "it is larger than " + base::render_bytes(options.max_bytes)};
    else if (Status status = write_all(running->file.get(), data); !status)
      running->failure = status.error();
    if (!running->failure) return;
    running->call.cancel();
    end_with(running, *running->failure);
  }

  void watch_progress(const Job& running) {
    loop.cancel(running->stall_timer);
    running->stall_timer = loop.after(options.stall_timeout, [self = shared_from_this(), running] {
      if (running->ended) return;
      if (running->received > running->received_at_check) {
        running->received_at_check = running->received;
        return self->watch_progress(running);
      }
      running->call.cancel();
      self->end_with(running, Error{base::Code::Timeout, "nothing arrived for " + base::render_duration(
                                                                                       self->options.stall_timeout)});
    });
  }

  void downloaded(const Job& running, const Status& status) {
    if (running->ended) return;
    loop.cancel(running->stall_timer);
    running->file.reset();
    if (running->failure) return end_with(running, *running->failure);
    if (!status) return end_with(running, status.error());
    on_pool(running, [self = shared_from_this(), running] {
      return finish(self->options.helper, running->plan, running->job, self->options.timeout);
    });
  }

  base::Loop& loop;
  base::Pool& pool;
  Options options;
  base::http::Client client;
  std::map<std::string, Job> jobs;
  uint64_t succeeded = 0, failed = 0;
};

Fetcher::Fetcher(base::Loop& loop, base::Pool& pool, Options options)
    : impl_(std::make_shared<Impl>(loop, pool, std::move(options))) {}

Fetcher::~Fetcher() {
  for (auto& [id, running] : impl_->jobs) running->ended = true;
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
  const auto running = found->second;
  running->call.cancel();
  impl_->loop.post([impl = impl_, running] {
    impl->end(running, Error{base::Code::Cancelled, "the container was destroyed while its files were fetched"});
  });
}

uint64_t Fetcher::succeeded() const { return impl_->succeeded; }
uint64_t Fetcher::failed() const { return impl_->failed; }

}  // namespace containerizer::fetcher
