#include "kernel/agent/providers.hpp"

#include <unistd.h>

#include "base/file.hpp"
#include "base/json/proto.hpp"
#include "base/log.hpp"
#include "kernel/api/names.hpp"

namespace agent {
namespace {

using mesos::v1::ResourceProviderInfo;
using Call = mesos::v1::agent::Call;

constexpr uint64_t kMaxFile = 1 << 20;
constexpr int kLaunched = 202;  // 200 is one that this call launched

Call container_call(Call::Type type) {
  Call call;
  call.set_type(type);
  return call;
}

}  // namespace

Providers::Providers(base::Loop& loop, base::Pool& pool, base::Store& store, Shell& shell, ProviderOptions options)
    : loop_(loop),
      pool_(pool),
      shell_(shell),
      options_(std::move(options)),
      service_(loop, store, {options_.work_dir, options_.runtime_dir + "/csi", options_.boot_id},
               {.surveyed = [this](const auto& provider, auto survey) { shell_.tell(ProviderSurveyed{provider, std::move(survey)}); },
                .changed = [this](const auto& id, auto disk) { shell_.tell(DiskChanged{id, std::move(disk)}); },
                .run = [this](const auto& provider, int index, const auto& info, const auto& socket, auto runs, auto ended) {
                  run_plugin(provider, index, info, socket, runs, ended);
                },
                .end = [this](const std::string& provider) { end_plugin(provider); }}) {}

Providers::~Providers() {
  *alive_ = false;
  loop_.cancel(poll_timer_);
}

base::Result<std::unique_ptr<Providers>> Providers::open(base::Loop& loop, base::Pool& pool, base::Store& store, Shell& shell,
                                                         ProviderOptions options) {
  std::unique_ptr<Providers> out(new Providers(loop, pool, store, shell, std::move(options)));
  RETURN_IF_ERROR(out->load());
  return out;
}

base::Status Providers::load() {
  if (!options_.profiles.file.empty()) {
    auto text = base::read_file(options_.profiles.file, kMaxFile);
    if (!text) return text.error().with_context("--disk_profile_adaptor");
    auto profiles = storage::parse_profiles(*text);
    if (!profiles) return profiles.error().with_context(options_.profiles.file);
    profiles_text_ = std::move(*text);
    service_.set_profiles(std::move(*profiles));
    poll_timer_ = loop_.every(options_.profiles.poll_interval, [this] { poll_profiles(); });
  }
  if (options_.directory.empty()) return {};
  auto names = base::list_directory(options_.directory);
  if (!names) return names.error().with_context("--resource_provider_config_dir");
  for (const auto& name : *names) {
    if (!name.ends_with(".json")) continue;
    const std::string file = options_.directory + "/" + name;
    ResourceProviderInfo info;
    ASSIGN_OR_RETURN(const std::string text, base::read_file(file, kMaxFile));
    base::Status read = base::json::proto_from_json(text, info, ::api::v1_dialect());
    if (read) read = storage::validate(info);
    if (!read) return read.error().with_context(file);
    const auto [at, fresh] = descriptions_.emplace(Key(info.type(), info.name()), Description{info, file});
    if (!fresh) return base::conflict(file + " and " + at->second.file + " describe the same resource provider " + info.name());
  }
  return {};
}

void Providers::start() {
  for (const auto& [key, description] : descriptions_) shell_.tell(ProviderConfigured{description.info});
}

base::Status Providers::write(const ResourceProviderInfo& info, const std::string& file) {
  return base::write_file_atomic(file, base::json::proto_to_json(info, ::api::v1_dialect()) + "\n", 0600);
}

base::Status Providers::add(const ResourceProviderInfo& info) {
  if (options_.directory.empty()) return base::unsupported("this agent has no --resource_provider_config_dir");
  RETURN_IF_ERROR(storage::validate(info));
  const Key key(info.type(), info.name());
  if (descriptions_.contains(key)) return base::conflict("there is a resource provider of that type and name");
  const std::string file = options_.directory + "/" + info.type() + "." + info.name() + ".json";
  RETURN_IF_ERROR(write(info, file));
  descriptions_[key] = {info, file};
  shell_.tell(ProviderConfigured{info});
  return {};
}

base::Status Providers::update(const ResourceProviderInfo& info) {
  RETURN_IF_ERROR(storage::validate(info));
  const auto found = descriptions_.find({info.type(), info.name()});
  if (found == descriptions_.end()) return base::not_found("there is no resource provider of that type and name");
  const auto &before = found->second.info.storage().plugin(), &after = info.storage().plugin();
  if (before.type() != after.type() || before.name() != after.name())
    return base::invalid("type and name of 'storage.plugin' cannot change: the provider's volumes lie below them");
  if (found->second.info.SerializeAsString() == info.SerializeAsString()) return {};
  RETURN_IF_ERROR(write(info, found->second.file));
  found->second.info = info;
  shell_.tell(ProviderConfigured{info});
  return {};
}

base::Status Providers::remove(const std::string& type, const std::string& name) {
  const auto found = descriptions_.find({type, name});
  if (found == descriptions_.end()) return {};  // as wanted
  if (unlink(found->second.file.c_str()) != 0 && errno != ENOENT)
    return base::errno_error("cannot remove " + found->second.file, errno);
  descriptions_.erase(found);
  shell_.tell(ProviderRemoved{type, name});
  return {};
}

void Providers::run(const ResourceProviderInfo& info) {
  const base::Status done = service_.run(info);
  if (!done) LOG_ERROR("Resource provider {} does not run: {}", info.name(), done.error().message);
}

void Providers::poll_profiles() {
  (void)pool_.run_for([file = options_.profiles.file] { return base::read_file(file, kMaxFile); },
                      [this, alive = alive_](base::Result<std::string> text) {
                        if (!*alive) return;
                        if (text && *text == profiles_text_) return;
                        auto profiles = text ? storage::parse_profiles(*text) : base::Result<storage::Profiles>(text.error());
                        if (!profiles)
                          return LOG_WARNING("{} cannot be read, the disk profiles stay as they are: {}", options_.profiles.file,
                                             profiles.error().message);
                        profiles_text_ = std::move(*text);
                        LOG_INFO("{} has changed: {} disk profiles", options_.profiles.file, profiles->size());
                        service_.set_profiles(std::move(*profiles));
                      });
}

// Plugins ----------------------------------------------------------------------------------------------------------

void Providers::run_plugin(const std::string& provider, int index, const mesos::v1::CSIPluginContainerInfo& info,
                           const std::string& socket, const std::function<void()>& runs, const std::function<void(std::string)>& ended) {
  const std::string prefix = plugin_prefix(provider) + std::to_string(index) + "-";
  std::vector<std::string> over;
  for (const auto& [id, container] : shell_.core().state().api_containers) {
    if (!id.starts_with(prefix)) continue;
    if (container.stage != ApiContainer::Stage::Ended) {  // from before the agent was started
      await_plugin(id, ended);
      return runs();
    }
    over.push_back(id);
  }
  for (const auto& id : over) {
    Call call = container_call(Call::REMOVE_CONTAINER);
    *call.mutable_remove_container()->mutable_container_id() = container_id_of(id);
    shell_.container_call(std::move(call), [](int, const std::string&) {});
  }
  unlink(socket.c_str());
  const std::string id = prefix + random_.uuid().substr(0, 8);
  Call call = container_call(Call::LAUNCH_CONTAINER);
  auto& launch = *call.mutable_launch_container();
  *launch.mutable_container_id() = container_id_of(id);
  *launch.mutable_command() = info.command();
  auto& variable = *launch.mutable_command()->mutable_environment()->add_variables();
  variable.set_name("CSI_ENDPOINT");
  variable.set_value("unix://" + socket);
  *launch.mutable_resources() = info.resources();
  if (info.has_container()) *launch.mutable_container() = info.container();
  shell_.container_call(std::move(call), [this, alive = alive_, id, runs, ended](int status, const std::string& message) {
    if (!*alive) return;
    if (status != 200 && status != kLaunched) return ended(message);
    await_plugin(id, ended);
    runs();
  });
}

void Providers::await_plugin(const std::string& container, const std::function<void(std::string)>& ended) {
  Call call = container_call(Call::WAIT_CONTAINER);
  *call.mutable_wait_container()->mutable_container_id() = container_id_of(container);
  shell_.container_call(std::move(call), [alive = alive_, container, ended](int, const std::string& message) {
    if (*alive) ended(message.empty() ? "container " + container + " is over, see its stderr" : message);
  });
}

void Providers::end_plugin(const std::string& provider) {
  std::vector<std::string> running;
  for (const auto& [id, container] : shell_.core().state().api_containers)
    if (id.starts_with(plugin_prefix(provider)) && container.stage != ApiContainer::Stage::Ended) running.push_back(id);
  for (const auto& id : running) {
    Call call = container_call(Call::KILL_CONTAINER);
    *call.mutable_kill_container()->mutable_container_id() = container_id_of(id);
    shell_.container_call(std::move(call), [](int, const std::string&) {});
  }
}

}  // namespace agent
