#pragma once

// What happens to the core.

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/http/message.hpp"
#include "base/result.hpp"
#include "universe/effects.hpp"
#include "universe/repository.hpp"

namespace universe {

/// First event of a core: what the store holds.
struct Recovered {
  std::vector<std::pair<std::string, std::string>> records;
};

struct HttpRequested {
  CallId call = 0;
  base::http::Request request;
};

struct Persisted {
  Ticket ticket = 0;
  base::Status status;
};

struct TimerFired {
  TimerName timer;
};

/// How getting an index went.
struct FetchOutcome {
  enum class Kind {
    Fresh,        // here it is
    Unchanged,    // the copy that we have is the newest
    Unreachable,  // no answer, or none in time
    HttpStatus,   // an answer that is not the index
    ContentType,  // an answer of another kind
    Malformed,    // an answer that does not read, or beyond the limits
  };
  Kind kind = Kind::Unreachable;
  std::shared_ptr<const RepositoryIndex> index{};
  std::string etag{};
  int status = 0;       // with HttpStatus
  std::string cause{};  // a sentence; with ContentType: the type

  bool good() const { return kind == Kind::Fresh || kind == Kind::Unchanged; }
};

struct Fetched {
  Ticket ticket = 0;
  FetchOutcome outcome;
};

struct Answered {
  Ticket ticket = 0;
  base::Result<base::http::Response> response;
};

using Event = std::variant<Recovered, HttpRequested, Persisted, TimerFired, Fetched, Answered>;

}  // namespace universe
