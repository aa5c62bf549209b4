#include "kernel/agent/daemon.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.hpp"
#include "base/file.hpp"
#include "base/http/server.hpp"
#include "base/log.hpp"
#include "base/pool.hpp"
#include "base/store/store.hpp"
#include "base/strings.hpp"
#include "kernel/agent/api/routes.hpp"
#include "kernel/agent/api/stream_api.hpp"
#include "kernel/agent/api/task_stream.hpp"
#include "kernel/agent/gauges.hpp"
#include "kernel/agent/isolation.hpp"
#include "kernel/agent/link.hpp"
#include "kernel/agent/machine.hpp"
#include "kernel/agent/modules.hpp"
#include "kernel/agent/places.hpp"
#include "kernel/agent/providers.hpp"
#include "kernel/agent/shell.hpp"
#include "kernel/agent/volume_plugins.hpp"
#include "kernel/containerizer/container_dns.hpp"
#include "kernel/containerizer/images/images.hpp"
#include "kernel/containerizer/isolators/isolators.hpp"
#include "kernel/containerizer/native.hpp"

namespace agent {

using base::Result;
using base::Status;

struct Daemon::Impl {
  Impl(base::Loop& l, Policy policy)
      : loop(l), pool(l, kThreads), image_pool(l, kImageThreads), core(std::move(policy), base::Random::from_os()) {}

  static constexpr unsigned kThreads = 4, kImageThreads = 4;

