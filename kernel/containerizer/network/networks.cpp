#include "kernel/containerizer/network/networks.hpp"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/log.hpp"
#include "base/loop.hpp"
#include "base/numbers.hpp"
#include "kernel/containerizer/network/files.hpp"
#include "kernel/containerizer/network/space.hpp"

namespace containerizer::network {
namespace {

constexpr base::Duration kLockPause = base::milliseconds(20);
constexpr uint64_t kMaxResolvConf = 64 << 10;
constexpr const char* kResolvConf = "/etc/resolv.conf";

std::string plugins_of(const NetworkConfig& config) {
  std::string text;
  for (const auto& plugin : config.plugins) text += (text.empty() ? "" : ", ") + plugin.type;
  return text;
}

/// Whoever asked for an address or a hardware address gets that one or none.
Status check_wishes(const Link& link, const CniResult& result) {
  for (const auto& wanted : link.wish.info.ip_addresses()) {
    if (wanted.ip_address().empty()) continue;
    const bool given =
        std::any_of(result.addresses.begin(), result.addresses.end(),
                    [&wanted](const GivenAddress& address) { return address.address == wanted.ip_address(); });
    if (!given)
      return base::unsupported("the network '" + link.config.name + "' does not give the address " +
                               wanted.ip_address() + " that was asked for");
  }
  return {};
}

}  // namespace

Networks::Networks(NetworkOptions options)
    : options_(std::move(options)),
      firewall_(table_of(options_.directory), options_.policy),
      chain_(ChainOptions{options_.plugins_path, options_.timeout}),
      name_servers_([this](const std::string& network) { return name_server_of(network); }) {
  chain_.add_builtin("mesos-cni-port-mapper", std::make_shared<PortMapper>(chain_, firewall_, name_servers_));
}

Networks::~Networks() {
  if (!options_.observe && list().empty()) unshare_directory(options_.directory);
}

Result<std::unique_ptr<Networks>> Networks::open(NetworkOptions options) {
  // The mount table shows paths without links.
  if (!options.observe) RETURN_IF_ERROR(base::make_directories(options.directory, 0700));
  char resolved[PATH_MAX];
  if (realpath(options.directory.c_str(), resolved) == nullptr) return base::errno_error(options.directory, errno);
  options.directory = resolved;
  std::unique_ptr<Networks> networks(new Networks(std::move(options)));
  if (!networks->options_.observe) networks->remember_again();
  if (networks->options_.config_directory.empty() || networks->options_.observe) return networks;
  for (const auto& problem : load_networks(networks->options_.config_directory).problems)
    LOG_WARNING("networks in {}: {}", networks->options_.config_directory, problem);
  return networks;
}

std::vector<std::string> Networks::list() const { return base::list_directory(options_.directory).value_or({}); }

Result<Record> Networks::load(const std::string& container) const {
  ASSIGN_OR_RETURN(const std::string text, base::read_file(directory_of(container) + "/record.json"));
  ASSIGN_OR_RETURN(Record record, parse_record(text));
  const std::string space = directory_of(container) + "/ns";
  if (has_space(space))
    for (Link& link : record.links) link.network_file = space;
  return record;
}

/// Containers whose records are remembered while nothing else of them is: the machine was started anew.
std::vector<std::string> Networks::forgotten() const {
  constexpr std::string_view kSuffix = ".json";
  std::vector<std::string> out;
  if (options_.memory.empty()) return out;
  for (const auto& name : base::list_directory(options_.memory).value_or({}))
    if (name.ends_with(kSuffix) && !base::exists(directory_of(name.substr(0, name.size() - kSuffix.size()))))
      out.push_back(name.substr(0, name.size() - kSuffix.size()));
  return out;
}

/// Puts the records of those back, so that what they say is undone like that of any container that does not run.
void Networks::remember_again() {
  for (const auto& container : forgotten()) {
    const auto put_back = [&]() -> Status {
      ASSIGN_OR_RETURN(const std::string text, base::read_file(memory_of(container)));
      ASSIGN_OR_RETURN(const Record record, parse_record(text));
      if (record.container != container) return base::invalid("it is that of " + record.container);
      RETURN_IF_ERROR(base::make_directories(directory_of(container), 0700));
      return save(record);
    };
    if (const Status done = put_back(); done)
      LOG_INFO("the networks of container {} are given back: it ended with the machine", container);
    else
      LOG_ERROR("what is remembered of the networks of container {} ({}): {}", container, memory_of(container), done.error().message);
  }
}

Status Networks::save(const Record& record) const {
  const std::string path = directory_of(record.container) + "/record.json";
  if (!options_.memory.empty()) {
    const std::string copy = memory_of(record.container);
    RETURN_IF_ERROR(base::make_directories(options_.memory, 0700));
    RETURN_IF_ERROR(base::write_file(copy + ".new", render_record(record), 0600));
    if (rename((copy + ".new").c_str(), copy.c_str()) != 0) return base::errno_error("cannot write " + copy, errno);
  }
  if (options_.durable) return base::write_file_atomic(path, render_record(record), 0600);
  RETURN_IF_ERROR(base::write_file(path + ".new", render_record(record), 0600));
  if (rename((path + ".new").c_str(), path.c_str()) != 0) return base::errno_error("cannot write " + path, errno);
  return {};
}

namespace {

/// Kills whoever else has this file open: a plugin that hangs and whose agent, which would have ended it, is gone.
void end_holders(const base::Fd& lock) {
  struct stat wanted {};
  if (fstat(lock.get(), &wanted) != 0) return;
  for (const auto& name : base::list_directory("/proc").value_or({})) {
    const auto pid = base::parse_int(name);
    if (!pid || *pid == getpid()) continue;
    for (const auto& number : base::list_directory("/proc/" + name + "/fd").value_or({})) {
      struct stat open {};
      if (stat(("/proc/" + name + "/fd/" + number).c_str(), &open) != 0 || open.st_ino != wanted.st_ino || open.st_dev != wanted.st_dev)
        continue;
      LOG_WARNING("process {} of an earlier agent's plugin is ended: it took too long", *pid);
      kill(static_cast<pid_t>(*pid), SIGKILL);
      break;
    }
  }
}

}  // namespace

/// Plugins hold the lock too, for as long as they run: one that an agent left behind when it was killed is waited for, as long
/// as a plugin may take.
Result<base::Fd> Networks::hold(const std::string& container) const {
  const std::string path = directory_of(container) + "/lock";
  base::Fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return base::errno_error("cannot open " + path, errno);
  base::Instant deadline = base::system_clock().now().instant + options_.timeout;
  for (bool ended = false; flock(lock.get(), LOCK_EX | LOCK_NB) != 0;) {
    if (errno != EWOULDBLOCK && errno != EINTR) return base::errno_error("cannot lock " + path, errno);
    if (base::system_clock().now().instant > deadline) {
      if (ended) return Error{base::Code::Timeout, "a plugin of an earlier agent still works on the networks of " + container};
      end_holders(lock);
      ended = true;
      deadline = base::system_clock().now().instant + options_.timeout;
    }
    std::this_thread::sleep_for(kLockPause);
  }
  return lock;
}

Result<std::vector<Link>> Networks::choose(const std::string& container, const Request& request) const {
  std::vector<Link> links;
  if (request.networks.empty()) return links;
  if (options_.config_directory.empty())
    return base::not_found("Unknown CNI network '" + request.networks.front().info.name() +
                           "': this agent has no networks; give it --network_cni_config_dir");
  const Configured configured = load_networks(options_.config_directory);
  for (const Wish& wish : request.networks) {
    const auto found = configured.networks.find(wish.info.name());
    if (found == configured.networks.end()) {
      std::string why = "Unknown CNI network '" + wish.info.name() + "': no good file in " + options_.config_directory +
                        " has that name";
      for (const auto& problem : configured.problems) why += "; " + problem;
      return base::not_found(why.substr(0, 2000));
    }
    RETURN_IF_ERROR(chain_.find_plugins(found->second));
    const auto& plugins = found->second.plugins;
    const auto can = [&plugins](const char* capability) {
      return std::any_of(plugins.begin(), plugins.end(),
                         [capability](const auto& plugin) { return plugin.can(capability); });
    };
    if (!wish.mac.empty() && !can("mac"))
      return base::unsupported("mac-address: no plugin of the network '" + wish.info.name() +
                               "' has the capability mac");
    Link& link = links.emplace_back();
    link.container = container;
    link.interface = "eth" + std::to_string(links.size() - 1);
    link.network_file = directory_of(container) + "/ns";
    link.wish = wish;
    link.config = found->second;
  }
  return links;
}

Status Networks::add_link(Record& record, Link& link, const CallContext& context, CniResult& out) {
  note(record.container, "the network '" + link.config.name + "': ADD of " + plugins_of(link.config));
  auto added = chain_.add(link, context);
  note(record.container, "");
  if (!added)
    return added.error().code == base::Code::Cancelled
               ? added.error()
               : added.error().with_context("Failed to join the network '" + link.config.name + "'");
  out = std::move(*added);
  RETURN_IF_ERROR(save(record));
  RETURN_IF_ERROR(check_wishes(link, out));
  if (options_.policy.empty() || firewall_.has(firewall_key(link))) return {};
  // Networks of other plugins are known to the rules for the policy's sake.
  ASSIGN_OR_RETURN(FirewallEntry entry, firewall_entry(link, name_servers_));
  return firewall_.set(firewall_key(link), std::move(entry));
}

Status Networks::write_files(const Record& record, const Request& request,
                             const std::vector<CniResult>& results) const {
  const std::string directory = directory_of(record.container);
  std::vector<GivenAddress> addresses;
  DnsSettings from_plugins;
  for (const auto& result : results) {
    addresses.insert(addresses.end(), result.addresses.begin(), result.addresses.end());
    if (from_plugins.nameservers.empty()) from_plugins = result.dns;
  }
  const DnsSettings* from_operator =
      record.links.empty() ? nullptr : options_.dns.of_network(record.links.front().config.name);
  const std::string machines = base::read_file(kResolvConf, kMaxResolvConf).value_or("");
  std::string gateway;  // where a name server of the machine's own can be asked
  for (const Link& link : record.links)
    if (auto entry = firewall_entry(link, name_servers_); entry && gateway.empty() && !entry->name_server.empty())
      gateway = entry->gateway;
  RETURN_IF_ERROR(
      base::write_file(directory + "/hosts", render_hosts(record.host_name, addresses, request.extra_hosts), 0644));
  RETURN_IF_ERROR(base::write_file(directory + "/hostname", record.host_name + "\n", 0644));
  return base::write_file(directory + "/resolv.conf",
                          choose_resolv_conf(request.dns, from_plugins, from_operator, machines, gateway), 0644);
}

std::string Networks::name_server_of(const std::string& network) const {
  if (const DnsSettings* settings = options_.dns.of_network(network)) return loopback_server(*settings);
  return loopback_server(parse_resolv_conf(base::read_file(kResolvConf, kMaxResolvConf).value_or("")));
}

Attachment Networks::attachment_of(const Record& record) const {
  const std::string directory = directory_of(record.container);
  Attachment out{directory + "/ns", record.host_name, directory + "/hosts", directory + "/hostname",
                 directory + "/resolv.conf"};
  for (const Link& link : record.links) out.infos.push_back(network_info(link));
  return out;
}

Result<Attachment> Networks::join(Record& record, const Request& request, const CallContext& context) {
  ASSIGN_OR_RETURN(record.links, choose(record.container, request));
  // From here on there may be something to undo, and the record says what.
  RETURN_IF_ERROR(save(record));
  RETURN_IF_ERROR(make_space(directory_of(record.container) + "/ns"));
  std::vector<CniResult> results(record.links.size());
  for (size_t i = 0; i < record.links.size(); ++i)
    RETURN_IF_ERROR(add_link(record, record.links[i], context, results[i]));
  RETURN_IF_ERROR(write_files(record, request, results));
  return attachment_of(record);
}

Result<Attachment> Networks::attach(const std::string& container, const Request& request) {
  // Not before somebody needs it: most agents have no mount of ours.
  RETURN_IF_ERROR(share());
  RETURN_IF_ERROR(base::make_directories(directory_of(container), 0700));
  ASSIGN_OR_RETURN(const base::Fd lock, hold(container));
  base::Fd cancelled(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  CallContext context{cancelled.get(), lock.get()};
  {
    const std::lock_guard guard(mutex_);
    running_[container] = std::move(cancelled);
  }
  Record record{container, request.host_name};
  auto joined = join(record, request, context);
  const std::lock_guard guard(mutex_);
  running_.erase(container);
  ++(joined ? counts_.attached : counts_.attach_errors);
  return joined;
}

Status Networks::share() {
  const std::lock_guard guard(mutex_);
  if (shared_) return {};
  RETURN_IF_ERROR(share_directory(options_.directory));
  shared_ = true;
  return {};
}

void Networks::cancel(const std::string& container) {
  const std::lock_guard guard(mutex_);
  if (const auto found = running_.find(container); found != running_.end()) eventfd_write(found->second.get(), 1);
}

/// Every network in reverse, then the namespace. What failed stays in the record, to be undone later.
Status Networks::leave(const std::string& container, const base::Fd& lock) {
  auto record = load(container);
  Status first;
  std::vector<Link> left;
  // Without a record nothing was begun.
  if (record) {
    for (auto link = record->links.rbegin(); link != record->links.rend(); ++link) {
      note(container, "the network '" + link->config.name + "': DEL of " + plugins_of(link->config));
      Status gone = firewall_.remove(firewall_key(*link));
      if (Status undone = chain_.del(*link, {-1, lock.get()}); !undone) gone = undone;
      if (gone) continue;
      left.insert(left.begin(), *link);
      if (first) first = gone.error().with_context("Failed to leave the network '" + link->config.name + "'");
    }
  }
  note(container, "");
  RETURN_IF_ERROR(remove_space(directory_of(container) + "/ns"));
  if (first) {
    if (!options_.memory.empty()) unlink(memory_of(container).c_str());
    return base::remove_tree(directory_of(container));
  }
  record->links = std::move(left);
  (void)save(*record);
  return first;
}

Status Networks::detach(const std::string& container) {
  if (!base::exists(directory_of(container))) return {};
  const auto undo = [&]() -> Status {
    ASSIGN_OR_RETURN(const base::Fd lock, hold(container));
    return leave(container, lock);
  };
  const Status undone = undo();
  const std::lock_guard guard(mutex_);
  ++(undone ? counts_.detached : counts_.detach_errors);
  if (undone)
    pending_.erase(container);
  else
    pending_.insert(container);
  return undone;
}

Result<Attachment> Networks::find(const std::string& container) const {
  ASSIGN_OR_RETURN(const Record record, load(container));
  return attachment_of(record);
}

std::map<std::string, FirewallEntry> Networks::entries_of(const std::set<std::string>& containers) const {
  std::map<std::string, FirewallEntry> entries;
  for (const auto& container : containers) {
    const auto record = load(container);
    if (!record) {
      if (base::exists(directory_of(container))) LOG_ERROR("networks of container {}: {}", container, record.error().message);
      continue;
    }
    for (const Link& link : record->links) {
      auto entry = firewall_entry(link, name_servers_);
      if (entry && (!entry->ports.empty() || !entry->bridge.empty() || !options_.policy.empty()))
        entries[firewall_key(link)] = std::move(*entry);
    }
  }
  return entries;
}

Status Networks::recover(const std::set<std::string>& alive) {
  if (list().empty()) return {};
  return firewall_.rebuild(entries_of(alive));
}

Status Networks::check(const std::string& container) {
  ASSIGN_OR_RETURN(const base::Fd lock, hold(container));
  ASSIGN_OR_RETURN(const Record record, load(container));
  for (const Link& link : record.links)
    if (Status good = chain_.check(link, {-1, lock.get()}); !good) {
      const std::lock_guard guard(mutex_);
      ++counts_.check_errors;
      return good.error().with_context("the network '" + link.config.name + "'");
    }
  return {};
}

void Networks::retry() {
  std::set<std::string> containers;
  {
    const std::lock_guard guard(mutex_);
    containers = pending_;
  }
  for (const auto& container : containers)
    if (Status undone = detach(container); !undone) LOG_WARNING("container {}: {}", container, undone.error().message);
}

bool Networks::pending() const {
  const std::lock_guard guard(mutex_);
  return !pending_.empty();
}

void Networks::note(const std::string& container, std::string doing) {
  const std::lock_guard guard(mutex_);
  if (doing.empty())
    doing_.erase(container);
  else
    doing_[container] = std::move(doing);
}

std::string Networks::doing(const std::string& container) const {
  const std::lock_guard guard(mutex_);
  const auto found = doing_.find(container);
  return found == doing_.end() ? "" : found->second;
}

NetworkCounts Networks::counts() const {
  const size_t ports = firewall_.ports();
  const std::lock_guard guard(mutex_);
  NetworkCounts out = counts_;
  out.pending = pending_.size();
  out.ports = ports;
  return out;
}

}  // namespace containerizer::network
