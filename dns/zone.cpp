#include "dns/zone.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <span>

namespace dns {
namespace {

// A record: kind (1 byte), sources (4), length of its data (1), data.
constexpr size_t kRecordHead = 6;

uint32_t read_u32(const char* at) {
  uint32_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

void append_u32(std::string& out, uint32_t value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// FNV-1a with a final mix, so that both ends of the number can choose a place.
uint32_t hash_of(std::string_view name) {
  uint64_t hash = 14695981039346656037ull;
  for (char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 1099511628211ull;
  hash ^= hash >> 32;
  hash *= 0x9e3779b97f4a7c15ull;
  return static_cast<uint32_t>(hash >> 32);
}

size_t page_of(uint32_t hash) { return hash >> 26; }
size_t shard_of(uint32_t hash) { return (hash >> 20) & 63; }

using Records = std::map<std::pair<Kind, std::string>, uint32_t>;  // to the count of sources

std::string_view name_at(const std::string& block, size_t offset) {
  return {block.data() + offset + 1, static_cast<uint8_t>(block[offset])};
}

Entry entry_at(const std::string& block, size_t offset) {
  const size_t size_at = offset + 1 + static_cast<uint8_t>(block[offset]);
  const char* begin = block.data() + size_at + 4;
  return Entry(begin, begin + read_u32(block.data() + size_at));
}

void append_entry(std::string& block, std::string_view name, const Records& records) {
  block.push_back(static_cast<char>(name.size()));
  block.append(name);
  const size_t size_at = block.size();
  append_u32(block, 0);
  for (const auto& [key, references] : records) {
    block.push_back(static_cast<char>(key.first));
    append_u32(block, references);
    block.push_back(static_cast<char>(key.second.size()));
    block.append(key.second);
  }
  const auto size = static_cast<uint32_t>(block.size() - size_at - 4);
  std::memcpy(block.data() + size_at, &size, sizeof size);
}

Records read_records(const Entry& entry) {
  Records records;
  for (auto it = entry.begin(); it != entry.end(); ++it) {
    const RecordView record = *it;
    records.emplace_hint(records.end(), std::pair(record.kind, std::string(record.data)), it.references());
  }
  return records;
}

}  // namespace

std::string srv_data(uint16_t port, std::string_view target) {
  std::string data{static_cast<char>(port >> 8), static_cast<char>(port & 255)};
  data.append(target);
  return data;
}

RecordView Entry::Iterator::operator*() const {
  return {static_cast<Kind>(at_[0]), {at_ + kRecordHead, static_cast<uint8_t>(at_[5])}};
}

Entry::Iterator& Entry::Iterator::operator++() {
  at_ += kRecordHead + static_cast<uint8_t>(at_[5]);
  return *this;
}

uint32_t Entry::Iterator::references() const { return read_u32(at_ + 1); }

Zone::Zone() {
  static const auto empty_page = [] {
    auto page = std::make_shared<Page>();
    page->fill(std::make_shared<const Shard>());
    return page;
  }();
  pages_.fill(empty_page);
}

Entry Zone::find(std::string_view name) const {
  const uint32_t hash = hash_of(name);
  const Shard& shard = *(*pages_[page_of(hash)])[shard_of(hash)];
  const auto before = [](const Shard::Slot& slot, uint32_t h) { return slot.hash < h; };
  auto slot = std::lower_bound(shard.slots.begin(), shard.slots.end(), hash, before);
  for (; slot != shard.slots.end() && slot->hash == hash; ++slot) {
    if (name_at(shard.block, slot->offset) == name) return entry_at(shard.block, slot->offset);
  }
  return {};
}

void Zone::each(const std::function<void(std::string_view, RecordView, uint32_t)>& visit) const {
  for (const auto& page : pages_) {
    for (const auto& shard : *page) {
      for (const Shard::Slot& slot : shard->slots) {
        const Entry entry = entry_at(shard->block, slot.offset);
        for (auto it = entry.begin(); it != entry.end(); ++it) {
          visit(name_at(shard->block, slot.offset), *it, it.references());
        }
      }
    }
  }
}

bool Zone::same_records(const Zone& other) const {
  for (size_t page = 0; page < kPages; ++page) {
    if (pages_[page] == other.pages_[page]) continue;
    for (size_t shard = 0; shard < kShardsPerPage; ++shard) {
      if (!(*(*pages_[page])[shard] == *(*other.pages_[page])[shard])) return false;
    }
  }
  return true;
}

std::shared_ptr<const Zone::Shard> ZoneEdit::rebuild(const Zone::Shard& old, std::span<Change> changes, Zone& next) {
  auto shard = std::make_shared<Zone::Shard>();
  shard->slots.reserve(old.slots.size() + 1);
  shard->block.reserve(old.block.size() + 128);
  const auto copy = [&](const Zone::Shard::Slot& slot) {
    const size_t head = 1 + static_cast<uint8_t>(old.block[slot.offset]) + 4;
    const size_t size = head + read_u32(old.block.data() + slot.offset + head - 4);
    shard->slots.push_back({slot.hash, static_cast<uint32_t>(shard->block.size())});
    shard->block.append(old.block, slot.offset, size);
  };
  const auto place = [&](const Zone::Shard::Slot& slot) { return std::pair(slot.hash, name_at(old.block, slot.offset)); };

  auto slot = old.slots.begin();
  for (size_t i = 0; i < changes.size();) {
    const std::string& name = changes[i].record.name;
    size_t end = i + 1;
    while (end < changes.size() && changes[end].record.name == name) ++end;
    const auto here = std::pair(changes[i].hash, std::string_view(name));
    while (slot != old.slots.end() && place(*slot) < here) copy(*slot++);
    const bool known = slot != old.slots.end() && place(*slot) == here;
    Records records;
    if (known) records = read_records(entry_at(old.block, slot++->offset));
    const size_t before = records.size();
    for (const Change& change : changes.subspan(i, end - i)) {
      const auto key = std::pair(change.record.kind, change.record.data);
      const auto found = records.find(key);
      if (change.delta > 0) {
        ++(found == records.end() ? records.emplace(key, 0).first : found)->second;
      } else if (found != records.end() && --found->second == 0) {
        records.erase(found);
      }
    }
    next.records_ += records.size() - before;
    if (known) --next.names_;
    if (!records.empty()) ++next.names_;
    if (!records.empty()) {
      shard->slots.push_back({changes[i].hash, static_cast<uint32_t>(shard->block.size())});
      append_entry(shard->block, name, records);
    }
    i = end;
  }
  while (slot != old.slots.end()) copy(*slot++);
  shard->slots.shrink_to_fit();
  shard->block.shrink_to_fit();
  return shard;
}

std::shared_ptr<Zone> ZoneEdit::apply(const Zone& base) {
  auto next = std::make_shared<Zone>(base);
  for (Change& change : changes_) change.hash = hash_of(change.record.name);
  // Additions first: what is removed and added again in one edit must not be lost on the way.
  std::sort(changes_.begin(), changes_.end(), [](const Change& a, const Change& b) {
    if (a.hash != b.hash) return a.hash < b.hash;
    if (a.record.name != b.record.name) return a.record.name < b.record.name;
    return a.delta > b.delta;
  });
  for (size_t i = 0; i < changes_.size();) {
    const size_t page = page_of(changes_[i].hash);
    auto fresh = std::make_shared<Zone::Page>(*next->pages_[page]);
    while (i < changes_.size() && page_of(changes_[i].hash) == page) {
      const size_t shard = shard_of(changes_[i].hash);
      size_t end = i;
      while (end < changes_.size() && page_of(changes_[end].hash) == page && shard_of(changes_[end].hash) == shard) ++end;
      (*fresh)[shard] = rebuild(*(*fresh)[shard], std::span(changes_).subspan(i, end - i), *next);
      i = end;
    }
    next->pages_[page] = std::move(fresh);
  }
  changes_.clear();
  changes_.shrink_to_fit();
  return next;
}

}  // namespace dns
