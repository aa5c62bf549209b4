#include "kernel/storage/service.hpp"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/wire_format_lite.h>
#include <unistd.h>

#include <deque>

#include "base/crypto.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"

namespace storage {
namespace {

constexpr size_t kMostOfAnAddress = 107;  // of a unix socket
constexpr int kRefusedHere = -1;          // no code of gRPC's: asking again does not help

/// An entry of a map of strings as a message has it.
std::string encode_entry(int field, const std::string& key, const std::string& value) {
  using google::protobuf::internal::WireFormatLite;
  std::string entry, out;
  {
    google::protobuf::io::StringOutputStream stream(&entry);
    google::protobuf::io::CodedOutputStream coded(&stream);
    WireFormatLite::WriteString(1, key, &coded);
    WireFormatLite::WriteString(2, value, &coded);
  }
  {
    google::protobuf::io::StringOutputStream stream(&out);
    google::protobuf::io::CodedOutputStream coded(&stream);
    WireFormatLite::WriteBytes(field, entry, &coded);
  }
  return out;
}

}  // namespace

struct Service::Running : std::enable_shared_from_this<Service::Running> {
  explicit Running(Settings settings) : core(std::move(settings)) {}

  Provider core;
  std::map<Part, std::shared_ptr<Plugin>> plugins;
  std::map<int, std::string> sockets;                      // of its containers
  std::map<std::string, base::Loop::TimerId> timers;
  std::map<uint64_t, std::function<void(const Published&)>> waiting;  // for volumes, by ticket
  std::deque<Event> events;
  bool busy = false;
  bool stopped = false;

