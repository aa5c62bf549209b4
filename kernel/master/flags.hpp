#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/flags.hpp"
#include "base/tls_settings.hpp"
#include "base/zk/url.hpp"
#include "kernel/allocator/allocator.hpp"
#include "kernel/auth/firewall.hpp"
#include "kernel/master/api/authentication.hpp"
#include "kernel/master/policy.hpp"

namespace master {

/// What the command line and MESOS_* variables say. Every flag of the original is known; one whose function is absent
/// is accepted at its default and refused with a sentence otherwise.
struct Flags {
  Flags();
  Flags(const Flags&) = delete;
  Flags& operator=(const Flags&) = delete;

  /// Errors are for the person at the terminal.
  base::Status parse(int argc, const char* const* argv, const base::FlagTable::Environment& environment);

  base::FlagTable table;

  std::string ip = "0.0.0.0";
  uint16_t port = 5050;
  std::optional<std::string> advertise_ip;
  std::optional<uint16_t> advertise_port;
  std::optional<std::string> hostname;
  bool hostname_lookup = true;
  std::optional<uint16_t> agent_link_port;
  std::optional<std::string> work_dir;
  std::string registry = "replicated_log";
  base::Duration registry_fetch_timeout = base::minutes(1);
  std::optional<base::zk::Url> zk;
  base::Duration zk_session_timeout = base::seconds(10);
  std::optional<std::string> cluster;
  std::optional<std::string> log_dir;
  std::optional<std::string> external_log_file;
  std::string logging_level = "INFO";
  bool quiet = false;
  uint64_t max_operator_event_stream_subscribers = 1000;
  uint64_t event_queue_bytes = uint64_t{64} << 20;

  /// The file of the only hostnames to offer, which may change while we run.
  std::optional<std::string> whitelist_path;
  base::Duration whitelist_interval = base::seconds(5);

  bool publish_per_framework_metrics = true;

  Policy policy;
  allocator::Options allocator_options;

  Authentication authentication;
  auth::Firewall firewall;

  base::TlsSettings tls;

  bool in_memory() const { return registry == "in_memory"; }

 private:
  void add_address_flags();
  void add_policy_flags();
  void add_allocation_flags();
  void add_registry_flags();
  void add_election_flags();
  void add_access_flags();
  void add_log_flags();
  void add_absent_flags();
  base::Status check();
  base::Status check_absent();
  base::Status check_election();
  base::Status read_access();
  base::Status read_domain();
  base::Status read_weights();

  // Texts that are parsed further.
  std::optional<std::string> roles_, weights_, agent_removal_rate_limit_, excluded_names_, whitelist_, zk_;
  std::optional<std::string> credentials_, acls_, rate_limits_, firewall_rules_, domain_;
  base::TlsFlags tls_flags_;
  bool authenticate_readonly_ = false, authenticate_readwrite_ = false, authenticate_schedulers_ = false;
  base::Bytes constraint_memory_{4096};
  uint32_t constraint_program_size_ = 100;
  std::string role_sorter_ = "drf", framework_sorter_ = "drf", min_allocatable_ = "cpus:0.01|mem:32";
  uint64_t max_completed_frameworks_ = 50, max_completed_tasks_ = 1000, max_unreachable_tasks_ = 1000;
  uint64_t registry_max_agent_count_ = 102'400;
  std::optional<uint64_t> quorum_;
  base::Duration registry_store_timeout_ = base::seconds(20);

  /// A flag that is known and does nothing: its default as text, and what the operator should know.
  struct Absent {
    std::string name, text, default_text, sentence;
    bool boolean = false;
    bool truth = false, default_truth = false;
    std::optional<std::string> optional_text{};
    bool optional = false;
  };
  std::vector<std::unique_ptr<Absent>> absent_;
  void absent(std::string name, std::optional<std::string> default_text, std::string sentence,
              std::vector<std::string> aliases = {});
  void absent_switch(std::string name, bool default_value, std::string sentence, std::vector<std::string> aliases = {});
};

/// A hostname per line.
base::Result<std::set<std::string>> read_whitelist(const std::string& path);

/// "1/1mins": so many per period.
base::Result<std::pair<uint32_t, base::Duration>> parse_rate(std::string_view text);

}  // namespace master
