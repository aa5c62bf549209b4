#pragma once

// JSON Schema draft-04, as far as options of packages use it (pure): validation that tells every violation with
// pointers, and defaults. Local references only; "format" and unknown keywords are ignored.

#include <boost/json/fwd.hpp>

#include <string>
#include <utility>
#include <vector>

namespace universe {

/// One thing that is wrong with an instance.
struct Violation {
  std::string schema;    // JSON pointer to the schema that is violated
  std::string instance;  // JSON pointer to the value that violates it
  std::string keyword;
  std::string message;
  std::string domain = "validation";  // "syntax": the schema itself is at fault
  std::vector<std::pair<std::string, std::string>> details{};  // further fields, as JSON texts
};

/// Everything that is wrong, up to a hundred violations; empty: valid. Work is bounded whatever schema and instance are.
std::vector<Violation> validate(const boost::json::value& schema, const boost::json::value& instance);

/// The defaults that a schema gives to its properties, as one object.
boost::json::object defaults_of(const boost::json::value& schema);

/// `over` onto `under`: objects are merged, everything else replaces.
void merge_into(boost::json::object& under, const boost::json::object& over);

}  // namespace universe
