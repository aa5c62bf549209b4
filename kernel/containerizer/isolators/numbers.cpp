#include "kernel/containerizer/isolators/numbers.hpp"

#include <algorithm>

#include "base/file.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace containerizer {

Result<std::vector<uint32_t>> NumberPool::take(const std::string& id, const std::string& runtime, size_t count) {
  const std::lock_guard guard(mutex_);
  std::vector<uint32_t> mine;
  size_t next = next_;
  for (size_t i = 0; i < all_.size() && mine.size() < count; ++i) {
    const size_t at = (next_ + i) % all_.size();
    const uint32_t number = all_[at];
    const bool taken = std::any_of(held_.begin(), held_.end(), [number](const auto& entry) {
      return std::find(entry.second.begin(), entry.second.end(), number) != entry.second.end();
    });
    if (taken) continue;
    mine.push_back(number);
    next = at + 1;
  }
  if (mine.size() < count)
    return base::unavailable("of " + std::to_string(all_.size()) + " only " + std::to_string(mine.size()) + " are free, and " +
                             std::to_string(count) + " are wanted");
  std::string text;
  for (const uint32_t number : mine) text += std::to_string(number) + "\n";
  RETURN_IF_ERROR(base::write_file_atomic(runtime + "/" + file_, text, 0600));
  held_[id] = mine;
  if (in_turn_) next_ = next % all_.size();
  return mine;
}

std::vector<uint32_t> NumberPool::recover(const std::string& id, const std::string& runtime) {
  std::vector<uint32_t> mine;
  const std::string text = base::read_file(runtime + "/" + file_, 1 << 16).value_or("");
  for (const auto line : base::tokenize(text, '\n'))
    if (const auto number = base::parse_uint(line)) mine.push_back(static_cast<uint32_t>(*number));
  const std::lock_guard guard(mutex_);
  if (!mine.empty()) held_[id] = mine;
  return mine;
}

void NumberPool::give_back(const std::string& id) {
  const std::lock_guard guard(mutex_);
  held_.erase(id);
}

std::vector<uint32_t> NumberPool::held_by(const std::string& id) const {
  const std::lock_guard guard(mutex_);
  const auto found = held_.find(id);
  return found == held_.end() ? std::vector<uint32_t>() : found->second;
}

}  // namespace containerizer
