#include "tests/sim/sim_chronos.hpp"

namespace sim {

namespace {

// Rules of zones are data of a machine; runs from a seed do without.
class UtcOnly : public base::TimeZones {
 public:
  std::shared_ptr<const base::Zone> find(const std::string&) const override { return nullptr; }
};
const UtcOnly kUtcOnly;

}  // namespace

void SimChronos::on_boot() {
  boot_core(std::make_unique<chronos::Core>(policy_, name + ":4400", kUtcOnly));
  if (recover()) subscribe(scheduler_info("chronos", core().state().framework_id, "*"));
}

void SimChronos::perform_own(chronos::Effect& effect) {
  if (auto* notice = std::get_if<chronos::Notify>(&effect)) context_.world.trace(name, notice->subject);
}

base::Now SimChronos::clock() const {
  base::Now now = context_.world.now();
  now.time = now.time + clock_offset_;
  return now;
}

void SimChronos::set_clock(base::Duration offset, bool noticed) {
  clock_offset_ = offset;
  if (up() && noticed) dispatch(chronos::ClockJumped{});
}

}  // namespace sim
