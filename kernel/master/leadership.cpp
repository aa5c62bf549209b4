#include "kernel/master/leadership.hpp"

#include "base/log.hpp"
#include "base/testing/planted.hpp"
#include "kernel/api/master_info.hpp"

namespace master {

namespace {

base::zk::Elector::Options election(const Leadership::Options& options, const mesos::v1::MasterInfo& self) {
  base::zk::Elector::Options out;
  out.path = options.url.path;
  out.label = std::string(api::kMasterLabel);
  out.data = api::render_master_info(self);
  out.election.contend = true;
  out.election.session_timeout = options.session_timeout;
  return out;
}

}  // namespace

std::optional<std::string> region_conflict(const mesos::v1::MasterInfo& self, const mesos::v1::MasterInfo& leader) {
  if (!self.domain().has_fault_domain() || !leader.domain().has_fault_domain()) return std::nullopt;
  const std::string& own = self.domain().fault_domain().region().name();
  const std::string& other = leader.domain().fault_domain().region().name();
  if (own == other) return std::nullopt;
  return "this master is in region '" + own + "' and the leading one in '" + other + "': all masters must be in one region (--domain)";
}

Leadership::Leadership(base::zk::Host host, Options options, const mesos::v1::MasterInfo& self, Callbacks callbacks)
    : host_(std::move(host)),
      options_(std::move(options)),
      self_(self),
      callbacks_(std::move(callbacks)),
      elector_(host_, election(options_, self),
               {.on_elected = [this] { open_registry(); },
                .on_deposed = [this](const std::string& why) { lose(why); },
                .on_leader =
                    [this](const std::optional<base::zk::Leader>& leader) {
                      leader_.reset();
                      if (!leader) return LOG_INFO("no master leads");
                      auto info = api::parse_master_info(leader->label, leader->data);
                      if (!info) return LOG_ERROR("the leading master cannot be made out: {}", info.error().message);
                      LOG_INFO("{} leads, by node {}{}", api::master_name(*info), leader->name,
                               leader->mine ? ": this master" : "");
                      leader_ = std::move(*info);
                      if (auto why = region_conflict(self_, *leader_)) lose(*why);
                    },
                .on_note =
                    [](bool trouble, const std::string& text) {
                      if (trouble) return LOG_WARNING("election: {}", text);
                      LOG_INFO("election: {}", text);
                    }}) {}

Leadership::~Leadership() {
  if (fetch_timer_ != 0) host_.cancel(fetch_timer_);
}

bool Leadership::may_act() const { return elector_.may_act() || base::planted("master/acts-after-its-lease"); }

void Leadership::start() {
  if (!options_.in_memory) {
    make_registry();
    registry_->follow();
  }
  elector_.start();
}

void Leadership::make_registry() {
  base::ZooKeeperStore::Options options;
  options.path = options_.url.path + "/registry";
  options.writer = self_.id();
  options.session_timeout = options_.session_timeout;
  base::ZooKeeperStore::Callbacks callbacks;
  callbacks.on_fenced = [this](const std::string& why) { lose(why); };
  callbacks.on_trouble = [](const std::string& text) { LOG_WARNING("registry: {}", text); };
  registry_ = std::make_unique<base::ZooKeeperStore>(host_, std::move(options), std::move(callbacks));
}

void Leadership::open_registry() {
  LOG_INFO("elected");
  if (options_.in_memory) return callbacks_.on_leading(nullptr);
  fetch_timer_ = host_.after(options_.fetch_timeout, [this] {
    fetch_timer_ = 0;
    lose("the registry could not be read within --registry_fetch_timeout");
  });
  registry_->open([this](const base::Status& opened) {
    if (fetch_timer_ != 0) host_.cancel(fetch_timer_);
    fetch_timer_ = 0;
    if (lost_) return;  // too late
    if (!opened) return lose("the registry cannot be opened: " + opened.error().message);
    callbacks_.on_leading(std::move(registry_));
  });
}

void Leadership::lose(const std::string& why) {
  if (lost_) return;
  lost_ = true;
  callbacks_.on_lost(why);
}

}  // namespace master
