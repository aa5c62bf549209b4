#pragma once

// What happens to the core: the same in both job schedulers.

#include "jobs/events.hpp"

namespace chronos {

using jobs::ClockJumped;
using jobs::Event;
using jobs::HttpRequested;
using jobs::MasterEvent;
using jobs::MasterLost;
using jobs::Persisted;
using jobs::Recovered;
using jobs::TimerFired;

}  // namespace chronos
