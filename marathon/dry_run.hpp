#pragma once

// "What would this change do, and where would it find room?" Answered with the plan's steps, and with what the agents have
// to offer now: they are asked for offers, which are looked at and declined.

#include <string>
#include <vector>

#include "marathon/offer.hpp"
#include "marathon/state.hpp"

namespace marathon {

/// Answers `call` when offers have come, or after a short while without any; at once when nothing is to be placed.
/// `steps` is the plan as JSON. Refused with 503 when too many wait already.
void begin_dry_run(Turn& turn, CallId call, std::vector<AppChange> changes, std::string steps);

/// Answers those who wait with what is left of `offers` after this turn's launches.
void answer_dry_runs(Turn& turn, const std::vector<Offer>& offers);

/// Timer "dry-run": no offers have come.
void on_dry_run_timer(Turn& turn);

}  // namespace marathon
