#pragma once

// What the core asks for.

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "l4lb/service_table.hpp"
#include "l4lb/types.hpp"

namespace l4lb {

struct Send {
  Endpoint to;
  std::string bytes;
};

/// Answered by Persisted.
struct Persist {
  uint64_t ticket = 0;
  std::vector<std::pair<std::string, std::optional<std::string>>> writes;  // absent: erase
};

/// The kernel shall forward like this from now on; services that are not named stay as they are.
struct Program {
  std::vector<ServiceChange> changes;
};

struct Record {
  std::string name;
  Address address;
  auto operator<=>(const Record&) const = default;
};
/// Names that came and went.
struct RecordsChanged {
  std::vector<Record> added, removed;
};

/// Replaces the timer: TimerFired at this time.
struct Wake {
  base::Instant at;
};

struct Trace {
  enum class Level { Info, Warning };
  Level level = Level::Info;
  std::string text;
};

struct Count {
  const char* metric;
  uint64_t by = 1;
};

using Effect = std::variant<Send, Persist, Program, RecordsChanged, Wake, Trace, Count>;

struct Effects {
  std::vector<Effect> list;
  void add(Effect effect) { list.push_back(std::move(effect)); }
};

}  // namespace l4lb
