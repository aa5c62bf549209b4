#pragma once

// Everything the core knows, and one event's work on it.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "universe/effects.hpp"
#include "universe/events.hpp"
#include "universe/repository.hpp"

namespace universe {

/// A line of the ordered list of repositories.
struct Repository {
  std::string name, uri;
  bool operator==(const Repository&) const = default;
};

/// What is known of the repository at one URI. A copy once had is kept whatever happens to its source.
struct Source {
  std::shared_ptr<const RepositoryIndex> index;
  std::string etag;
  std::optional<base::Time> good_at;    // the source last confirmed the copy
  std::optional<base::Time> failed_at;  // since good_at
  std::string error;
  unsigned failures = 0;                // in a row
  bool fetching = false;
  std::optional<base::Time> next_at;
};

struct Policy {
  std::vector<Repository> first_repositories;  // of a new installation
  base::Duration refresh = base::minutes(5);
  base::Duration first_retry = base::seconds(5), last_retry = base::minutes(5);
  size_t max_repositories = 100;
  size_t max_pending = 1000;  // requests that wait for others
};

struct Turn;

struct State {
  std::vector<Repository> repositories;
  std::map<std::string, Source> sources;  // by URI
  std::shared_ptr<const Catalog> catalog = std::make_shared<Catalog>();
  bool changing_repositories = false;     // a commit of the list is under way

  Ticket next_ticket = 1;
  std::map<Ticket, std::function<void(Turn&, const FetchOutcome&)>> fetches;
  std::map<Ticket, std::function<void(Turn&, const base::Result<base::http::Response>&)>> asks;
  std::map<Ticket, std::function<void(Turn&, const base::Status&)>> commits;
  std::map<std::string, uint64_t> counters;
};

struct Turn {
  State& state;
  const Policy& policy;
  base::Random& random;
  base::Now now;
  Effects& out;

  void count(const std::string& name, uint64_t by = 1) { state.counters[name] += by; }
  Ticket ticket() { return state.next_ticket++; }
};

}  // namespace universe
