#include "base/ha/candidacy.hpp"

namespace base::ha {

namespace {

constexpr const char* kLabel = "member";

zk::Elector::Options election(const Candidacy::Options& options) {
  zk::Elector::Options out;
  out.path = options.url.path + "/election";
  out.label = kLabel;
  out.data = options.address;
  out.election.contend = true;
  out.election.labels = {kLabel};
  out.election.session_timeout = options.session_timeout;
  return out;
}

}  // namespace

Candidacy::Candidacy(zk::Host host, Options options, Callbacks callbacks)
    : host_(std::move(host)),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      elector_(host_, election(options_),
               {.on_elected = [this] { open_store(); },
                .on_deposed = [this](const std::string& why) { lose(why); },
                .on_leader =
                    [this](const std::optional<zk::Leader>& leader) {
                      note(false, !leader        ? "nobody leads"
                                  : leader->mine ? "this process leads, by node " + leader->name
                                                 : leader->data + " leads, by node " + leader->name);
                      if (callbacks_.on_leader) callbacks_.on_leader();
                    },
                .on_note = [this](bool trouble, const std::string& text) { note(trouble, text); }}) {}

Candidacy::~Candidacy() {
  if (open_timer_ != 0) host_.cancel(open_timer_);
}

void Candidacy::start() {
  make_store();
  store_->follow();
  elector_.start();
}

std::optional<std::string> Candidacy::leader_elsewhere() const {
  const auto& leader = elector_.leader();
  if (!leader || leader->mine) return std::nullopt;
  return leader->data;
}

void Candidacy::make_store() {
  ZooKeeperStore::Options options;
  options.path = options_.url.path + "/store";
  options.writer = options_.writer;
  options.session_timeout = options_.session_timeout;
  ZooKeeperStore::Callbacks callbacks;
  callbacks.on_fenced = [this](const std::string& why) { lose(why); };
  callbacks.on_trouble = [this](const std::string& text) { note(true, "store: " + text); };
  store_ = std::make_unique<ZooKeeperStore>(host_, std::move(options), std::move(callbacks));
}

void Candidacy::open_store() {
  open_timer_ = host_.after(options_.open_timeout, [this] {
    open_timer_ = 0;
    lose("the store could not be read in time");
  });
  store_->open([this](const Status& opened) {
    if (open_timer_ != 0) host_.cancel(open_timer_);
    open_timer_ = 0;
    if (lost_) return;
    if (!opened) return lose("the store cannot be opened: " + opened.error().message);
    leading_ = true;
    callbacks_.on_leading(std::move(store_));
  });
}

void Candidacy::lose(const std::string& why) {
  if (lost_) return;
  lost_ = true;
  callbacks_.on_lost(why);
}

void Candidacy::note(bool trouble, const std::string& text) const {
  if (callbacks_.on_note) callbacks_.on_note(trouble, text);
}

}  // namespace base::ha
