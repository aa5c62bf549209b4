#include "kernel/agent/profile_watch.hpp"

#include "base/file.hpp"
#include "base/log.hpp"

namespace agent {
namespace {

constexpr uint64_t kMaxBytes = 1 << 20;
constexpr int kMaxRedirects = 5;

}  // namespace

ProfileWatch::ProfileWatch(base::Loop& loop, base::Pool& pool, ProfileSource source, std::string kept, Changed changed)
    : loop_(loop), pool_(pool), source_(std::move(source)), kept_(std::move(kept)), changed_(std::move(changed)), client_(loop) {}

ProfileWatch::~ProfileWatch() {
  *alive_ = false;
  loop_.cancel(timer_);
  loop_.cancel(wait_timer_);
}

base::Status ProfileWatch::start() {
  if (source_.place.empty()) {
    known_ = true;
    return {};
  }
  timer_ = loop_.every(source_.poll_interval, [this] { poll(); });
  if (!source_.remote()) {
    auto text = base::read_file(source_.place, kMaxBytes);
    if (!text) return text.error().with_context("--disk_profile_adaptor");
    return take(*text);
  }
  if (const auto before = base::read_file(kept_, kMaxBytes))
    if (base::Status taken = take(*before); !taken) LOG_WARNING("{}: {}", kept_, taken.error().message);
  poll();
  return {};
}

base::Status ProfileWatch::take(const std::string& text) {
  auto profiles = storage::parse_profiles(text);
  if (!profiles) return profiles.error().with_context(source_.place);
  text_ = text;
  known_ = true;
  LOG_INFO("{}: {} disk profiles", source_.place, profiles->size());
  changed_(std::move(*profiles));
  return {};
}

void ProfileWatch::poll() {
  if (std::exchange(asking_, true)) return;
  const auto done = [this, alive = alive_](base::Result<std::string> text) {
    if (!*alive) return;
    asking_ = false;
    heard(std::move(text));
  };
  if (!source_.remote()) {
    if (!pool_.run_for([file = source_.place] { return base::read_file(file, kMaxBytes); }, done)) asking_ = false;
    return;
  }
  base::http::ClientRequest request;
  auto url = base::http::Url::parse(source_.place);
  if (!url) return done(url.error());
  request.url = std::move(*url);
  request.max_redirects = kMaxRedirects;
  request.max_body_bytes = kMaxBytes;
  client_.request(std::move(request), [done](base::Result<base::http::Response> answer) {
    if (!answer) return done(answer.error());
    if (answer->status != 200)
      return done(base::Error{base::Code::BadGateway, "the server answered " + std::to_string(answer->status)});
    done(std::move(answer->body));
  });
}

void ProfileWatch::heard(base::Result<std::string> text) {
  if (text && *text == (pending_.empty() ? text_ : pending_)) {
    complained_ = false;
    return;
  }
  const auto complain = [this](const std::string& why) {
    if (!std::exchange(complained_, true)) LOG_WARNING("{} cannot be used, the disk profiles stay as they are: {}", source_.place, why);
  };
  if (!text) return complain(text.error().message);
  if (const auto good = storage::parse_profiles(*text); !good) return complain(good.error().message);
  complained_ = false;
  // Agents that see a change at the same time do not ask their plugins all at once.
  const base::Duration wait = known_ ? random_.jitter(source_.max_random_wait) : base::Duration{0};
  loop_.cancel(wait_timer_);
  pending_ = std::move(*text);
  wait_timer_ = loop_.after(wait, [this] {
    const std::string fresh = std::exchange(pending_, "");
    if (base::Status taken = take(fresh); !taken) return;
    if (source_.remote())
      if (base::Status kept = base::write_file_atomic(kept_, fresh, 0600); !kept) LOG_WARNING("{}", kept.error().message);
  });
}

}  // namespace agent
