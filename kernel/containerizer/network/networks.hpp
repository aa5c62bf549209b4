#pragma once

// The networks of an agent's containers: made before a container starts, undone after its end, found again after a
// restart. Everything but cancel() blocks, for as long as plugins take; thread-safe, one call per container at a time.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "kernel/containerizer/finding.hpp"
#include "kernel/containerizer/network/chain.hpp"
#include "kernel/containerizer/network/firewall.hpp"
#include "kernel/containerizer/network/port_mapper.hpp"
#include "kernel/containerizer/network/record.hpp"

namespace containerizer::network {

struct NetworkOptions {
  std::string config_directory;               // empty: no networks
  std::string plugins_path;                   // directories, separated by ':'
  std::string directory;                      // of the records; this agent's alone
  bool durable = false;                       // records survive a power failure
  // Where a copy of each record is kept when `directory` does not outlive the machine: leases of addresses do. Empty: nowhere.
  std::string memory{};
  base::Duration timeout = base::minutes(1);  // of each call of a plugin
  std::string bridge = "mesos-bridge";        // what docker's BRIDGE stands for
  ContainerDns dns{};
  Policy policy{};
  bool observe = false;                       // those of another process are looked at: nothing is made or taken away
};

/// What a container finds when it starts. Paths are the machine's.
struct Attachment {
  std::string network_file, host_name;
  std::string hosts, host_name_file, resolv_conf;  // go over the files of that name in /etc
  std::vector<mesos::v1::NetworkInfo> infos{};
};

struct NetworkCounts {
  uint64_t attached = 0, attach_errors = 0, detached = 0, detach_errors = 0, check_errors = 0;
  uint64_t pending = 0, ports = 0;  // waiting to be undone; host ports that lead into containers
};

class Networks {
 public:
  static Result<std::unique_ptr<Networks>> open(NetworkOptions options);
  ~Networks();

  /// The namespace, and every network joined. After an error nothing is left, or it is undone later and the error says
  /// so.
  Result<Attachment> attach(const std::string& container, const Request& request);

  /// Ends an attach() that runs in another thread: Cancelled.
  void cancel(const std::string& container);

  /// After the last process of the container. Nothing known of it is success. What cannot be undone now is tried again
  /// by retry().
  Status detach(const std::string& container);

  /// Of a container whose record is there.
  Result<Attachment> find(const std::string& container) const;

  /// Ids of all records.
  std::vector<std::string> list() const;

  /// After a restart, before anything else: rules for those alone. The others are the caller's to detach.
  Status recover(const std::set<std::string>& alive);

  /// Asks the plugins whether all is as it was made.
  Status check(const std::string& container);

  /// What there is on the machine of this agent's networks for none of the containers `known`, and what those of them that
  /// run lack. A lease names its container alone: `ours` tells whether that is, or ever was, one of this agent's.
  Findings audit(const std::set<std::string>& known, const std::set<std::string>& running,
                 const std::function<bool(const std::string&)>& ours) const;

  /// Undoes what could not be undone before.
  void retry();
  bool pending() const;

  /// What a plugin is asked for the container at the moment, in words; empty: nothing.
  std::string doing(const std::string& container) const;

  NetworkCounts counts() const;
  const NetworkOptions& options() const { return options_; }

 private:
  explicit Networks(NetworkOptions options);

  std::string directory_of(const std::string& container) const { return options_.directory + "/" + container; }
  Result<Record> load(const std::string& container) const;
  Status save(const Record& record) const;
  Status share();
  void remember_again();
  std::vector<std::string> forgotten() const;
  std::string memory_of(const std::string& container) const { return options_.memory + "/" + container + ".json"; }
  std::map<std::string, FirewallEntry> entries_of(const std::set<std::string>& containers) const;
  void audit_records(const std::set<std::string>& known, const std::set<std::string>& running, Findings& out) const;
  void audit_links(const std::set<std::string>& known, const std::set<std::string>& running, Findings& out) const;
  void audit_rules(const std::set<std::string>& known, const std::set<std::string>& running, Findings& out) const;
  void audit_leases(const std::set<std::string>& known, const std::function<bool(const std::string&)>& ours, Findings& out) const;
  void note(const std::string& container, std::string doing);
  Result<base::Fd> hold(const std::string& container) const;
  Result<std::vector<Link>> choose(const std::string& container, const Request& request) const;
  Result<Attachment> join(Record& record, const Request& request, const CallContext& context);
  Status add_link(Record& record, Link& link, const CallContext& context, CniResult& out);
  Status leave(const std::string& container, const base::Fd& lock);
  Status write_files(const Record& record, const Request& request, const std::vector<CniResult>& results) const;
  Attachment attachment_of(const Record& record) const;
  std::string name_server_of(const std::string& network) const;

  NetworkOptions options_;
  Firewall firewall_;
  Chain chain_;
  NameServers name_servers_;
  mutable std::mutex mutex_;
  std::map<std::string, base::Fd> running_;  // events that end an attach()
  std::set<std::string> pending_;
  std::map<std::string, std::string> doing_;
  bool shared_ = false;  // the directory is a mount as space.hpp has it
  NetworkCounts counts_;
};

}  // namespace containerizer::network
