#include "kernel/resources/name.hpp"

#include <memory>
#include <mutex>
#include <unordered_map>

namespace resources {

struct Name::Table {
  std::mutex mutex;
  std::unordered_map<std::string_view, std::unique_ptr<Node>> nodes;  // keys point into the nodes
};

Name::Table& Name::table() {
  static auto* table = new Table();  // never destroyed: names outlive static destruction
  return *table;
}

Name::Name(std::string_view text) {
  if (text.empty()) return;
  Table& names = table();
  std::lock_guard lock(names.mutex);
  auto found = names.nodes.find(text);
  if (found == names.nodes.end()) {
    auto node = std::make_unique<Node>();
    node->text = std::string(text);
    std::string_view key = node->text;
    found = names.nodes.emplace(key, std::move(node)).first;
  }
  node_ = found->second.get();
  node_->references.fetch_add(1, std::memory_order_relaxed);
}

void Name::forget(const Node* node) {
  // The last reference is given up under the lock only, so that nobody can find a node that is being deleted.
  uint64_t count = node->references.load(std::memory_order_relaxed);
  while (count > 1) {
    if (node->references.compare_exchange_weak(count, count - 1, std::memory_order_release)) return;
  }
  Table& names = table();
  std::lock_guard lock(names.mutex);
  if (node->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    auto found = names.nodes.find(std::string_view(node->text));
    auto keep = std::move(found->second);
    names.nodes.erase(found);
  }
}

const std::string& Name::str() const {
  static const auto* none = new std::string();
  return node_ ? node_->text : *none;
}

}  // namespace resources
