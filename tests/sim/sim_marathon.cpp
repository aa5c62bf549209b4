#include "tests/sim/sim_marathon.hpp"

namespace sim {

void SimMarathon::on_boot() {
  make_core();
  begin();
}

void SimMarathon::make_core() {
  boot_core(std::make_unique<marathon::Core>(policy_, marathon::Identity{name + ":8080", "1.11.24", "{}"},
                                             base::Random(context_.world.random().next())));
}

void SimMarathon::begin() {
  if (!recover()) return;
  dispatch(marathon::StreamOpened{"127.0.0.1:1"});  // somebody follows the events
  if (dead_) return;
  subscribe(scheduler_info("marathon", core().state().framework_id, policy_.defaults.role));
}

void SimMarathon::heard(const mesos::v1::TaskStatus& status) {
  if (status.state() == mesos::v1::TASK_UNREACHABLE || status.state() == mesos::v1::TASK_LOST)
    told_lost_.insert(status.task_id().value());
}

void SimMarathon::perform_own(marathon::Effect& effect) {
  if (auto* publish = std::get_if<marathon::Publish>(&effect)) {
    context_.world.trace(name, publish->type);
  } else if (auto* ask = std::get_if<marathon::Probe>(&effect)) {
    probe(*ask);
  }
}

void SimMarathon::probe(const marathon::Probe& probe) {
  auto& random = context_.world.random();
  marathon::Probed answer{probe.id, probe.kind == marathon::ProbeKind::Tcp ? 0 : 200, "", "", ""};
  base::Duration delay = base::milliseconds(1) + random.jitter(base::milliseconds(20));
  if (context_.faults_on && random.chance(probes_fail)) {
    const bool late = random.chance(0.5);
    if (late) delay = probe.timeout;
    answer.status = 0;
    answer.error = late ? "no answer in time" : "Connection refused";
  }
  context_.world.after(*this, delay, [this, answer] { dispatch(answer); });
}

}  // namespace sim