  base::Loop& loop;
  base::Fd work_dir_lock;
  std::optional<containerizer::cgroups::RootLock> root_lock;
  base::Metrics metrics;
  base::LogLevel log_level{loop};
  std::unique_ptr<base::Store> store;
  base::Pool pool, image_pool;
  Core core;
  std::shared_ptr<containerizer::cgroups::Cgroups> groups;
  std::shared_ptr<containerizer::images::Images> images;
  std::unique_ptr<containerizer::NativeContainerizer> containers;
  std::unique_ptr<Shell> shell;
  std::unique_ptr<Providers> providers;
  std::unique_ptr<VolumePlugins> volume_plugins;
  std::shared_ptr<base::http::Tls> tls;
  std::unique_ptr<Link> link;
  base::http::Router router;
  std::unique_ptr<ContainerStreams> streams;
  std::unique_ptr<Api> api;
  std::unique_ptr<TaskStreams> task_streams;
  std::unique_ptr<base::http::Server> server;
  uint16_t port = 0;
};

namespace {


/// One agent per work directory.
Result<base::Fd> lock_work_dir(const std::string& work_dir) {
  RETURN_IF_ERROR(base::make_directories(work_dir + "/meta"));
  // The agent's store has all of its tasks, and what they bring of secrets by value.
  if (chmod((work_dir + "/meta").c_str(), 0700) != 0) return base::errno_error("cannot close " + work_dir + "/meta", errno);
  const std::string path = lock_path(work_dir);
  base::Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return base::errno_error("cannot open " + path, errno);
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    return base::conflict("another agent runs with --work_dir=" + work_dir);
  return file;
}

std::string own_directory() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  const std::string text(path, length > 0 ? static_cast<size_t>(length) : 0);
  return text.substr(0, text.rfind('/'));
}

/// Where executors reach this agent from whatever network they are in; empty when the path is longer than such can be.
std::string api_socket(const Flags& flags) {
  constexpr size_t kMostOfAnAddress = 107;
  const std::string path = flags.domain_socket_location.value_or(runtime_directory(flags) + "/agent.sock");
  if (path.size() <= kMostOfAnAddress) return path;
  LOG_WARNING("{} is too long for a socket: default executors use the agent's port, which not every network reaches", path);
  return "";
}

/// Cgroups as far as this host and the flags allow; what is missing is said once, here.
Status open_groups(const Flags& flags, const containerizer::Isolation& isolation, Daemon::Impl& daemon) {
  if (geteuid() != 0 || flags.launcher == "posix") {
    LOG_WARNING("{}: tasks run without cgroups and namespaces, their resources are not limited",
                geteuid() != 0 ? "This agent does not run as root" : "--launcher=posix");
    return {};
  }
  containerizer::cgroups::Wanted wanted{.all = isolation.has("cgroups/all")};
  // A host that lacks a controller of the default is no reason to refuse to start.
  wanted.strict = flags.isolation != kDefaultIsolation;
  for (const auto& name : isolation.names())
    if (name.starts_with("cgroups/")) wanted.isolators.insert(name);
  auto groups = containerizer::cgroups::open_cgroups(flags.cgroups_hierarchy, flags.cgroups_root, wanted);
  if (!groups && groups.error().code == base::Code::Unsupported && groups.error().message.starts_with("the isolator"))
    return groups.error();
  if (!groups) {
    LOG_WARNING("No cgroups: {}; resources of tasks are not limited", groups.error().message);
    return {};
  }
  daemon.groups = std::move(*groups);
  using containerizer::cgroups::RootLock;
  ASSIGN_OR_RETURN(auto lock, RootLock::take(RootLock::directory(), flags.cgroups_root, flags.work_dir, !daemon.groups->list().empty()));
  daemon.root_lock.emplace(std::move(lock));
  LOG_INFO("Cgroups {} below {}", daemon.groups->description(), flags.cgroups_root);
  return {};
}

Result<auth::Firewall> read_firewall(const std::optional<std::string>& rules) {
  if (!rules) return auth::Firewall();
  auto parsed = auth::Firewall::parse(*rules);
  if (!parsed) return std::move(parsed).error().with_context("--firewall_rules");
  return parsed;
}

std::vector<std::string> words(const std::optional<std::string>& text) {
  std::vector<std::string> out;
  const std::string all = text.value_or("");
  for (const auto word : base::tokenize(all, ',')) {
    std::string item(base::trim(word));
    while (item.size() > 1 && item.ends_with('/')) item.pop_back();
    out.push_back(std::move(item));
  }
  return out;
}

Result<containerizer::images::ImageOptions> image_options(const Flags& flags) {
  namespace images = containerizer::images;
  images::ImageOptions options;
  options.directory = image_store(flags);
  if (flags.docker_registry.starts_with("http")) {
    options.registries.default_registry = flags.docker_registry;
  } else {
    options.archives = flags.docker_registry.starts_with("file://") ? flags.docker_registry.substr(7) : flags.docker_registry;
    while (options.archives.size() > 1 && options.archives.ends_with('/')) options.archives.pop_back();
  }
  ASSIGN_OR_RETURN(options.registries.mirrors, images::parse_mirrors(flags.docker_registry_mirrors.value_or("")));
  options.registries.insecure = words(flags.docker_insecure_registries);
  options.archive_directories = words(flags.docker_archive_directories);
  if (flags.docker_config) {
    ASSIGN_OR_RETURN(options.credentials, images::Credentials::parse(*flags.docker_config));
  }
  if (flags.image_gc_config) {
    ASSIGN_OR_RETURN(options.collection, images::CollectionPolicy::parse(*flags.image_gc_config));
  }
  options.max_parallel_layers = flags.docker_parallel_downloads;
  options.stall_timeout = flags.docker_stall_timeout;
  return options;
}

/// Images, where containers can have files of their own.
Status open_images(const Flags& flags, Daemon::Impl& daemon, containerizer::NativeOptions& options) {
  const bool wanted = !flags.image_providers || !words(flags.image_providers).empty();
  if (!wanted || !options.isolated) {
    if (flags.image_providers && wanted)
      return base::unsupported("--image_providers=" + *flags.image_providers +
                               " needs root, --launcher=linux and the isolator filesystem/linux");
    return {};
  }
  ASSIGN_OR_RETURN(auto with, image_options(flags));
  RETURN_IF_ERROR(base::make_directories(options.runtime_directory, 0700));
  const std::string store = with.directory;
  ASSIGN_OR_RETURN(auto images, containerizer::images::Images::open(daemon.loop, daemon.image_pool, std::move(with)));
  ASSIGN_OR_RETURN(options.backend, containerizer::images::choose_backend(flags.image_provisioner_backend.value_or(""), store,
                                                                         options.runtime_directory));
  daemon.images = std::move(images);
  options.images = daemon.images;
  options.sandbox_directory = flags.sandbox_directory;
  options.ignore_image_runtime = flags.docker_ignore_runtime;
  return {};
}

/// Networks, where containers can have namespaces of their own.
Status open_networks(const Flags& flags, containerizer::ContainerDns dns, containerizer::NativeOptions& options) {
  namespace network = containerizer::network;
  if (!options.isolated) {
    if (flags.network_cni_config_dir)
      return base::unsupported("--network_cni_config_dir needs root, --launcher=linux and the isolator filesystem/linux");
    return {};
  }
  ASSIGN_OR_RETURN(auto with, network_options(flags, std::move(dns)));
  auto networks = network::Networks::open(std::move(with));
  if (!networks && flags.network_cni_config_dir) return networks.error();
  if (!networks) {
    LOG_WARNING("Containers cannot have networks of their own: {}", networks.error().message);
    return {};
  }
  options.networks = std::move(*networks);
  return {};
}

/// The isolator network/ports.
Status open_ports(const Flags& flags, const containerizer::Isolation& isolation, const Daemon::Impl& daemon,
                  containerizer::NativeOptions& options) {
  namespace network = containerizer::network;
  if (!isolation.has("network/ports")) return {};
  if (!daemon.groups) return base::unsupported("the isolator network/ports needs root and cgroups: they tell whose a socket is");
  options.ports = {.watch = true, .enforce = flags.enforce_container_ports, .interval = flags.container_ports_watch_interval};
  if (flags.container_ports_isolated_range) {
    auto range = network::parse_ports(*flags.container_ports_isolated_range);
    if (!range) return range.error().with_context("--container_ports_isolated_range");
    options.ports.isolated = std::move(*range);
  }
  if (!flags.check_agent_port_range_only) return {};
  for (const auto& resource : daemon.core.policy().info.resources())
    if (resource.name() == "ports")
      for (const auto& range : resource.ranges().range())
        options.ports.isolated.emplace_back(static_cast<uint16_t>(range.begin()), static_cast<uint16_t>(range.end()));
  if (options.ports.isolated.empty()) return base::invalid("--check_agent_port_range_only: this agent offers no ports");
  return {};
}

Status start_containers(const Flags& flags, Daemon::Impl& daemon) {
  ASSIGN_OR_RETURN(const auto isolation, containerizer::Isolation::parse(flags.isolation));
  RETURN_IF_ERROR(open_groups(flags, isolation, daemon));
  containerizer::NativeOptions options;
  options.helper = flags.launcher_dir.value_or(own_directory()) + "/dcos-launch";
  if (access(options.helper.c_str(), X_OK) != 0)
    return base::errno_error("the launcher " + options.helper + " cannot be run (see --launcher_dir)", errno);
  options.runtime_directory = containers_directory(flags);
  options.frameworks_home = flags.frameworks_home.value_or("");
  containerizer::ContainerDns dns;
  if (flags.default_container_dns) {
    ASSIGN_OR_RETURN(dns, containerizer::ContainerDns::parse(*flags.default_container_dns));
    if (dns.host) options.resolv_conf = containerizer::render_resolv_conf(*dns.host);
  }
  ASSIGN_OR_RETURN(const Modules modules, parse_modules(flags.modules.value_or("")));
  ASSIGN_OR_RETURN(options.logs, log_rules(flags.container_logger.value_or(""), modules));
  options.fetch_stall_timeout = flags.fetcher_stall_timeout;
  if (flags.fetcher_cache_size.value > 0) {
    options.fetcher_cache_bytes = flags.fetcher_cache_size.value;
    // Agents of one machine may share the directory that they are given: what is emptied is this agent's own.
    options.fetcher_cache_directory =
        flags.fetcher_cache_dir ? *flags.fetcher_cache_dir + "/" + base::sha256_hex(flags.work_dir).substr(0, 16)
                                : flags.work_dir + "/fetch";
  }
  options.destroy_timeout = flags.cgroups_destroy_timeout;
  const bool root = geteuid() == 0 && flags.launcher != "posix";
  options.isolated = root && isolation.has("filesystem/linux");
  options.limit_cpu = isolation.has("cgroups/cpu");
  options.limit_memory = isolation.has("cgroups/mem");
  options.watch_interval = flags.container_disk_watch_interval;
  ASSIGN_OR_RETURN(const auto isolator_options, make_isolator_options(flags));
  options.secrets = isolator_options.secrets;
  ASSIGN_OR_RETURN(options.isolators, containerizer::Isolators::make(isolation, isolator_options, root));
  options.network_metrics = flags.network_cni_metrics;
  options.switch_user = geteuid() == 0 && flags.switch_user;
  RETURN_IF_ERROR(open_images(flags, daemon, options));
  RETURN_IF_ERROR(open_networks(flags, std::move(dns), options));
  RETURN_IF_ERROR(open_ports(flags, isolation, daemon, options));
  daemon.containers = std::make_unique<containerizer::NativeContainerizer>(daemon.loop, daemon.pool, std::move(options),
                                                                          daemon.groups);
  return {};
}

}  // namespace

