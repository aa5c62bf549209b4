#include "kernel/containerizer/fetcher/download.hpp"

#include "base/numbers.hpp"
#include "kernel/containerizer/fetcher/sandbox_files.hpp"

namespace containerizer::fetcher {
namespace {

constexpr int kMaxRedirects = 10;

std::optional<uint64_t> content_length(const base::http::Response& head) {
  const auto text = head.headers.get("Content-Length");
  if (!text) return std::nullopt;
  const auto bytes = base::parse_int(*text);
  if (!bytes || *bytes < 0) return std::nullopt;
  return static_cast<uint64_t>(*bytes);
}

}  // namespace

struct Download::State : std::enable_shared_from_this<Download::State> {
  State(base::Loop& l, base::Fd f, DownloadLimits m, Callbacks c)
      : loop(l), file(std::move(f)), limits(m), callbacks(std::move(c)) {}

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
    if (Status status = write_all(file.get(), data); !status) end(std::move(status));
  }

  void watch_progress() {
    stall_timer = loop.after(limits.stall, [self = shared_from_this()] {
      if (self->ended) return;
      if (self->received == self->received_at_check)
        return self->end(
            Error{base::Code::Timeout, "nothing arrived for " + base::render_duration(self->limits.stall)});
      self->received_at_check = self->received;
      self->watch_progress();
    });
  }

  base::Loop& loop;
  base::Fd file;
  DownloadLimits limits;
  Callbacks callbacks;
  base::http::ClientCall call;
  base::Loop::TimerId stall_timer = 0;
  uint64_t received = 0, received_at_check = 0;
  bool ended = false;
};

Download::Download(base::Loop& loop, base::http::Client& client, const std::string& url, base::Fd file,
                   DownloadLimits limits, Callbacks callbacks)
    : state_(std::make_shared<State>(loop, std::move(file), limits, std::move(callbacks))) {
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
  streaming.on_end = [state = state_](Status status) { state->end(std::move(status)); };
  state_->call = client.stream(std::move(request), std::move(streaming));
  state_->watch_progress();
}

Download::~Download() {
  state_->callbacks = {};
  state_->end({});
}

}  // namespace containerizer::fetcher
