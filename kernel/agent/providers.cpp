#include "kernel/agent/providers.hpp"

#include <unistd.h>

#include "base/file.hpp"
#include "base/json/proto.hpp"
#include "base/log.hpp"

namespace agent {
namespace {

using mesos::v1::ResourceProviderInfo;

constexpr uint64_t kMaxFile = 1 << 20;

}  // namespace

Providers::Providers(base::Loop& loop, base::Pool& pool, base::Store& store, Shell& shell, ProviderOptions options)
    : shell_(shell),
      options_(std::move(options)),
      plugins_(shell),
      service_(loop, pool, store,
               {.work_dir = options_.work_dir, .socket_dir = options_.runtime_dir + "/csi", .boot_id = options_.boot_id},
               {.surveyed = [this](const auto& provider, auto survey) { shell_.tell(ProviderSurveyed{provider, std::move(survey)}); },
                .changed = [this](const auto& id, auto disk) { shell_.tell(DiskChanged{id, std::move(disk)}); },
                .run = [this](const auto& provider, int index, const auto& info, const auto& socket, auto runs, auto ended) {
                  plugins_.run(provider, index, info, socket, runs, ended);
                },
                .end = [this](const std::string& provider) { plugins_.end(provider); }}),
      profiles_(loop, pool, options_.profiles, options_.work_dir + "/meta/disk_profiles.json", [this](storage::Profiles profiles) {
        service_.set_profiles(std::move(profiles));
        for (const auto& held : std::exchange(held_, {})) held();
      }) {}

base::Result<std::unique_ptr<Providers>> Providers::open(base::Loop& loop, base::Pool& pool, base::Store& store, Shell& shell,
                                                         ProviderOptions options) {
  std::unique_ptr<Providers> out(new Providers(loop, pool, store, shell, std::move(options)));
  RETURN_IF_ERROR(out->load());
  return out;
}

base::Status Providers::load() {
  RETURN_IF_ERROR(profiles_.start());
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

void Providers::stop(const std::string& provider, bool forget) {
  if (!profiles_.known()) return held_.push_back([this, provider, forget] { stop(provider, forget); });
  service_.stop(provider, forget);
}

void Providers::change(const ChangeDisk& effect) {
  if (!profiles_.known()) return held_.push_back([this, effect] { change(effect); });
  service_.change(effect.provider, {effect.id, effect.operation});
}

void Providers::run(const ResourceProviderInfo& info) {
  if (!profiles_.known()) return held_.push_back([this, info] { run(info); });
  const base::Status done = service_.run(info);
  if (!done) LOG_ERROR("Resource provider {} does not run: {}", info.name(), done.error().message);
}

}  // namespace agent
