#pragma once

// From offers to launches, and how many offers we ask for.

#include <vector>

#include "marathon/offer.hpp"
#include "marathon/state.hpp"

namespace mesos::v1::scheduler {
class Event_Offers;
}

namespace marathon {

/// The instances that constraints count: active ones that run the current configuration.
std::vector<const Instance*> counted_instances(const AppRun& run);

/// Places as many waiting instances as fit, evenly over the offers; declines the rest.
void on_offers(Turn& turn, const mesos::v1::scheduler::Event_Offers& offers);

/// End of a turn: asks for offers when something became launchable.
void ask_for_offers(Turn& turn);

/// Timer "suppress": nothing has been wanted for a while.
void suppress_when_idle(Turn& turn);

}  // namespace marathon
