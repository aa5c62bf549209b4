#pragma once

// From offers to tasks: wanted runs are placed, written down, and launched when that is durable.

#include "metronome/state.hpp"

namespace mesos::v1::scheduler {
class Event;
class Event_Offers;
}

namespace metronome {

void on_offers(Turn& turn, const mesos::v1::scheduler::Event_Offers& offers);

/// Asks for offers when runs wait and offers are not coming by themselves. The end of each turn.
void ask_for_offers(Turn& turn);

/// Timer "suppress": no offers are wanted while nothing waits.
void suppress_when_idle(Turn& turn);

/// An event of the master.
void on_master_event(Turn& turn, const mesos::v1::scheduler::Event& event);

}  // namespace metronome
