#pragma once

// The cluster as the master tells it, and the records that follow (pure). Changes become edits of the zone; commit() makes
// the next zone from them. Building anew from the same state gives an equal zone.
//
// A zone never goes blank because of the master: after a failover the new one knows its agents but not yet what runs on
// them, so what was known of an agent stays until the agent is back (and a moment longer), is removed, or does not come.

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "dns/address.hpp"
#include "dns/task_records.hpp"
#include "dns/zone.hpp"

namespace mesos::v1 {
class AgentInfo;
class Task;
class TaskStatus;
namespace master {
class Event;
class Response_GetState;
class Response_GetAgents_Agent;
class Response_GetFrameworks_Framework;
}  // namespace master
}  // namespace mesos::v1

namespace dns {

struct RecordsOptions {
  RecordRules rules;
  std::vector<Endpoint> masters;       // configured
  std::string soa_mname = "ns1.mesos";
  std::vector<Address> listeners;      // where we answer
  base::Duration keep_agents = base::minutes(15);  // longer than a master waits for its agents
  base::Duration keep_tasks = base::seconds(5);    // after an agent is back, for tasks that it does not bring
};

/// A record of the virtual addresses' domain.
struct VipRecord {
  std::string name, host;
};

class Records {
 public:
  explicit Records(RecordsOptions options);

  /// The whole state of the master at `leader`, "host:port".
  void replace(const mesos::v1::master::Response_GetState& state, const std::string& leader, base::Instant now);

  /// A change after it.
  void apply(const mesos::v1::master::Event& event, base::Instant now);

  /// Virtual addresses: all of them, or changes. Records of other names are refused; returns how many.
  size_t replace_vips(const std::vector<VipRecord>& vips);
  size_t change_vips(const std::vector<VipRecord>& added, const std::vector<VipRecord>& removed);

  /// Names of machines that are no addresses and not looked up yet; each is given once.
  std::vector<std::string> take_unresolved();
  void resolved(const std::string& host, const std::vector<Address>& addresses);

  /// Drops what was kept for agents and tasks that did not come back. True when something is still kept.
  bool expire(base::Instant now);

  /// The next zone, or null when nothing changed.
  std::shared_ptr<const Zone> commit(base::Time now);
  const std::shared_ptr<const Zone>& zone() const { return zone_; }
  bool dirty() const { return dirty_ || !edit_.empty(); }

  /// A framework with its running tasks and their agents' addresses: a value of its own, to be rendered elsewhere.
  struct Listing {
    std::string name;
    std::vector<std::pair<Task, std::vector<Address>>> tasks;
  };
  std::vector<Listing> listing() const;
  const RecordRules& rules() const { return options_.rules; }

  size_t running_tasks() const { return published_tasks_; }
  size_t agents() const { return agents_.size(); }

 private:
  struct Tracked {
    Task task;
    bool published = false;
    std::optional<base::Instant> drop_at;
  };
  struct Framework {
    bool known = false;
    std::string name, hostname;
    std::map<std::string, Tracked> tasks;
    std::set<Record> records;
    std::optional<base::Instant> drop_at;
  };
  struct Agent {
    bool known = false;
    std::string host;
    uint16_t port = 0;
    std::vector<Address> addresses;
    std::set<Record> records;
    std::optional<base::Instant> drop_at;
  };

  void put_task(const mesos::v1::Task& task);
  void update_task(const std::string& framework, const mesos::v1::TaskStatus& status, int state);
  void erase_task(Framework& framework, const std::string& id);
  void put_framework(const mesos::v1::master::Response_GetFrameworks_Framework& framework);
  void erase_framework(const std::string& id);
  void put_agent(const mesos::v1::master::Response_GetAgents_Agent& agent, base::Instant now);
  void erase_agent(const std::string& id);
  void set_agent_addresses(const std::string& id, Agent& agent, std::vector<Address> addresses);
  void set_leader();
  void show(Framework& framework, Tracked& tracked);
  void hide(Framework& framework, Tracked& tracked);
  void append_records(const Framework& framework, const Task& task, std::vector<Record>& out) const;
  std::set<Record> framework_records(const Framework& framework);
  std::set<Record> master_records(std::optional<Endpoint> leader) const;
  std::vector<Address> addresses_of(const std::string& host);
  void swap_records(std::set<Record>& current, std::set<Record> next);

  RecordsOptions options_;
  std::map<std::string, Framework> frameworks_;
  std::map<std::string, Agent> agents_;
  std::string leader_host_;
  uint16_t leader_port_ = 0;
  std::set<Record> master_records_, vips_;
  std::map<std::string, std::vector<Address>> hosts_;
  std::set<std::string> unresolved_;
  ZoneEdit edit_;
  std::shared_ptr<const Zone> zone_;
  bool dirty_ = false, cluster_loaded_ = false, vips_loaded_ = false;
  bool replacing_ = false;  // records of tasks are made together, at the end
  size_t published_tasks_ = 0;
};

}  // namespace dns
