#include "kernel/containerizer/fetcher/download.hpp"

#include <utility>

#include "base/numbers.hpp"
#include "kernel/containerizer/fetcher/sandbox_files.hpp"

namespace containerizer::fetcher {
namespace {

constexpr int kMaxRedirects = 10;
constexpr size_t kPauseAt = 1 << 20, kResumeAt = 256 << 10;  // bytes that wait to be written

std::optional<uint64_t> content_length(const base::http::Response& head) {
  const auto text = head.headers.get("Content-Length");
  if (!text) return std::nullopt;
  const auto bytes = base::parse_int(*text);
  if (!bytes || *bytes < 0) return std::nullopt;
  return static_cast<uint64_t>(*bytes);
}

}  // namespace

struct Download::State : std::enable_shared_from_this<Download::State> {
  State(base::Loop& l, base::Pool& p, base::Fd f, DownloadLimits m, Callbacks c)
      : loop(l), pool(p), file(std::make_shared<base::Fd>(std::move(f))), limits(m), callbacks(std::move(c)) {}

  void end(Status status) {
    if (ended) return;
    const auto self = shared_from_this();  // the callbacks hold it, and go
    ended = true;
    loop.cancel(stall_timer);
    call.cancel();
    file.reset();
    auto done = std::move(callbacks.done);
    callbacks = {};
    if (done) done(std::move(status));
  }

  void begin(const base::http::Response& head) {
    if (head.status != 200)
      return end(Error{base::Code::BadGateway, "the server answered " + std::to_string(head.status) + " " +
                                                   std::string(base::http::reason_phrase(head.status))});
    if (Status taken = callbacks.sized ? callbacks.sized(content_length(head)) : Status(); !taken)
      end(std::move(taken));
  }

  void take(std::string_view data) {
    if (ended) return;
    received += data.size();
    if (received > limits.max_bytes)
      return end(Error{base::Code::TooLarge, "it is larger than " + base::render_bytes(limits.max_bytes)});
    pending.append(data);
    if (pending.size() > kPauseAt && !paused) {
      paused = true;
      call.pause(true);
    }
    pump();
  }

  void finish(Status status) {
    if (!status) return end(std::move(status));
    all_here = true;
    pump();
  }

  void pump() {
    if (busy || ended) return;
    if (pending.empty()) {
      if (all_here) end({});
      return;
    }
    busy = true;
    auto bytes = std::make_shared<std::string>(std::exchange(pending, {}));
    const bool taken = pool.run_for([to = file, bytes] { return write_all(to->get(), *bytes); },
                                    [self = shared_from_this()](Status status) {
                                      self->busy = false;
                                      if (self->ended) return;
                                      if (!status) return self->end(std::move(status));
                                      if (self->paused && self->pending.size() < kResumeAt) {
                                        self->paused = false;
                                        self->call.pause(false);
                                      }
                                      self->pump();
                                    });
    if (taken) return;
    busy = false;
    end(base::unavailable("too much work waits on this agent"));
  }

  void watch_progress() {
    stall_timer = loop.after(limits.stall, [self = shared_from_this()] {
      if (self->ended) return;
      const bool waits_for_us = self->busy || self->paused;
      if (self->received == self->received_at_check && !waits_for_us)
        return self->end(
            Error{base::Code::Timeout, "nothing arrived for " + base::render_duration(self->limits.stall)});
      self->received_at_check = self->received;
      self->watch_progress();
    });
  }

  base::Loop& loop;
  base::Pool& pool;
  std::shared_ptr<base::Fd> file;  // shared with a write under way
  DownloadLimits limits;
  Callbacks callbacks;
  base::http::ClientCall call;
  base::Loop::TimerId stall_timer = 0;
  uint64_t received = 0, received_at_check = 0;
  std::string pending;  // received, not yet given to the pool
  bool busy = false;    // the pool writes
  bool paused = false, all_here = false, ended = false;
};

Download::Download(base::Loop& loop, base::Pool& pool, base::http::Client& client, const std::string& url, base::Fd file,
                   DownloadLimits limits, Callbacks callbacks)
    : state_(std::make_shared<State>(loop, pool, std::move(file), limits, std::move(callbacks))) {
  auto parsed = base::http::Url::parse(url);
  if (!parsed) {
    loop.post([state = state_, error = parsed.error()] { state->end(error); });
    return;
  }
  base::http::ClientRequest request;
  request.url = *parsed;
  request.max_redirects = kMaxRedirects;
  request.timeout = limits.stall;
  base::http::StreamCallbacks streaming;
  streaming.on_head = [state = state_](const base::http::Response& head) { state->begin(head); };
  streaming.on_data = [state = state_](std::string_view data) { state->take(data); };
  streaming.on_end = [state = state_](Status status) { state->finish(std::move(status)); };
  state_->call = client.stream(std::move(request), std::move(streaming));
  state_->watch_progress();
}

Download::~Download() {
  state_->callbacks = {};
  state_->end({});
}

}  // namespace containerizer::fetcher
