#pragma once

// What is wrong with a body, field by field: {"message":"Object is not valid","details":[{"path":...,"errors":[...]}]}.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace metronome {

class Problems {
 public:
  /// `path` is a JSON pointer; empty: the whole object.
  void add(std::string_view path, std::string error);

  bool none() const { return list_.empty(); }

  /// The body of the refusal.
  std::string render() const;

  /// In one line, for the log.
  std::string summary() const;

 private:
  std::vector<std::pair<std::string, std::vector<std::string>>> list_{};
};

}  // namespace metronome
