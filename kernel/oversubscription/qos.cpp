#include "kernel/oversubscription/qos.hpp"

#include <fmt/core.h>

#include "base/numbers.hpp"

namespace oversubscription {
namespace {

class LoadController final : public QosController {
 public:
  LoadController(std::optional<double> five, std::optional<double> fifteen) : five_(five), fifteen_(fifteen) {}

  std::vector<Correction> corrections(const std::vector<Executor>& running, const Load& load) override {
    std::string why;
    if (five_ && load.five > *five_) why = over("5 minutes", load.five, *five_);
    if (fifteen_ && load.fifteen > *fifteen_) why = over("15 minutes", load.fifteen, *fifteen_);
    std::vector<Correction> out;
    if (why.empty()) return out;
    for (const Executor& executor : running) {
      const auto lent = executor.allocated.revocable();
      if (lent.empty()) continue;
      out.push_back({executor.framework, executor.executor, executor.container,
                     "Preempted: it ran on revocable resources (" + lent.text() + "), and the machine's " + why});
    }
    return out;
  }

 private:
  static std::string over(const char* span, double load, double threshold) {
    return fmt::format("load of {} is {:.2f}, above the threshold of {:g}", span, load, threshold);
  }

  std::optional<double> five_, fifteen_;
};

}  // namespace

base::Result<std::unique_ptr<QosController>> make_controller(const std::string& name, const Parameters& parameters) {
  if (name.empty()) return std::unique_ptr<QosController>();
  const std::string flag = "--qos_controller=" + name + " ";
  if (name != kLoadController) return base::unsupported(flag + "is not supported by this build; it has " + kLoadController);
  std::optional<double> five, fifteen;
  for (const auto& [key, value] : parameters) {
    if (key != "load_threshold_5min" && key != "load_threshold_15min")
      return base::invalid(flag + "has no parameter '" + key + "'; it has load_threshold_5min and load_threshold_15min");
    const auto parsed = base::parse_double(value);
    if (!parsed || !(*parsed >= 0)) return base::invalid(flag + "parameter " + key + " must be a number that is not negative");
    (key == "load_threshold_5min" ? five : fifteen) = *parsed;
  }
  if (!five && !fifteen) return base::invalid(flag + "needs the parameter load_threshold_5min or load_threshold_15min");
  return std::unique_ptr<QosController>(std::make_unique<LoadController>(five, fifteen));
}

}  // namespace oversubscription
