#include "kernel/agent/updates.hpp"
#include "base/testing/planted.hpp"

#include <algorithm>

namespace agent {

bool Updates::is_new(Stream& stream, const std::string& uuid) {
  constexpr size_t kRemembered = 1000;
  if (!stream.seen.insert(uuid).second) return false;
  stream.seen_order.push_back(uuid);
  if (stream.seen_order.size() > kRemembered) {
    stream.seen.erase(stream.seen_order.front());
    stream.seen_order.pop_front();
  }
  return true;
}

bool Updates::add(const TaskKey& task, Record& record) {
  Stream& stream = streams_[task];
  if (!is_new(stream, record.status().uuid())) return false;
  record.set_number(stream.next_number++);
  stream.waiting.push_back(record);
  return true;
}

void Updates::restore(const TaskKey& task, Record record) {
  Stream& stream = streams_[task];
  if (!is_new(stream, record.status().uuid())) return;
  stream.next_number = std::max(stream.next_number, record.number() + 1);
  stream.waiting.push_back(std::move(record));
}

const Updates::Record* Updates::take(const TaskKey& task, base::Instant now) {
  const auto found = streams_.find(task);
  if (found == streams_.end() || found->second.outstanding || found->second.waiting.empty()) return nullptr;
  Stream& stream = found->second;
  stream.outstanding = true;
  stream.backoff = kFirstRetry;
  stream.retry_at = now + stream.backoff;
  return &stream.waiting.front();
}

const Updates::Record* Updates::again(const TaskKey& task, base::Instant now) {
  const auto found = streams_.find(task);
  if (found == streams_.end() || !found->second.outstanding || now < found->second.retry_at) return nullptr;
  Stream& stream = found->second;
  stream.backoff = std::min(stream.backoff * 2, kLongestRetry);
  stream.retry_at = now + stream.backoff;
  return &stream.waiting.front();
}

base::Instant Updates::retry_at(const TaskKey& task) const {
  const auto found = streams_.find(task);
  return found == streams_.end() ? base::Instant() : found->second.retry_at;
}

std::optional<Updates::Acknowledged> Updates::acknowledge(const TaskKey& task, const std::string& uuid) {
  const auto found = streams_.find(task);
  if (found == streams_.end() || found->second.waiting.empty()) return std::nullopt;
  Stream& stream = found->second;
  const Record& front = stream.waiting.front();
  if (front.status().uuid() != uuid && !base::planted("agent/takes-any-acknowledgement")) return std::nullopt;
  const Acknowledged result{front.number(), is_terminal(front.status().state())};
  stream.waiting.pop_front();
  stream.outstanding = false;
  return result;
}

std::vector<TaskKey> Updates::start_over(const std::string& framework) {
  std::vector<TaskKey> due;
  for (auto& [task, stream] : streams_) {
    if (!framework.empty() && task.first != framework) continue;
    stream.outstanding = false;
    if (!stream.waiting.empty()) due.push_back(task);
  }
  return due;
}

bool Updates::pending(const TaskKey& task) const {
  const auto found = streams_.find(task);
  return found != streams_.end() && !found->second.waiting.empty();
}

const Updates::Record* Updates::front(const TaskKey& task) const {
  const auto found = streams_.find(task);
  return found == streams_.end() || found->second.waiting.empty() ? nullptr : &found->second.waiting.front();
}

std::vector<uint64_t> Updates::numbers(const TaskKey& task) const {
  std::vector<uint64_t> all;
  if (const auto found = streams_.find(task); found != streams_.end())
    for (const Record& record : found->second.waiting) all.push_back(record.number());
  return all;
}

size_t Updates::size() const {
  size_t total = 0;
  for (const auto& [task, stream] : streams_) total += stream.waiting.size();
  return total;
}

}  // namespace agent
