// Endpoints of the list of repositories, and the state of their copies.

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "universe/api/api.hpp"
#include "universe/sources.hpp"

namespace universe {
namespace {

namespace json = boost::json;

constexpr size_t kMaxNameBytes = 200, kMaxUriBytes = 2000;

json::value list_body(const std::vector<Repository>& repositories) {
  json::array list;
  for (const Repository& repository : repositories) {
    list.push_back({{"name", repository.name}, {"uri", repository.uri}});
  }
  return {{"repositories", std::move(list)}};
}

Refusal concurrent() {
  return {.type = "ConcurrentAccess",
          .message = "Retry operation. Operation didn't complete due to concurrent access."};
}

Refusal store_failed(const base::Status& status) {
  return {.status = status.error().code == base::Code::NoSpace ? 507 : 500,
          .type = "unhandled_exception",
          .message = "the list of repositories could not be stored: " + status.error().message};
}

bool has_blank_or_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; });
}

/// Whether it can be a repository at all, before anything is fetched.
std::optional<Refusal> check_uri(const Repository& wanted) {
  const size_t colon = wanted.uri.find(':');
  if (wanted.uri.size() > kMaxUriBytes || has_blank_or_control(wanted.uri) || colon == std::string::npos) {
    return uri_syntax(wanted.name, wanted.uri, "a URI is <scheme>:<rest>, without blanks, at most 2,000 bytes");
  }
  const std::string scheme = wanted.uri.substr(0, colon);
  const bool remote = scheme == "http" || scheme == "https";
  if (!remote && scheme != "file" && scheme != "bundled") return unsupported_uri(wanted.uri);
  const bool complete = scheme == "file" ? wanted.uri.starts_with("file:///") && wanted.uri.size() > 8
                                         : wanted.uri.substr(colon).starts_with("://") && wanted.uri.size() > colon + 3;
  if (complete) return std::nullopt;
  return uri_syntax(wanted.name, wanted.uri, scheme == "file" ? "write file:///absolute/path" : "the host is missing");
}

/// Names and URIs are unique, and the list is bounded.
std::optional<Refusal> check_new(const Turn& turn, const Repository& wanted, std::optional<int64_t> index) {
  const auto& list = turn.state.repositories;
  const auto has = [&](std::string Repository::*field) {
    return std::any_of(list.begin(), list.end(), [&](const Repository& r) { return r.*field == wanted.*field; });
  };
  const bool same_name = has(&Repository::name), same_uri = has(&Repository::uri);
  if (same_name || same_uri) {
    return repository_present(same_name ? &wanted.name : nullptr, same_uri ? &wanted.uri : nullptr);
  }
  if (index && (*index < 0 || static_cast<size_t>(*index) > list.size())) {
    return index_out_of_bounds(*index, list.size());
  }
  if (list.size() >= turn.policy.max_repositories) return too_many("repositories");
  return std::nullopt;
}

Refusal fetch_refusal(const Repository& wanted, const FetchOutcome& outcome) {
  switch (outcome.kind) {
    case FetchOutcome::Kind::HttpStatus: return repository_http_error(wanted.name, wanted.uri, outcome.status);
    case FetchOutcome::Kind::ContentType: return unsupported_content_type(outcome.cause);
    default: return cannot_reach(wanted.name, wanted.uri, outcome.cause);
  }
}

void commit_add(Turn& turn, const Caller& caller, const Repository& wanted, std::optional<int64_t> index,
                const FetchOutcome& outcome) {
  // The list may have changed while the repository was looked at.
  if (auto refusal = check_new(turn, wanted, index)) return refuse(turn, caller, *refusal);
  if (turn.state.changing_repositories) return refuse(turn, caller, concurrent());
  auto list = turn.state.repositories;
  const auto at = index ? static_cast<std::ptrdiff_t>(*index) : static_cast<std::ptrdiff_t>(list.size());
  list.insert(list.begin() + at, wanted);
  change_repositories(turn, std::move(list), [caller, wanted, outcome](Turn& later, const base::Status& status) {
    if (!status) return refuse(later, caller, store_failed(status));
    take_outcome(later, wanted.uri, outcome);
    answer(later, caller, list_body(later.state.repositories));
  });
}

