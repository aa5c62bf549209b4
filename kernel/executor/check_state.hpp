#pragma once

// When a task's checks run and what their results mean (pure). One object per check or health check.

#include <optional>
#include <string>

#include "base/time.hpp"
#include "kernel/api/mesos/v1/commands.pb.h"

namespace executor {

/// What a probe found. One of the three values is set when the probe came to a result; `message` says why not, or why a
/// health check failed.
struct ProbeResult {
  std::optional<int> exit_code;
  std::optional<int> http_status;
  std::optional<bool> tcp_succeeded;
  std::string message;
};

/// TaskInfo.check: results are reported when they change, never acted on.
class CheckState {
 public:
  explicit CheckState(mesos::v1::CheckInfo info) : info_(std::move(info)) { status_ = empty_status(); }

  base::Instant first_probe(base::Instant started) const;
  base::Instant next_probe(base::Instant ended) const;

  /// True when the status to report has changed.
  bool took_result(const ProbeResult& result);

  /// With the type and, once there is one, the last result.
  const mesos::v1::CheckStatusInfo& status() const { return status_; }

  /// Type and no result, as in updates before the first run and in the last one.
  mesos::v1::CheckStatusInfo empty_status() const;

  const mesos::v1::CheckInfo& info() const { return info_; }

 private:
  mesos::v1::CheckInfo info_;
  mesos::v1::CheckStatusInfo status_;
};

/// TaskInfo.health_check: repeated failures end the task.
class HealthState {
 public:
  explicit HealthState(mesos::v1::HealthCheck info) : info_(std::move(info)) {}

  base::Instant first_probe(base::Instant started) const;
  base::Instant next_probe(base::Instant ended) const;

  struct Verdict {
    bool report = false;   // send an update with healthy()
    bool kill = false;
    std::string message;   // why it is unhealthy
  };

  /// `running_for`: since the task's start; failures within the grace period do not count before the first success.
  Verdict took_result(const ProbeResult& result, base::Duration running_for);

  std::optional<bool> healthy() const { return healthy_; }
  const mesos::v1::HealthCheck& info() const { return info_; }

 private:
  bool passed(const ProbeResult& result) const;

  mesos::v1::HealthCheck info_;
  std::optional<bool> healthy_;
  bool succeeded_once_ = false;
  uint32_t failures_ = 0;
};

/// Seconds of the API as a duration; huge and negative values are cut.
base::Duration from_seconds(double seconds);

}  // namespace executor
