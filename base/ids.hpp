#pragma once

// Strong string ids: a FrameworkId is not an AgentId although both are strings on the wire.

#include <compare>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace base {

template <class Tag>
class StrongId {
 public:
  StrongId() = default;
  explicit StrongId(std::string value) : value_(std::move(value)) {}
  explicit StrongId(std::string_view value) : value_(value) {}
  explicit StrongId(const char* value) : value_(value) {}

  const std::string& value() const { return value_; }
  bool empty() const { return value_.empty(); }
  auto operator<=>(const StrongId&) const = default;

 private:
  std::string value_;
};

}  // namespace base

template <class Tag>
struct std::hash<base::StrongId<Tag>> {
  size_t operator()(const base::StrongId<Tag>& id) const noexcept {
    return std::hash<std::string>()(id.value());
  }
};
