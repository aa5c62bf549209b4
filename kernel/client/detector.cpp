#include "kernel/client/detector.hpp"

#include "base/log.hpp"
#include "base/zk/elector.hpp"
#include "base/zk/real.hpp"
#include "kernel/api/master_info.hpp"

namespace client {

namespace {

base::zk::Elector::Options watching(const std::string& path, base::Duration session_timeout) {
  base::zk::Elector::Options options;
  options.path = path;
  options.election.session_timeout = session_timeout;
  return options;
}

}  // namespace

struct Detector::Impl {
  Impl(base::Loop& loop, const base::zk::Url& url, OnLeader on_leader, base::Duration session_timeout)
      : elector(base::zk::real_host(loop, url), watching(url.path, session_timeout),
                {.on_leader =
                     [tell = std::move(on_leader)](const std::optional<base::zk::Leader>& leader) {
                       if (!leader) return tell(std::nullopt);
                       const auto info = api::parse_master_info(leader->label, leader->data);
                       if (info) return tell(api::master_address(*info));
                       LOG_ERROR("{}", info.error().message);
                       tell(std::nullopt);
                     },
                 .on_note = [](bool, const std::string& text) { LOG_INFO("ZooKeeper: {}", text); }}) {}

  base::zk::Elector elector;
};

Detector::Detector(base::Loop& loop, base::zk::Url url, OnLeader on_leader, base::Duration session_timeout)
    : impl_(std::make_unique<Impl>(loop, url, std::move(on_leader), session_timeout)) {}

Detector::~Detector() = default;

void Detector::start() { impl_->elector.start(); }

}  // namespace client