namespace {

Status open_providers(const Flags& flags, Daemon::Impl& daemon) {
  ProviderOptions options;
  options.directory = flags.resource_provider_config_dir.value_or("");
  ASSIGN_OR_RETURN(const Modules modules, parse_modules(flags.modules.value_or("")));
  ASSIGN_OR_RETURN(options.profiles, disk_profiles(flags.disk_profile_adaptor.value_or(""), modules));
  options.work_dir = flags.work_dir;
  options.runtime_dir = flags.runtime_dir.value_or(flags.work_dir + "/run");
  options.boot_id = daemon.core.policy().boot_id;
  ASSIGN_OR_RETURN(daemon.providers, Providers::open(daemon.loop, daemon.pool, *daemon.store, *daemon.shell, std::move(options)));
  daemon.shell->use_providers(*daemon.providers);
  return {};
}

Status open_volume_plugins(const Flags& flags, Daemon::Impl& daemon) {
  VolumePluginOptions options;
  options.directory = flags.csi_plugin_config_dir.value_or("");
  options.work_dir = flags.work_dir;
  options.runtime_dir = flags.runtime_dir.value_or(flags.work_dir + "/run");
  options.boot_id = daemon.core.policy().boot_id;
  ASSIGN_OR_RETURN(options.secrets, open_secrets(flags));
  ASSIGN_OR_RETURN(daemon.volume_plugins,
                   VolumePlugins::open(daemon.loop, daemon.pool, *daemon.store, *daemon.shell, std::move(options)));
  daemon.shell->use_volume_plugins(*daemon.volume_plugins);
  return {};
}

Status start_lending(const Flags& flags, Daemon::Impl& daemon) {
  ASSIGN_OR_RETURN(const Modules modules, parse_modules(flags.modules.value_or("")));
  ASSIGN_OR_RETURN(auto estimator, resource_estimator(flags.resource_estimator.value_or(""), modules));
  ASSIGN_OR_RETURN(auto controller, qos_controller(flags.qos_controller.value_or(""), modules));
  daemon.shell->measure(estimator ? flags.oversubscribed_resources_interval : base::Duration{0},
                        controller ? std::max<base::Duration>(flags.qos_correction_interval_min, base::seconds(1)) : base::Duration{0});
  daemon.core.oversubscribe(std::move(estimator), std::move(controller));
  return {};
}

}  // namespace

