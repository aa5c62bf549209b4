#include "kernel/oversubscription/estimator.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>

#include "base/numbers.hpp"
#include "kernel/resources/parse.hpp"

namespace oversubscription {
namespace {

using resources::Resource;
using resources::Resources;

Resources revocable(const Resources& plain) {
  Resources out;
  for (Resource resource : plain) {
    resources::KindData data = resource.kind.data();
    data.revocable = true;
    resource.kind = resources::Kind(std::move(data));
    out.add(std::move(resource));
  }
  return out;
}

class Fixed final : public Estimator {
 public:
  explicit Fixed(Resources total) : total_(std::move(total)) {}
  Resources total(const Sample&) override { return total_; }

 private:
  Resources total_;
};

class Usage final : public Estimator {
 public:
  Usage(base::Duration window, double headroom) : window_(window), headroom_(headroom) {}

  Resources total(const Sample& sample) override {
    double idle = 0, lent = 0;
    std::map<std::string, History> seen;
    for (const Executor& executor : sample.executors) {
      lent += executor.allocated.revocable().cpus().value_or(0);
      const double given = executor.allocated.non_revocable().cpus().value_or(0);
      History history = std::move(histories_[executor.container]);
      observe(history, sample.at, executor.cpu_seconds);
      // One that was not watched for a whole window may need everything yet.
      if (given > 0 && history.since && sample.at - *history.since >= window_) {
        double most = 0;
        for (const auto& [at, rate] : history.rates) most = std::max(most, rate);
        idle += std::max(0.0, given * (1 - headroom_) - most);
      }
      seen.emplace(executor.container, std::move(history));
    }
    histories_ = std::move(seen);  // those that ended are forgotten
    // Whole tenths: a new estimate takes offers back, so small changes are none.
    const double cpus = std::max(std::floor(idle * 10) / 10, lent);
    return cpus > 0 ? revocable(resources::make_scalar("cpus", cpus)) : Resources();
  }

 private:
  struct History {
    std::optional<base::Instant> since, last;
    double seconds = 0;
    std::deque<std::pair<base::Instant, double>> rates;  // CPUs used up to then, within the window
  };

  void observe(History& history, base::Instant now, double seconds) const {
    if (history.last && now > *history.last && seconds >= history.seconds) {
      const double elapsed = std::chrono::duration<double>(now - *history.last).count();
      history.rates.emplace_back(now, (seconds - history.seconds) / elapsed);
    }
    while (!history.rates.empty() && now - history.rates.front().first > window_) history.rates.pop_front();
    if (!history.since) history.since = now;
    history.last = now;
    history.seconds = seconds;
  }

  base::Duration window_;
  double headroom_;
  std::map<std::string, History> histories_;  // by container
};

base::Result<std::unique_ptr<Estimator>> make_fixed(const Parameters& parameters) {
  std::string text;
  for (const auto& [key, value] : parameters) {
    if (key != "resources") return base::invalid("has no parameter '" + key + "'; it has resources");
    text = value;
  }
  auto total = resources::parse_resources(text, "*");
  if (!total) return total.error().with_context("parameter resources");
  if (total->resources.empty()) return base::invalid("needs the parameter resources, such as cpus:2;mem:1024");
  for (const Resource& resource : total->resources)
    if (resource.kind.reserved() || resource.kind.data().disk)
      return base::invalid("parameter resources: reserved resources and disks cannot be revocable");
  return std::unique_ptr<Estimator>(std::make_unique<Fixed>(revocable(total->resources)));
}

base::Result<std::unique_ptr<Estimator>> make_usage(const Parameters& parameters) {
  base::Duration window = base::minutes(5);
  double headroom = 0.2;
  for (const auto& [key, value] : parameters) {
    if (key == "window") {
      const auto parsed = base::parse_duration(value);
      if (!parsed || *parsed < base::seconds(1))
        return base::invalid("parameter window must be a duration of a second or more, such as 5mins");
      window = *parsed;
    } else if (key == "headroom") {
      const auto parsed = base::parse_double(value);
      if (!parsed || !(*parsed >= 0) || *parsed > 1) return base::invalid("parameter headroom must be a number from 0 to 1");
      headroom = *parsed;
    } else {
      return base::invalid("has no parameter '" + key + "'; it has window and headroom");
    }
  }
  return std::unique_ptr<Estimator>(std::make_unique<Usage>(window, headroom));
}

}  // namespace

base::Result<std::unique_ptr<Estimator>> make_estimator(const std::string& name, const Parameters& parameters) {
  if (name.empty()) return std::unique_ptr<Estimator>();
  auto made = name == kFixedEstimator   ? make_fixed(parameters)
              : name == kUsageEstimator ? make_usage(parameters)
                                        : base::unsupported("is not supported by this build; it has " + std::string(kFixedEstimator) +
                                                            " and " + kUsageEstimator);
  if (!made) return base::Error{made.error().code, "--resource_estimator=" + name + " " + made.error().message};
  return made;
}

}  // namespace oversubscription
