#pragma once

// Status updates, at least once and in order per task (pure): one outstanding update per task, sent again after 10 s
// doubling to 10 min until its framework acknowledges it.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "kernel/agent/records.pb.h"
#include "kernel/api/names.hpp"

namespace agent {

using api::is_terminal;

/// Framework and task.
using TaskKey = std::pair<std::string, std::string>;

constexpr base::Duration kFirstRetry = base::seconds(10);
constexpr base::Duration kLongestRetry = base::minutes(10);

class Updates {
 public:
  using Record = dcos::agent::v1::UpdateRecord;

  /// False: an update with that uuid was taken before. `record` gets its number.
  bool add(const TaskKey& task, Record& record);

  /// From the store, in order of their numbers.
  void restore(const TaskKey& task, Record record);

  /// The update to send now, when none is outstanding: then it is outstanding, until `retry_at`.
  const Record* take(const TaskKey& task, base::Instant now);

  /// The outstanding update again after its time has passed; null when it was acknowledged meanwhile.
  const Record* again(const TaskKey& task, base::Instant now);

  /// When the outstanding update is due again.
  base::Instant retry_at(const TaskKey& task) const;

  struct Acknowledged {
    uint64_t number = 0;   // of the record to erase
    bool terminal = false;
  };
  /// Absent: that is not the outstanding update.
  std::optional<Acknowledged> acknowledge(const TaskKey& task, const std::string& uuid);

  /// The connection to the master, or the framework's to it, is new: the first update of every task (of that framework
  /// alone when one is named) is to be sent, and waits from the start again.
  std::vector<TaskKey> start_over(const std::string& framework = {});

  void remove(const TaskKey& task) { streams_.erase(task); }
  bool pending(const TaskKey& task) const;
  std::vector<uint64_t> numbers(const TaskKey& task) const;
  const Record* front(const TaskKey& task) const;
  size_t size() const;

 private:
  struct Stream {
    std::deque<Record> waiting;
    std::set<std::string> seen;   // uuids, for duplicates
    std::deque<std::string> seen_order;
    bool outstanding = false;
    base::Duration backoff{0};
    base::Instant retry_at;
    uint64_t next_number = 1;
  };
  static bool is_new(Stream& stream, const std::string& uuid);

  std::map<TaskKey, Stream> streams_;
};

}  // namespace agent
