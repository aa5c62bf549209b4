#include "kernel/containerizer/images/layer_job.hpp"

#include "base/log.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace containerizer::images {
namespace {

constexpr size_t kPauseAt = 8 << 20;
constexpr size_t kResumeAt = 2 << 20;
constexpr int kMaxBreaks = 4;  // in a row without a byte of progress between them
constexpr int kMaxBreaksInAll = 100;
constexpr base::Duration kBreakDelay = base::milliseconds(100);

/// "bytes 100-199/200" -> 100.
std::optional<uint64_t> range_start(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  const auto start = base::parse_uint(text.substr(6, text.find('-') - 6));
  return start ? std::optional(*start) : std::nullopt;
}

}  // namespace

LayerJob::LayerJob(base::Loop& loop, base::Pool& pool, std::shared_ptr<Store> store,
                   Options options)
    : loop_(loop), pool_(pool), store_(std::move(store)), options_(options) {}

void LayerJob::start(std::shared_ptr<Registry> registry, Descriptor layer, std::string diff_id,
                     std::function<void(Result<LayerRecord>)> done) {
  registry_ = std::move(registry);
  layer_ = std::move(layer);
  diff_id_ = std::move(diff_id);
  done_ = std::move(done);
  path_ = "/blobs/" + layer_.digest;
  struct Opened {
    std::string staging;
    std::shared_ptr<LayerWriter> writer;
  };
  busy_ = true;
  const LayerWanted wanted{layer_.digest, diff_id_, layer_.size};
  const bool taken = pool_.run_for(
      [self = shared_from_this(), wanted]() -> Result<Opened> {
        ASSIGN_OR_RETURN(std::string staging, self->store_->make_staging());
        ASSIGN_OR_RETURN(auto writer,
                         LayerWriter::open(staging + "/fs", wanted, self->options_.limits));
        return Opened{std::move(staging), std::move(writer)};
      },
      [self = shared_from_this()](Result<Opened> opened) {
        self->busy_ = false;
        if (!opened) return self->fail(opened.error());
        self->staging_ = std::move(opened->staging);
        self->writer_ = std::move(opened->writer);
        if (self->ended_) return self->clean_up();
        self->request();
      });
  if (!taken) {
    busy_ = false;
    loop_.post([self = shared_from_this()] {
      self->fail(base::unavailable("too much work waits on this agent"));
    });
  }
}

void LayerJob::request() {
  stream_over_ = false;
  skip_ = 0;
  base::http::StreamCallbacks callbacks;
  callbacks.on_head = [self = shared_from_this()](const base::http::Response& head) {
    self->on_head(head);
  };
  callbacks.on_data = [self = shared_from_this()](std::string_view data) { self->on_data(data); };
  callbacks.on_end = [self = shared_from_this()](Status status) {
    self->on_end(std::move(status));
  };
  registry_->stream(path_, received_, std::move(callbacks));
  watch();
}

void LayerJob::on_head(const base::http::Response& head) {
  if (ended_) return;
  const uint64_t start =
      head.status == 206
          ? range_start(head.headers.get_or("Content-Range", "")).value_or(UINT64_MAX)
          : 0;
  if (start > received_) {
    registry_->cancel_stream(path_);
    return fail(Error{base::Code::BadGateway,
                      "the registry sent another part of a layer than it was asked for"});
  }
  // An answer that is complete and yet of another length is no break but another content.
  if (const auto length = base::parse_uint(head.headers.get_or("Content-Length", ""));
      length && start + *length != layer_.size) {
    registry_->cancel_stream(path_);
    return fail(Error{base::Code::Corrupt,
                      "the registry has " + std::to_string(start + *length) + " bytes of layer " +
                          layer_.digest + ", its manifest says " + std::to_string(layer_.size)});
  }
  skip_ = received_ - start;
}

void LayerJob::on_data(std::string_view data) {
  if (ended_) return;
  if (skip_ > 0) {
    const size_t known = static_cast<size_t>(std::min<uint64_t>(skip_, data.size()));
    data.remove_prefix(known);
    skip_ -= known;
  }
  if (data.empty()) return;
  breaks_ = 0;
  received_ += data.size();
  if (received_ > layer_.size) {
    registry_->cancel_stream(path_);
    return fail(
        Error{base::Code::Corrupt, "layer " + layer_.digest + " is longer than the manifest says"});
  }
  pending_.append(data);
  if (pending_.size() > kPauseAt && !paused_) {
    paused_ = true;
    registry_->pause(path_, true);
  }
  pump();
}

