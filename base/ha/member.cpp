#include "base/ha/member.hpp"

#include "base/log.hpp"
#include "base/random.hpp"
#include "base/zk/real.hpp"

namespace base::ha {

namespace {

LeaderProxy::Options proxy_options(const Member::Options& options) {
  LeaderProxy::Options out = options.proxy;
  out.self = options.self;
  return out;
}

}  // namespace

Member::Member(Loop& loop, Options options, Callbacks callbacks)
    : proxy_(loop, proxy_options(options),
             {.leading = [this] { return leading(); },
              .elsewhere = [this] { return candidacy_->leader_elsewhere(); },
              .serve = std::move(callbacks.serve),
              .refuse = std::move(callbacks.refuse)}) {
  Candidacy::Options contest;
  contest.url = options.url;
  contest.address = options.scheme + "://" + options.self;
  contest.writer = options.self + " " + Random::from_os().uuid();
  contest.session_timeout = options.session_timeout;
  Candidacy::Callbacks news;
  news.on_leading = std::move(callbacks.on_leading);
  news.on_lost = std::move(callbacks.on_lost);
  news.on_leader = [this] { proxy_.leader_changed(); };
  news.on_note = [](bool trouble, const std::string& text) {
    if (trouble) return LOG_WARNING("election: {}", text);
    LOG_INFO("election: {}", text);
  };
  candidacy_ = std::make_unique<Candidacy>(zk::real_host(loop, options.url), std::move(contest), std::move(news));
  LOG_INFO("contending at {}", options.url.redacted());
}

Member::~Member() = default;

void Member::serving() {
  serving_ = true;
  proxy_.leader_changed();
}

}  // namespace base::ha
