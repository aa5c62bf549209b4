#include "tests/sim/planted.hpp"

#include "base/testing/planted.hpp"

namespace {
std::string active;
}  // namespace

namespace base {

// In place of the library's, which always says no.
bool planted(std::string_view name) { return !active.empty() && name == active; }

}  // namespace base

namespace sim {

void plant(const std::string& name) { active = name; }

const std::vector<PlantedBug>& planted_bugs() {
  static const std::vector<PlantedBug> all = {
      {"master/answers-before-the-write", "wide", 100, "was told"},
      {"master/forgets-deactivation", "wide", 100, "was told"},
      {"master/lets-gone-agents-back", "wide", 100, "gone"},
      {"master/offers-deactivated-agents-again", "wide", 100, "told otherwise"},
      {"master/ended-tasks-keep-resources", "kernel", 20, "is available"},
      {"master/takes-an-offer-twice", "kernel", 20, "is available"},
      {"master/keeps-acknowledgements", "kernel", 20, "not done"},
      {"master/keeps-what-is-free", "kernel", 50, "not done"},
      {"master/remembers-everything", "wide", 100, "remembers"},
      {"master/queues-every-call", "wide", 50, "calls that wait"},
      {"master/gives-up-draining", "wide", 300, "has not drained"},
      {"master/forgets-orders-for-the-away", "wide", 300, "told otherwise"},
      {"master/gives-orphans-up", "wide", 300, "no scheduler had been told"},
      {"master/acknowledges-for-others", "kernel", 100, "no scheduler had been told"},
      {"master/acts-after-its-lease", "ha", 100, "acts while"},
      {"agent/tells-before-it-is-written", "kernel", 200, "after the terminal"},
      {"agent/takes-any-acknowledgement", "wide", 100, ""},
      {"agent/forgets-volumes", "wide", 100, "volume"},
      {"store/trusts-its-copy", "marathon-ha", 400, ""},
      {"executor/lets-siblings-live", "marathon", 60, "of the same pod"},
      {"marathon/takes-refusals-for-writes", "marathon", 200, "the store says"},
      {"marathon/stops-what-is-needed", "marathon", 200, "shall be"},
      {"marathon/starts-beyond-capacity", "marathon", 60, "at most"},
      {"marathon/lets-strangers-live", "marathon", 60, "wanted"},
      {"marathon/asks-once-for-a-kill", "marathon", 60, "goes on"},
      {"marathon/stores-one-container", "marathon", 60, "disturbed"},
      {"marathon/relaunches-half-a-pod", "marathon", 200, "at most"},
      {"marathon/keeps-what-is-nobodys", "marathon", 60, "nobody's"},
      {"marathon/scales-volumes-away", "marathon", 60, "nobody has asked"},
      {"marathon/launches-without-volumes", "marathon", 60, "without its volume"},
      {"marathon/takes-a-siblings-volume", "marathon", 100, "on the data of"},
      {"marathon/believes-in-what-was-sent", "marathon", 400, "has lost its volume"},
      {"allocator/ignores-limits", "wide", 100, "limit"},
      {"allocator/offers-foreign-reservations", "wide", 100, "reserved"},
      {"allocator/ignores-shares", "fair", 20, "share"},
  };
  return all;
}

}  // namespace sim