  const std::string& id() const { return core.info().id().value(); }
};

Service::Service(base::Loop& loop, base::Pool& pool, base::Store& store, Options options, Callbacks callbacks)
    : loop_(loop), pool_(pool), store_(store), options_(std::move(options)), callbacks_(std::move(callbacks)) {}

Service::~Service() {
  for (auto& [id, provider] : providers_) {
    provider->stopped = true;
    for (const auto& [name, timer] : provider->timers) loop_.cancel(timer);
  }
}

size_t Service::connected() const {
  size_t count = 0;
  for (const auto& [id, provider] : providers_) count += provider->core.connected() ? 1 : 0;
  return count;
}

void Service::set_profiles(Profiles profiles) {
  profiles_ = std::move(profiles);
  for (const auto& [id, provider] : std::map(providers_))
    tell(*provider, ProfilesChanged{profiles_for(profiles_, provider->core.info())});
}

base::Status Service::run(const mesos::v1::ResourceProviderInfo& info) {
  if (providers_.contains(info.id().value())) stop(info.id().value(), false);
  ASSIGN_OR_RETURN(const auto entries, store_.scan(volume_prefix(info.id().value())));
  Started started;
  for (const auto& entry : entries) {
    dcos::storage::v1::VolumeRecord record;
    if (record.ParseFromString(entry.value) && !record.id().empty())
      started.volumes.push_back(std::move(record));
    else
      LOG_ERROR("A record of a volume of provider {} does not decode and was left out: {}", info.name(), entry.key);
  }
  started.profiles = profiles_for(profiles_, info);
  auto provider = std::make_shared<Running>(Settings{info, options_.work_dir, options_.boot_id, options_.kind + " " + info.name()});
  const auto reaches = [&](int service, const std::string& socket) {
    const Part part = service == mesos::v1::CSIPluginContainerInfo::CONTROLLER_SERVICE ? Part::Controller : Part::Node;
    provider->plugins[part] = std::make_shared<Plugin>(loop_, socket);
  };
  const auto& plugin = info.storage().plugin();
  for (const auto& endpoint : plugin.endpoints()) reaches(endpoint.csi_service(), endpoint.endpoint());
  for (int i = 0; i < plugin.containers_size(); ++i) {
    const std::string name = base::sha256_hex(info.id().value() + "/" + std::to_string(i)).substr(0, 16);
    const std::string socket = options_.socket_dir + "/" + name + ".sock";
    if (socket.size() > kMostOfAnAddress)
      return base::invalid("the path " + socket + " is too long for a socket: --runtime_dir must be shorter");
    provider->sockets[i] = socket;
    for (const int service : plugin.containers(i).services()) reaches(service, socket);
  }
  RETURN_IF_ERROR(base::make_directories(options_.socket_dir, 0700));
  providers_[info.id().value()] = provider;
  tell(*provider, std::move(started));
  return {};
}

void Service::stop(const std::string& id, bool forget) {
  const auto found = providers_.find(id);
  if (found == providers_.end()) return;
  const std::shared_ptr<Running> provider = found->second;
  providers_.erase(found);
  provider->stopped = true;
  for (const auto& [name, timer] : provider->timers) loop_.cancel(timer);
  if (!provider->sockets.empty()) callbacks_.end(id);
  for (const auto& [ticket, done] : std::exchange(provider->waiting, {}))
    done(Published{ticket, base::unavailable(options_.kind + " " + provider->core.info().name() + " was stopped")});
  provider->plugins.clear();
  if (!forget) return;
  base::StoreBatch batch;
  if (const auto entries = store_.scan(volume_prefix(id)))
    for (const auto& entry : *entries) batch.erase(entry.key);
  if (!batch.empty()) store_.commit(std::move(batch), [](const base::Status&) {});
}

void Service::change(const std::string& id, ChangeDisk change) {
  if (const auto found = providers_.find(id); found != providers_.end()) tell(*found->second, std::move(change));
}

void Service::publish(const std::vector<DiskName>& disks, std::function<void(base::Status)> done) {
  struct Rest {
    size_t open;
    std::function<void(base::Status)> done;
  };
  auto rest = std::make_shared<Rest>(Rest{disks.size(), std::move(done)});
  const auto one = [rest](const base::Status& status) {
    if (!rest->done || (status && --rest->open > 0)) return;
    std::exchange(rest->done, nullptr)(status);
  };
  if (disks.empty()) return std::exchange(rest->done, nullptr)({});
  for (const DiskName& disk : disks) {
    const auto found = providers_.find(disk.provider);
    if (found == providers_.end()) {
      one(base::not_found("the provider of volume " + disk.volume + " does not run on this agent"));
      continue;
    }
    const uint64_t ticket = next_ticket_++;
    found->second->waiting[ticket] = [one](const Published& published) { one(published.status); };
    tell(*found->second, PublishVolume{ticket, disk.volume});
  }
}

void Service::claim(const std::string& id, const std::string& holder, dcos::storage::v1::VolumeRecord volume,
                    std::function<void(base::Result<Claimed>)> done) {
  const auto found = providers_.find(id);
  if (found == providers_.end()) return done(base::not_found("the plugin of volume " + volume.id() + " does not run on this agent"));
  const uint64_t ticket = next_ticket_++;
  found->second->waiting[ticket] = [done = std::move(done)](const Published& published) {
    if (!published.status) return done(published.status.error());
    done(Claimed{published.path, published.in_use});
  };
  tell(*found->second, ClaimVolume{ticket, holder, std::move(volume)});
}

void Service::release(const std::string& holder) {
  for (const auto& [id, provider] : std::map(providers_)) tell(*provider, ReleaseVolumes{holder});
}

void Service::tell_holders(const std::string& id, std::map<std::string, std::set<std::string>> holders) {
  if (const auto found = providers_.find(id); found != providers_.end()) tell(*found->second, HoldersKnown{std::move(holders)});
}

void Service::tell(Running& provider, Event event) {
  const auto keep = provider.shared_from_this();  // what it asks for may stop it
  provider.events.push_back(std::move(event));
  if (provider.busy) return;
  provider.busy = true;
  while (!provider.events.empty() && !provider.stopped) {
    Event next = std::move(provider.events.front());
    provider.events.pop_front();
    Effects effects;
    provider.core.on(std::move(next), loop_.now(), effects);
    for (Effect& effect : effects)
      if (!provider.stopped) std::visit([&](auto& each) { perform(provider, each); }, effect);
  }
  provider.busy = false;
}

void Service::perform(Running& provider, RunPlugin& effect) {
  const std::weak_ptr<Running> weak = provider.weak_from_this();
  const auto event = [this, weak](auto what) {
    if (const auto still = weak.lock(); still && !still->stopped) tell(*still, std::move(what));
  };
  const std::string& socket = provider.sockets.at(effect.index);
  callbacks_.run(provider.id(), effect.index, provider.core.info().storage().plugin().containers(effect.index), socket,
                 [event, index = effect.index] { event(PluginRuns{index}); },
                 [event, index = effect.index](std::string why) { event(PluginEnded{index, std::move(why)}); });
}

void Service::perform(Running& provider, Call& effect) {
  const std::weak_ptr<Running> weak = provider.weak_from_this();
  for (const std::string& directory : effect.directories) {
    if (const base::Status made = base::make_directories(directory, 0700); !made) {
      const Answer answer{kUnavailable, "the agent cannot make a directory for it: " + made.error().message, ""};
      return loop_.post([this, weak, id = effect.id, answer] {
        if (const auto still = weak.lock(); still && !still->stopped) tell(*still, Answered{id, answer});
      });
    }
  }
  if (effect.secrets.secrets.empty()) return make_call(provider, effect);
  const auto work = [resolve = options_.resolve, secrets = effect.secrets]() -> base::Result<std::string> {
    std::string encoded;
    for (const auto& [key, secret] : secrets.secrets) {
      auto value = resolve ? resolve(secret) : base::Result<std::string>(base::unsupported("this agent resolves no secrets"));
      if (!value) return value.error().with_context("secret '" + base::valid_utf8(key) + "'");
      encoded += encode_entry(secrets.field, key, *value);
    }
    return encoded;
  };
  auto done = [this, weak, effect](base::Result<std::string> encoded) mutable {
    const auto still = weak.lock();
    if (!still || still->stopped) return;
    if (!encoded) return tell(*still, Answered{effect.id, {kRefusedHere, encoded.error().message, ""}});
    effect.body += *encoded;  // fields may come in any order
    make_call(*still, effect);
  };
  if (!pool_.run_for(work, done))
    loop_.post([done]() mutable { done(base::unavailable("too much work waits on this agent")); });
}

void Service::make_call(Running& provider, Call& effect) {
  const std::weak_ptr<Running> weak = provider.weak_from_this();
  provider.plugins.at(effect.part)->call(effect.method, effect.body, effect.timeout, [this, weak, id = effect.id](Answer answer) {
    if (const auto still = weak.lock(); still && !still->stopped) tell(*still, Answered{id, std::move(answer)});
  });
}

void Service::perform(Running&, RemoveDirectories& effect) {
  for (const std::string& path : effect.paths) (void)rmdir(path.c_str());
}

void Service::perform(Running& provider, Persist& effect) {
  const std::weak_ptr<Running> weak = provider.weak_from_this();
  store_.commit(std::move(effect.batch), [this, weak, ticket = effect.ticket](base::Status status) {
    if (const auto still = weak.lock(); still && !still->stopped) tell(*still, Persisted{ticket, std::move(status)});
  });
}

void Service::perform(Running& provider, SetTimer& effect) {
  auto& timer = provider.timers[effect.timer];
  if (timer != 0) loop_.cancel(timer);
  const std::weak_ptr<Running> weak = provider.weak_from_this();
  timer = loop_.at(effect.at, [this, weak, name = effect.timer] {
    const auto still = weak.lock();
    if (!still || still->stopped) return;
    still->timers.erase(name);
    tell(*still, TimerFired{name});
  });
}

void Service::perform(Running& provider, Surveyed& effect) { callbacks_.surveyed(provider.id(), std::move(effect.survey)); }

void Service::perform(Running&, DiskChanged& effect) { callbacks_.changed(effect.id, std::move(effect.disk)); }

void Service::perform(Running& provider, Published& effect) {
  const auto found = provider.waiting.find(effect.ticket);
  if (found == provider.waiting.end()) return;
  const auto done = std::move(found->second);
  provider.waiting.erase(found);
  done(effect);
}

void Service::perform(Running&, Trace& effect) {
  if (effect.warning)
    LOG_WARNING("{}", effect.text);
  else
    LOG_INFO("{}", effect.text);
}

}  // namespace storage
