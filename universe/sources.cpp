#include "universe/sources.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/json/writer.hpp"

namespace universe {
namespace {

constexpr std::string_view kTimer = "refresh|";

base::Result<std::vector<Repository>> parse_repositories(std::string_view text) {
  ASSIGN_OR_RETURN(const auto value, base::json::parse(text));
  if (!value.is_array()) return base::invalid("the list of repositories is not an array");
  std::vector<Repository> list;
  for (size_t i = 0; i < value.get_array().size(); ++i) {
    const std::string at = "/" + std::to_string(i);
    ASSIGN_OR_RETURN(std::string name, base::json::get_string(value, at + "/name"));
    ASSIGN_OR_RETURN(std::string uri, base::json::get_string(value, at + "/uri"));
    list.push_back({std::move(name), std::move(uri)});
  }
  return list;
}

void rebuild_catalog(Turn& turn) {
  std::vector<Catalog::Layer> layers;
  for (const Repository& repository : turn.state.repositories) {
    layers.push_back({repository.uri, turn.state.sources[repository.uri].index});
  }
  turn.state.catalog = std::make_shared<const Catalog>(layers);
}

void schedule(Turn& turn, const std::string& uri, base::Duration wait) {
  turn.state.sources[uri].next_at = turn.now.time + wait;
  turn.out.set_timer(std::string(kTimer) + uri, turn.now.instant + wait);
}

bool is_listed(const State& state, const std::string& uri) {
  return std::any_of(state.repositories.begin(), state.repositories.end(),
                     [&](const Repository& repository) { return repository.uri == uri; });
}

/// Doubling, with up to a quarter more so that many machines do not ask at once.
base::Duration retry_wait(Turn& turn, unsigned failures) {
  base::Duration wait = turn.policy.first_retry;
  for (unsigned i = 1; i < failures && wait < turn.policy.last_retry; ++i) wait *= 2;
  wait = std::min(wait, turn.policy.last_retry);
  return wait + turn.random.jitter(wait / 4);
}

void ask_for_copy(Turn& turn, const std::string& uri) {
  const Ticket ticket = turn.ticket();
  turn.state.fetches[ticket] = [uri](Turn& later, const FetchOutcome& outcome) {
    if (outcome.kind == FetchOutcome::Kind::Fresh && is_listed(later.state, uri)) {
      Source& source = later.state.sources[uri];
      source.index = outcome.index;
      source.etag = outcome.etag;
      rebuild_catalog(later);
    }
    refresh(later, uri);
  };
  turn.out.fetch({ticket, uri, "", true});
}

}  // namespace

std::string render_repositories(const std::vector<Repository>& list) {
  std::string text;
  base::json::Writer w(text);
  w.begin_array();
  for (const Repository& repository : list) {
    w.begin_object();
    w.field("name", repository.name);
    w.field("uri", repository.uri);
    w.end_object();
  }
  w.end_array();
  return text;
}

void recover_sources(Turn& turn, const Recovered& stored) {
  turn.state.repositories = turn.policy.first_repositories;
  for (const auto& [key, value] : stored.records) {
    if (key != kRepositoriesKey) continue;
    auto list = parse_repositories(value);
    if (list) {
      turn.state.repositories = std::move(*list);
    } else {
      turn.count("records_set_aside");
      turn.out.trace(TraceLevel::Error, "the stored list of repositories does not read and is set aside, the first "
                                        "list is used: " + list.error().message);
    }
  }
  for (const Repository& repository : turn.state.repositories) ask_for_copy(turn, repository.uri);
}

void refresh(Turn& turn, const std::string& uri) {
  Source& source = turn.state.sources[uri];
  if (source.fetching || !is_listed(turn.state, uri)) return;
  source.fetching = true;
  const Ticket ticket = turn.ticket();
  turn.state.fetches[ticket] = [uri](Turn& later, const FetchOutcome& outcome) {
    if (!is_listed(later.state, uri)) return;
    take_outcome(later, uri, outcome);
  };
  turn.count("fetches");
  turn.out.fetch({ticket, uri, source.index ? source.etag : "", false});
}

void take_outcome(Turn& turn, const std::string& uri, const FetchOutcome& outcome) {
  Source& source = turn.state.sources[uri];
  source.fetching = false;
  if (!outcome.good()) {
    turn.count("fetch_failures");
    source.failed_at = turn.now.time;
    source.error = outcome.cause;
    ++source.failures;
    schedule(turn, uri, retry_wait(turn, source.failures));
    turn.out.trace(TraceLevel::Warning, fmt::format("repository {}: {}{}", uri, outcome.cause,
                                                    source.index ? "; the last good copy stays in use" : ""));
    return;
  }
  source.good_at = turn.now.time;
  source.failed_at.reset();
  source.error.clear();
  source.failures = 0;
  schedule(turn, uri, turn.policy.refresh);
  if (outcome.kind == FetchOutcome::Kind::Unchanged) return;
  source.index = outcome.index;
  source.etag = outcome.etag;
  rebuild_catalog(turn);
  turn.out.trace(TraceLevel::Info, fmt::format("repository {}: {} package versions, {} set aside", uri,
                                               source.index->packages.size(), source.index->set_aside_count));
  for (const SetAside& item : source.index->set_aside) {
    turn.out.trace(TraceLevel::Warning, fmt::format("repository {}: {} is set aside: {}", uri, item.what, item.reason));
  }
}

void change_repositories(Turn& turn, std::vector<Repository> list,
                         std::function<void(Turn&, const base::Status&)> done) {
  const Ticket ticket = turn.ticket();
  turn.state.changing_repositories = true;
  turn.out.persist(ticket, {{kRepositoriesKey, render_repositories(list)}});
  turn.state.commits[ticket] = [list = std::move(list), done = std::move(done)](Turn& later,
                                                                                 const base::Status& status) {
    later.state.changing_repositories = false;
    if (status) {
      later.state.repositories = list;
      std::erase_if(later.state.sources, [&](const auto& item) {
        if (is_listed(later.state, item.first)) return false;
        later.out.cancel_timer(std::string(kTimer) + item.first);
        later.out.forget(item.first);
        return true;
      });
      rebuild_catalog(later);
    }
    done(later, status);
  };
}

void on_source_timer(Turn& turn, const TimerName& timer) {
  if (timer.starts_with(kTimer)) refresh(turn, timer.substr(kTimer.size()));
}

}  // namespace universe
