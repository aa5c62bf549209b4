#include "base/zk/elector.hpp"

#include "base/strings.hpp"
#include "base/zk/paths.hpp"

namespace base::zk {

struct Elector::Impl : std::enable_shared_from_this<Elector::Impl> {
  Impl(Host h, Options o, Callbacks c)
      : host(std::move(h)), options(std::move(o)), callbacks(std::move(c)), machine(options.election) {}

  void tell(ElectionEvent event) {
    ElectionEffects out;
    machine.on(std::move(event), host.now(), out);
    perform(out);
  }

  void perform(ElectionEffects& effects) {
    const auto self = shared_from_this();  // a callback may end us
    for (ElectionEffect& effect : effects) {
      if (stopped) return;
      std::visit([this](auto& e) { perform(e); }, effect);
    }
  }

  /// A callback for the present session; silent when there is another or none.
  template <class Function>
  auto now_or_never(Function function) {
    return [weak = weak_from_this(), number = session_number, function](auto... arguments) {
      const auto self = weak.lock();
      if (self && !self->stopped && self->session_number == number) function(*self, std::move(arguments)...);
    };
  }

  void perform(OpenSession&) {
    client.reset();
    ++session_number;
    ClientOptions wanted;
    wanted.session_timeout = options.election.session_timeout;
    wanted.access = Access::EveryoneReads;
    client = host.connect(wanted, now_or_never([](Impl& self, SessionState state) {
                            if (!self.client) return;
                            self.tell(SessionChanged{state, self.client->session(), self.client->session_timeout()});
                          }));
  }

  void perform(CloseSession&) {
    ++session_number;
    client.reset();
  }

  void perform(MakePath&) {
    make_path(*client, options.path, now_or_never([](Impl& self, Rc rc) { self.tell(PathMade{rc}); }));
  }

  void perform(Join&) {
    client->create(options.path + "/" + options.label + "_", options.data, CreateMode::EphemeralSequential,
                   now_or_never([](Impl& self, Rc rc, std::string name) { self.tell(Joined{rc, std::move(name)}); }));
  }

  void perform(List&) {
    client->children(options.path, now_or_never([](Impl& self) { self.tell(MembersChanged{}); }),
                     now_or_never([](Impl& self, Rc rc, std::vector<std::string> names) {
                       self.tell(Listed{rc, std::move(names)});
                     }));
  }

  void perform(ReadMember& effect) {
    client->get(options.path + "/" + effect.name,
                now_or_never([name = effect.name, sent = host.now()](Impl& self, Rc rc, std::string data, Stat stat) {
                  self.tell(MemberRead{rc, name, std::move(data), stat.ephemeral_owner, sent});
                }));
  }

  void perform(WakeAt& effect) {
    if (timer != 0) host.cancel(timer);
    const Instant now = host.now();
    const Duration delay = effect.at > now ? effect.at - now : Duration(0);
    timer = host.after(delay, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self || self->stopped) return;
      self->timer = 0;
      self->tell(Woke{});
    });
  }

  void perform(Elected&) {
    if (callbacks.on_elected) callbacks.on_elected();
  }
  void perform(Deposed& effect) {
    if (callbacks.on_deposed) callbacks.on_deposed(effect.why);
  }
  void perform(LeaderChanged& effect) {
    if (callbacks.on_leader) callbacks.on_leader(effect.leader);
  }
  void perform(ElectionNote& effect) {
    if (callbacks.on_note) callbacks.on_note(effect.trouble, effect.text);
  }

  Host host;
  Options options;
  Callbacks callbacks;
  Election machine;
  std::unique_ptr<Client> client;
  uint64_t session_number = 0;
  uint64_t timer = 0;
  bool stopped = false;
};

Elector::Elector(Host host, Options options, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(std::move(host), std::move(options), std::move(callbacks))) {}

Elector::~Elector() {
  impl_->stopped = true;
  if (impl_->timer != 0) impl_->host.cancel(impl_->timer);
  impl_->client.reset();
}

void Elector::start() {
  ElectionEffects out;
  impl_->machine.start(impl_->host.now(), out);
  impl_->perform(out);
}

bool Elector::may_act() const {
  return impl_->machine.leading() && impl_->host.now() < impl_->machine.lease_until();
}

const std::optional<Leader>& Elector::leader() const { return impl_->machine.leader(); }

}  // namespace base::zk