std::string_view state_word(const Source& source) {
  if (!source.index) return source.failures == 0 ? "loading" : "unavailable";
  return source.failures == 0 ? "ok" : "stale";
}

void write_source(base::json::Writer& w, const Repository& repository, const Source& source) {
  w.begin_object();
  w.field("name", repository.name);
  w.field("uri", repository.uri);
  w.field("state", state_word(source));
  if (source.good_at) w.field("lastGood", base::render_iso8601(*source.good_at));
  if (source.failed_at) {
    w.field("lastFailure", base::render_iso8601(*source.failed_at));
    w.field("error", source.error);
    w.field("failures", source.failures);
  }
  if (source.next_at) w.field("nextTry", base::render_iso8601(*source.next_at));
  w.field("packageVersions", source.index ? source.index->packages.size() : 0);
  w.field("setAsideCount", source.index ? source.index->set_aside_count : 0);
  w.key("setAside");
  w.begin_array();
  if (source.index) {
    for (const SetAside& item : source.index->set_aside) {
      w.begin_object();
      w.field("package", item.what);
      w.field("reason", item.reason);
      w.end_object();
    }
  }
  w.end_array();
  w.end_object();
}

}  // namespace

void list_repositories(Turn& turn, const Caller& caller, const json::object&) {
  answer(turn, caller, list_body(turn.state.repositories));
}

void add_repository(Turn& turn, const Caller& caller, const json::object& fields) {
  Body body(fields);
  const Repository wanted{body.text("name"), body.text("uri")};
  const auto index = body.maybe_int("index");
  if (auto problem = body.problem()) return refuse(turn, caller, *problem);
  if (wanted.name.empty() || wanted.name.size() > kMaxNameBytes) {
    return refuse(turn, caller, not_parsed("body", "/name must be 1 to 200 bytes"));
  }
  if (auto refusal = check_uri(wanted)) return refuse(turn, caller, *refusal);
  if (auto refusal = check_new(turn, wanted, index)) return refuse(turn, caller, *refusal);
  if (turn.state.fetches.size() >= turn.policy.max_pending) return refuse(turn, caller, too_many("repositories"));
  const Ticket ticket = turn.ticket();
  turn.state.fetches[ticket] = [caller, wanted, index](Turn& later, const FetchOutcome& outcome) {
    if (outcome.kind == FetchOutcome::Kind::Fresh) return commit_add(later, caller, wanted, index, outcome);
    refuse(later, caller, fetch_refusal(wanted, outcome));
  };
  turn.out.fetch({ticket, wanted.uri, "", false});
}

void delete_repository(Turn& turn, const Caller& caller, const json::object& fields) {
  Body body(fields);
  const auto name = body.maybe_text("name"), uri = body.maybe_text("uri");
  if (auto problem = body.problem()) return refuse(turn, caller, *problem);
  if (!name && !uri) return refuse(turn, caller, name_or_uri_missing());
  auto list = turn.state.repositories;
  const size_t removed = std::erase_if(list, [&](const Repository& repository) {
    return (!name || repository.name == *name) && (!uri || repository.uri == *uri);
  });
  if (removed == 0) {
    return refuse(turn, caller, repository_not_present(name ? &*name : nullptr, uri ? &*uri : nullptr));
  }
  if (turn.state.changing_repositories) return refuse(turn, caller, concurrent());
  change_repositories(turn, std::move(list), [caller](Turn& later, const base::Status& status) {
    if (!status) return refuse(later, caller, store_failed(status));
    answer(later, caller, list_body(later.state.repositories));
  });
}

std::string render_source_status(const State& state) {
  static const Source kUnknown;
  std::string text;
  base::json::Writer w(text);
  w.begin_object();
  w.key("repositories");
  w.begin_array();
  for (const Repository& repository : state.repositories) {
    const auto source = state.sources.find(repository.uri);
    write_source(w, repository, source == state.sources.end() ? kUnknown : source->second);
  }
  w.end_array();
  w.end_object();
  return text;
}

}  // namespace universe