Daemon::Daemon(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Daemon::~Daemon() {
  // What can call others goes before what is called.
  impl_->server.reset();
  impl_->task_streams.reset();
  impl_->streams.reset();
  impl_->link.reset();
  impl_->volume_plugins.reset();
  impl_->providers.reset();
  impl_->shell.reset();
  impl_->containers.reset();
  impl_->images.reset();
  // Groups of containers that go on keep theirs; an agent without any leaves none.
  if (impl_->groups) impl_->groups->remove_root();
}

Result<std::unique_ptr<Daemon>> Daemon::start(base::Loop& loop, const Flags& flags) {
  RETURN_IF_ERROR(base::make_directories(flags.work_dir));
  ASSIGN_OR_RETURN(base::Fd lock, lock_work_dir(flags.work_dir));
  RETURN_IF_ERROR(keep_places(flags));
  ASSIGN_OR_RETURN(Policy policy, make_policy(flags));
  ASSIGN_OR_RETURN(auth::Firewall firewall, read_firewall(flags.firewall_rules));
  ASSIGN_OR_RETURN(const std::string address, listen_address(flags));
  policy.default_executor = flags.launcher_dir.value_or(own_directory()) + "/dcos-default-executor";
  policy.socket = api_socket(flags);

  ASSIGN_OR_RETURN(Access access, Access::from(flags));
  auto impl = std::make_unique<Impl>(loop, std::move(policy));
  ASSIGN_OR_RETURN(impl->tls, base::http::Tls::for_daemon(loop, flags.tls));
  impl->work_dir_lock = std::move(lock);
  if (Status begun = start_containers(flags, *impl); !begun) {
    if (impl->groups) impl->groups->remove_root();
    return begun.error();
  }
  ASSIGN_OR_RETURN(impl->store, base::open_store(loop, "sqlite:" + store_path(flags.work_dir)));
  impl->shell = std::make_unique<Shell>(loop, impl->pool, impl->core, *impl->store, *impl->containers, impl->metrics);
  RETURN_IF_ERROR(open_providers(flags, *impl));
  RETURN_IF_ERROR(open_volume_plugins(flags, *impl));
  RETURN_IF_ERROR(start_lending(flags, *impl));
  auto* raw = impl.get();
  impl->link = std::make_unique<Link>(
      loop, flags.master, flags.zk_session_timeout, impl->tls, base::Random::from_os(),
      Link::Callbacks{
          .connected = [raw] { raw->shell->tell(LinkConnected{base::secret_bytes(auth::kNonceBytes).value_or("")}); },
          .received = [raw](auto message) { raw->shell->tell(MasterSaid{std::move(message)}); },
          .disconnected = [raw](const std::string& why) { raw->shell->tell(LinkDisconnected{why}); }});
  impl->api = std::make_unique<Api>(Api{.loop = loop,
                                        .pool = impl->pool,
                                        .shell = *impl->shell,
                                        .metrics = impl->metrics,
                                        .files = Files(flags.work_dir, flags.external_log_file.value_or("")),
                                        .flags = flags.effective(),
                                        .firewall = std::move(firewall),
                                        .access = std::move(access),
                                        .log_level = impl->log_level,
                                        .master_hostname = [raw] {
                                          const std::string& master = raw->link->master();
                                          return master.substr(0, master.rfind(':'));
                                        }});
  impl->streams = std::make_unique<ContainerStreams>(loop, *impl->containers, impl->metrics, flags.http_heartbeat_interval);
  impl->api->streams = impl->streams.get();
  impl->api->images = impl->images.get();
  impl->api->providers = impl->providers.get();
  impl->api->explain = [raw](const std::string& id, auto done) { raw->containers->explain(id, std::move(done)); };
  impl->shell->use_streams(*impl->streams);
  add_gauges(impl->metrics, impl->core, *impl->containers);
  impl->metrics.gauge("resource_providers/running", [raw] { return static_cast<double>(raw->providers->service().running()); });
  impl->metrics.gauge("resource_providers/connected", [raw] { return static_cast<double>(raw->providers->service().connected()); });
  impl->task_streams = std::make_unique<TaskStreams>(*impl->api);
  add_routes(impl->router, *impl->api, *impl->task_streams);
  base::http::ServerOptions server_options;
  server_options.tls = impl->tls;
  server_options.streams_body = has_streamed_body;
  impl->server = std::make_unique<base::http::Server>(loop, std::move(server_options), make_handler(impl->router, *impl->api));
  ASSIGN_OR_RETURN(impl->port, impl->server->listen(address, flags.port));
  LOG_INFO("Listening on {}://{}:{}", impl->tls->scheme(), address, impl->port);
  if (!impl->core.policy().socket.empty()) {
    const std::string& path = impl->core.policy().socket;
    const std::string directory = path.substr(0, path.rfind('/'));
    RETURN_IF_ERROR(base::make_directories(directory));
    RETURN_IF_ERROR(impl->server->listen_unix(path));
    // Executors run as any user; what they may do is no more than by the port. What else is in the directory is closed itself.
    struct stat info {};
    const bool leads = stat(directory.c_str(), &info) == 0 &&
                       ((info.st_mode & 0011) == 0011 || chmod(directory.c_str(), (info.st_mode & 07777) | 0011) == 0);
    if (!leads || chmod(path.c_str(), 0666) != 0) return base::errno_error("cannot open " + path + " to executors", errno);
  }
  impl->volume_plugins->introduce();
  RETURN_IF_ERROR(impl->shell->start(*impl->link, flags.disk_watch_interval));
  impl->link->start();
  return std::make_unique<Daemon>(std::move(impl));
}

uint16_t Daemon::port() const { return impl_->port; }
void Daemon::leave() { impl_->shell->tell(LeaveAsked{}); }

}  // namespace agent
