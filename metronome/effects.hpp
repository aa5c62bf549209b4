#pragma once

// What the core asks its shell to do: what both job schedulers have.

#include "jobs/effects.hpp"

namespace metronome {

using jobs::CallId;
using jobs::CancelTimer;
using jobs::Exit;
using jobs::Persist;
using jobs::Reply;
using jobs::SendCall;
using jobs::SetTimer;
using jobs::Ticket;
using jobs::TimerName;
using jobs::Trace;
using jobs::TraceLevel;
using jobs::Write;

using Effects = jobs::EffectList<>;
using Effect = Effects::Effect;

}  // namespace metronome
