// Limits of calls per principal: reading them, and holding back what comes too fast.
//
// The original limits drivers that speak its message protocol and leaves HTTP alone. Here everybody speaks HTTP: a call over the
// rate waits for its turn, and its sender for the answer; a call that finds the queue full is answered 429 and dropped.

#include "kernel/master/rate_limits.hpp"

#include <fmt/core.h>

#include <boost/json.hpp>

#include <algorithm>
#include <cmath>

#include "base/json/value.hpp"
#include "base/testing/planted.hpp"
#include "kernel/master/core.hpp"

namespace master {

namespace json = boost::json;

namespace {

base::Result<double> positive(const json::value& value, const std::string& where) {
  double number = 0;
  if (!base::json::to_double(value, number) || !(number > 0) || number > 1e9)
    return base::invalid(where + " must be a number of calls per second, more than 0 and at most 1e9");
  return number;
}

base::Result<uint64_t> capacity_of(const json::value& value, const std::string& where) {
  uint64_t number = 0;
  if (!base::json::to_uint(value, number) || number > RateLimits::kMostWaiting)
    return base::invalid(fmt::format("{} must be a number of calls, at most {}", where, RateLimits::kMostWaiting));
  return number;
}

base::Error unknown(const std::string& where, std::string_view known) {
  return base::invalid(where + " is not known; there are " + std::string(known));
}

base::Status read_limit(const json::value& value, const std::string& where, RateLimits& out) {
  if (!value.is_object()) return base::invalid(where + " must be an object");
  RateLimits::Limit limit;
  std::string principal;
  for (const auto& member : value.get_object()) {
    const std::string at = where + "/" + std::string(member.key());
    if (member.key() == "principal") {
      if (!member.value().is_string() || member.value().get_string().empty())
        return base::invalid(at + " must be a string that is not empty");
      principal = member.value().get_string();
    } else if (member.key() == "qps") {
      ASSIGN_OR_RETURN(limit.qps, positive(member.value(), at));
    } else if (member.key() == "capacity") {
      ASSIGN_OR_RETURN(limit.capacity, capacity_of(member.value(), at));
    } else {
      return unknown(at, "principal, qps and capacity");
    }
  }
  if (principal.empty()) return base::invalid(where + "/principal is missing");
  if (!out.principals.emplace(principal, limit).second) return base::invalid(where + ": principal '" + principal + "' appears twice");
  return {};
}

base::Duration interval(double qps) { return base::Duration(static_cast<int64_t>(std::ceil(1e9 / qps))); }

}  // namespace

base::Result<RateLimits> RateLimits::parse(std::string_view text) {
  ASSIGN_OR_RETURN(const json::value document, base::json::parse(text));
  if (!document.is_object()) return base::invalid("rate limits must be a JSON object");
  RateLimits out;
  std::optional<uint64_t> capacity;
  for (const auto& member : document.get_object()) {
    const std::string at = "/" + std::string(member.key());
    if (member.key() == "limits") {
      if (!member.value().is_array()) return base::invalid(at + " must be an array");
      size_t index = 0;
      for (const json::value& element : member.value().get_array()) {
        RETURN_IF_ERROR(read_limit(element, at + "/" + std::to_string(index++), out));
      }
    } else if (member.key() == "aggregate_default_qps") {
      if (!out.others) out.others = RateLimits::Limit{};
      ASSIGN_OR_RETURN(out.others->qps, positive(member.value(), at));
    } else if (member.key() == "aggregate_default_capacity") {
      ASSIGN_OR_RETURN(capacity, capacity_of(member.value(), at));
    } else {
      return unknown(at, "limits, aggregate_default_qps and aggregate_default_capacity");
    }
  }
  if (capacity && !out.others) return base::invalid("/aggregate_default_capacity needs /aggregate_default_qps");
  if (out.others) out.others->capacity = capacity;
  return out;
}

const RateLimits::Limit* RateLimits::find(const std::string& principal) const {
  const auto named = principals.find(principal);
  const Limit* limit = named != principals.end() ? &named->second : others ? &*others : nullptr;
  return limit != nullptr && limit->qps ? limit : nullptr;
}

bool Core::hold_back(SchedulerCallReceived& event, const Framework& framework) {
  const std::string& principal = framework.info->principal();
  const RateLimits::Limit* limit = policy_.rate_limits.find(principal);
  if (limit == nullptr) return false;
  const bool named = policy_.rate_limits.principals.contains(principal);
  const std::string key = named ? principal : std::string();  // no principal that is named is empty
  Limiter& limiter = limiters_[key];
  if (limiter.waiting.empty() && now_.instant >= limiter.next) {
    limiter.next = now_.instant + interval(*limit->qps);
    return false;
  }
  const uint64_t capacity = limit->capacity.value_or(RateLimits::kMostWaiting);
  if (limiter.waiting.size() >= capacity && !base::planted("master/queues-every-call")) {
    std::string why = fmt::format("Message {} dropped: capacity({}) exceeded",
                                  mesos::v1::scheduler::Call::Type_Name(event.call.type()), capacity);
    warning(fmt::format("framework {} ('{}') of {}: {}", framework.id, framework.info->name(),
                        principal.empty() ? "no principal" : "principal '" + principal + "'", why));
    count(Metric::DroppedMessages);
    out_->reply(event.call_id, 429, std::move(why));
    return true;
  }
  limiter.waiting.push_back(std::move(event));
  if (limiter.timer == 0) limiter.timer = start_timer(limiter.next - now_.instant, [this, key] { let_through(key); });
  return true;
}

void Core::let_through(const std::string& key) {
  Limiter& limiter = limiters_[key];
  limiter.timer = 0;
  if (limiter.waiting.empty()) return;
  SchedulerCallReceived event = std::move(limiter.waiting.front());
  limiter.waiting.pop_front();
  const auto named = policy_.rate_limits.principals.find(key);
  const RateLimits::Limit& limit = named == policy_.rate_limits.principals.end() ? *policy_.rate_limits.others : named->second;
  limiter.next = now_.instant + interval(*limit.qps);
  if (!limiter.waiting.empty()) {
    limiter.timer = start_timer(limiter.next - now_.instant, [this, key] { let_through(key); });
  }
  process_call(event);
}

void Core::forget_messages_of(const std::string& principal) {
  const bool used = std::any_of(state_.frameworks.begin(), state_.frameworks.end(),
                                [&](const auto& entry) { return entry.second->info->principal() == principal; });
  if (!used) state_.messages.erase(principal);
}

}  // namespace master
