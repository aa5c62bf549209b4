#pragma once

// The list of repositories and the copies of their indexes: kept, refreshed, never waited for.

#include <string>
#include <vector>

#include "universe/state.hpp"

namespace universe {

constexpr const char* kRepositoriesKey = "repositories";

/// Reads the stored list (or takes the first one), asks for the copies on disk and then for news.
void recover_sources(Turn& turn, const Recovered& stored);

/// Asks for a repository's index unless that is under way.
void refresh(Turn& turn, const std::string& uri);

/// Takes over what a fetch brought; a failure leaves the copy as it is.
void take_outcome(Turn& turn, const std::string& uri, const FetchOutcome& outcome);

/// Makes the list durable, then calls `done`; on success it is in use.
void change_repositories(Turn& turn, std::vector<Repository> list,
                         std::function<void(Turn&, const base::Status&)> done);

std::string render_repositories(const std::vector<Repository>& list);

/// "refresh|<uri>" fired.
void on_source_timer(Turn& turn, const TimerName& timer);

}  // namespace universe
