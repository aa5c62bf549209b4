#include "kernel/executor/check_state.hpp"

#include <algorithm>
#include <cmath>

namespace executor {

using mesos::v1::CheckInfo;
using mesos::v1::CheckStatusInfo;
using mesos::v1::HealthCheck;

base::Duration from_seconds(double seconds) {
  constexpr double kMost = 1e9;  // 30 years
  if (std::isnan(seconds)) return base::Duration::zero();
  return base::Duration(static_cast<int64_t>(std::clamp(seconds, 0.0, kMost) * 1e9));
}

base::Instant CheckState::first_probe(base::Instant started) const {
  return started + from_seconds(info_.delay_seconds());
}

base::Instant CheckState::next_probe(base::Instant ended) const {
  return ended + from_seconds(info_.interval_seconds());
}

CheckStatusInfo CheckState::empty_status() const {
  CheckStatusInfo status;
  status.set_type(info_.type());
  switch (info_.type()) {
    case CheckInfo::COMMAND: status.mutable_command(); break;
    case CheckInfo::HTTP: status.mutable_http(); break;
    case CheckInfo::TCP: status.mutable_tcp(); break;
    default: break;
  }
  return status;
}

bool CheckState::took_result(const ProbeResult& result) {
  CheckStatusInfo fresh = empty_status();
  if (result.exit_code && fresh.has_command()) fresh.mutable_command()->set_exit_code(*result.exit_code);
  if (result.http_status && fresh.has_http())
    fresh.mutable_http()->set_status_code(static_cast<uint32_t>(*result.http_status));
  if (result.tcp_succeeded && fresh.has_tcp()) fresh.mutable_tcp()->set_succeeded(*result.tcp_succeeded);
  const bool changed = fresh.SerializeAsString() != status_.SerializeAsString();
  status_ = std::move(fresh);
  return changed;
}

base::Instant HealthState::first_probe(base::Instant started) const {
  return started + from_seconds(info_.delay_seconds());
}

base::Instant HealthState::next_probe(base::Instant ended) const {
  return ended + from_seconds(info_.interval_seconds());
}

bool HealthState::passed(const ProbeResult& result) const {
  if (result.exit_code) return *result.exit_code == 0;
  if (result.tcp_succeeded) return *result.tcp_succeeded;
  if (!result.http_status) return false;
  const auto& accepted = info_.http().statuses();
  if (accepted.empty()) return *result.http_status >= 200 && *result.http_status < 400;
  return std::find(accepted.begin(), accepted.end(), static_cast<uint32_t>(*result.http_status)) != accepted.end();
}

HealthState::Verdict HealthState::took_result(const ProbeResult& result, base::Duration running_for) {
  Verdict verdict;
  if (passed(result)) {
    verdict.report = healthy_ != true;
    healthy_ = true;
    succeeded_once_ = true;
    failures_ = 0;
    return verdict;
  }
  if (!succeeded_once_ && running_for < from_seconds(info_.grace_period_seconds())) return verdict;
  ++failures_;
  healthy_ = false;
  verdict.report = true;
  verdict.kill = failures_ >= std::max<uint32_t>(info_.consecutive_failures(), 1);
  if (!result.message.empty())
    verdict.message = result.message;
  else if (result.exit_code)
    verdict.message = "Health check command exited with status " + std::to_string(*result.exit_code);
  else if (result.http_status)
    verdict.message = "Health check got HTTP status " + std::to_string(*result.http_status);
  else
    verdict.message = "Health check could not connect";
  return verdict;
}

}  // namespace executor
