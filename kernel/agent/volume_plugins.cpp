#include "kernel/agent/volume_plugins.hpp"

#include <sys/stat.h>

#include "base/file.hpp"
#include "base/json/proto.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "kernel/api/names.hpp"
#include "kernel/storage/claims.hpp"

namespace agent {
namespace {

using containerizer::PublishedVolume;

constexpr uint64_t kMaxFile = 1 << 20;

/// Keys of the volumes of all plugins begin with this.
const char* const kVolumes = "storage/plugin-";

std::string id_of(const mesos::v1::CSIPluginInfo& plugin) { return storage::provider_info(plugin).id().value(); }

}  // namespace

VolumePlugins::VolumePlugins(base::Loop& loop, base::Pool& pool, base::Store& store, Shell& shell, VolumePluginOptions options)
    : store_(store),
      shell_(shell),
      options_(std::move(options)),
      plugins_(shell),
      service_(loop, pool, store,
               {.work_dir = options_.work_dir,
                .socket_dir = options_.runtime_dir + "/csi",
                .boot_id = options_.boot_id,
                .kind = "Storage plugin",
                .resolve = [secrets = options_.secrets](const mesos::v1::Secret& secret) {
                  return containerizer::secrets::resolve(secret, secrets.get());
                }},
               {.surveyed = [](const auto&, auto) {},
                .changed = [](const auto&, auto) {},
                .run = [this](const auto& plugin, int index, const auto& info, const auto& socket, auto runs, auto ended) {
                  plugins_.run(plugin, index, info, socket, runs, ended);
                },
                .end = [this](const std::string& plugin) { plugins_.end(plugin); }}) {}

base::Result<std::unique_ptr<VolumePlugins>> VolumePlugins::open(base::Loop& loop, base::Pool& pool, base::Store& store, Shell& shell,
                                                                 VolumePluginOptions options) {
  std::unique_ptr<VolumePlugins> out(new VolumePlugins(loop, pool, store, shell, std::move(options)));
  RETURN_IF_ERROR(out->load());
  return out;
}

/// Descriptions that are not known yet.
base::Status VolumePlugins::load() {
  if (options_.directory.empty()) return {};
  auto names = base::list_directory(options_.directory);
  if (!names) return names.error().with_context("--csi_plugin_config_dir");
  for (const auto& name : *names) {
    const std::string file = options_.directory + "/" + name;
    struct stat entry {};
    if (stat(file.c_str(), &entry) != 0 || !S_ISREG(entry.st_mode)) continue;
    mesos::v1::CSIPluginInfo info;
    ASSIGN_OR_RETURN(const std::string text, base::read_file(file, kMaxFile));
    base::Status read = base::json::proto_from_json(text, info, ::api::v1_dialect());
    if (read) read = storage::validate(info);
    if (!read) return read.error().with_context(file);
    const auto [at, fresh] = descriptions_.emplace(info.type(), Description{info, file});
    if (!fresh && at->second.file != file)
      return base::conflict(file + " and " + at->second.file + " describe the same storage plugin " + info.type());
  }
  return {};
}

void VolumePlugins::introduce() {
  for (const auto& [type, description] : descriptions_) shell_.tell(PluginKnown{id_of(description.info)});
}

base::Result<std::string> VolumePlugins::run(const std::string& plugin) {
  const auto info = storage::provider_info(descriptions_.at(plugin).info);
  if (!running_.insert(plugin).second) return info.id().value();
  shell_.tell(PluginKnown{info.id().value()});
  RETURN_IF_ERROR(service_.run(info));
  return info.id().value();
}

void VolumePlugins::start(const std::vector<containerizer::ContainerSpec>& running) {
  std::map<std::string, std::map<std::string, std::set<std::string>>> holders;  // by plugin and volume
  for (const auto& spec : running) {
    if (!spec.container) continue;
    const auto wanted = storage::wanted_volumes(*spec.container);
    if (!wanted) continue;  // it was never launched
    for (const auto& each : *wanted) holders[each.plugin][each.volume.id()].insert(spec.id);
  }
  for (const auto& [type, description] : descriptions_) {
    if (auto id = run(type))
      service_.tell_holders(*id, std::move(holders[type]));
    else
      LOG_ERROR("Storage plugin {} does not run: {}", type, id.error().message);
  }
  std::set<std::string> described;
  for (const auto& [type, description] : descriptions_) described.insert(id_of(description.info));
  plugins_.end_all("plugin-", described);
  const auto entries = store_.scan(kVolumes);
  if (!entries) return LOG_ERROR("Which volumes of storage plugins are published is not known: {}", entries.error().message);
  for (const auto& entry : *entries) {
    dcos::storage::v1::VolumeRecord record;
    if (record.ParseFromString(entry.value) && !descriptions_.contains(record.plugin()))
      LOG_WARNING("Volume {} of storage plugin {} is still at {}, and --csi_plugin_config_dir has no such plugin any more: it is taken "
                  "back when the description is there again and the agent is restarted",
                  record.id(), record.plugin(), record.target_path());
  }
}

void VolumePlugins::claim(const std::string& container, const mesos::v1::ContainerInfo& info,
                          std::function<void(base::Result<std::vector<PublishedVolume>>)> done) {
  const auto wanted = storage::wanted_volumes(info);
  if (!wanted) return done(wanted.error());
  if (options_.directory.empty())
    return done(base::unsupported("volumes of storage plugins need an agent with --csi_plugin_config_dir"));
  std::vector<std::string> ids;
  for (const auto& each : *wanted) {
    if (!descriptions_.contains(each.plugin))
      if (const base::Status read = load(); !read) return done(read.error());
    if (!descriptions_.contains(each.plugin))
      return done(base::not_found("no file of --csi_plugin_config_dir describes the storage plugin '" + base::valid_utf8(each.plugin) +
                                  "'"));
    auto id = run(each.plugin);
    if (!id) return done(id.error());
    ids.push_back(std::move(*id));
  }
  struct Rest {
    size_t open;
    std::vector<PublishedVolume> volumes;
    std::function<void(base::Result<std::vector<PublishedVolume>>)> done;
  };
  auto rest = std::make_shared<Rest>(Rest{wanted->size(), std::vector<PublishedVolume>(wanted->size()), std::move(done)});
  for (size_t i = 0; i < wanted->size(); ++i)
    service_.claim(ids[i], container, (*wanted)[i].volume, [rest, i](base::Result<storage::Service::Claimed> claimed) {
      if (!rest->done) return;
      if (!claimed) return std::exchange(rest->done, nullptr)(claimed.error());
      rest->volumes[i] = {claimed->path, claimed->in_use};
      if (--rest->open == 0) std::exchange(rest->done, nullptr)(std::move(rest->volumes));
    });
}

}  // namespace agent