void LayerJob::on_end(Status status) {
  if (ended_) return;
  stream_over_ = true;
  paused_ = false;
  loop_.cancel(std::exchange(timer_, 0));
  if (received_ == layer_.size) {
    all_here_ = true;
    return pump();
  }
  const Error error =
      status ? Error{base::Code::BadGateway, "the connection ended early"} : status.error();
  const bool transient = error.code == base::Code::BadGateway ||
                         error.code == base::Code::Timeout ||
                         (error.code == base::Code::Unavailable && received_ > 0);
  if (!transient || ++breaks_ > kMaxBreaks || ++breaks_in_all_ > kMaxBreaksInAll)
    return fail(error);
  LOG_INFO("layer {}: interrupted at {} of {} bytes ({}), going on from there", layer_.digest,
           received_, layer_.size, error.message);
  timer_ = loop_.after(kBreakDelay * (1 << std::min(breaks_, 6)), [self = shared_from_this()] {
    self->timer_ = 0;
    if (!self->ended_) self->request();
  });
}

/// A stream that brings nothing for a while is ended and taken up again.
void LayerJob::watch() {
  loop_.cancel(timer_);
  timer_ = loop_.after(options_.stall_timeout, [self = shared_from_this()] {
    self->timer_ = 0;
    if (self->ended_ || self->stream_over_) return;
    if (self->paused_ || self->received_ > self->seen_by_watch_) {
      self->seen_by_watch_ = self->received_;
      return self->watch();
    }
    self->registry_->cancel_stream(self->path_);
    self->on_end(
        Error{base::Code::Timeout,
              "nothing arrived for " + base::render_duration(self->options_.stall_timeout)});
  });
}

void LayerJob::pump() {
  if (busy_ || ended_ || writer_ == nullptr) return;
  if (pending_.empty()) {
    if (all_here_) complete();
    return;
  }
  busy_ = true;
  auto bytes = std::make_shared<std::string>(std::exchange(pending_, {}));
  const bool taken = pool_.run_for([writer = writer_, bytes] { return writer->write(*bytes); },
                                   [self = shared_from_this(), bytes](Status status) {
                                     self->busy_ = false;
                                     if (self->ended_) return self->clean_up();
                                     if (!status) return self->fail(status.error());
                                     if (self->paused_ && self->pending_.size() < kResumeAt) {
                                       self->paused_ = false;
                                       self->registry_->pause(self->path_, false);
                                     }
                                     self->pump();
                                   });
  if (!taken) {
    busy_ = false;
    fail(base::unavailable("too much work waits on this agent"));
  }
}

void LayerJob::complete() {
  busy_ = true;
  const double now = loop_.now().time.seconds();
  const bool taken = pool_.run_for(
      [self = shared_from_this(), now]() -> Result<LayerRecord> {
        ASSIGN_OR_RETURN(const UnpackCounts counts, self->writer_->finish());
        const LayerRecord record{self->diff_id_, counts.bytes, counts.entries, now};
        RETURN_IF_ERROR(self->store_->commit_layer(self->staging_, record));
        return record;
      },
      [self = shared_from_this()](Result<LayerRecord> record) {
        self->busy_ = false;
        if (!record && !self->ended_) return self->fail(record.error());
        if (self->ended_) return self->clean_up();
        self->ended_ = true;
        self->writer_.reset();
        if (auto done = std::exchange(self->done_, nullptr)) done(std::move(record));
      });
  if (!taken) {
    busy_ = false;
    fail(base::unavailable("too much work waits on this agent"));
  }
}

void LayerJob::fail(Error error) {
  if (ended_) return;
  auto done = std::exchange(done_, nullptr);
  cancel();
  if (done) done(std::move(error));
}

void LayerJob::cancel() {
  ended_ = true;
  done_ = nullptr;
  loop_.cancel(std::exchange(timer_, 0));
  if (registry_ && !stream_over_) registry_->cancel_stream(path_);
  stream_over_ = true;
  if (!busy_) clean_up();
}

void LayerJob::clean_up() {
  writer_.reset();
  if (staging_.empty()) return;
  (void)pool_.run(
      [self = shared_from_this(), staging = std::exchange(staging_, {})] {
        (void)self->store_->discard_staging(staging);
        (void)self->store_->empty_trash();
      },
      [] {});
}

}  // namespace containerizer::images
