#pragma once

// All records that are served, as an immutable value (pure): readers hold a snapshot, an edit makes the next one and
// shares everything that it did not touch. Names are lower case, without a final dot.
//
// Each record carries how many sources gave it (several tasks of one app on one agent share its address): it stays until
// the last of them is gone. Equal sources give an equal zone, whatever the order of the edits was.

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dns {

enum class Kind : uint8_t { A, AAAA, SRV };

/// The data of a record: 4 bytes, 16 bytes, or port (2 bytes, network order) and target name.
struct RecordView {
  Kind kind = Kind::A;
  std::string_view data;

  uint16_t port() const {
    return static_cast<uint16_t>(static_cast<uint8_t>(data[0]) << 8 | static_cast<uint8_t>(data[1]));
  }
  std::string_view target() const { return data.substr(2); }
};

std::string srv_data(uint16_t port, std::string_view target);

struct Record {
  std::string name;
  Kind kind = Kind::A;
  std::string data;
  auto operator<=>(const Record&) const = default;
};

/// The records of one name, kind by kind and sorted within a kind.
class Entry {
 public:
  class Iterator {
   public:
    explicit Iterator(const char* at) : at_(at) {}
    RecordView operator*() const;
    Iterator& operator++();
    uint32_t references() const;
    bool operator==(const Iterator& other) const { return at_ == other.at_; }

   private:
    const char* at_;
  };

  Entry() = default;
  Entry(const char* begin, const char* end) : begin_(begin), end_(end) {}
  explicit operator bool() const { return begin_ != end_; }
  Iterator begin() const { return Iterator(begin_); }
  Iterator end() const { return Iterator(end_); }

 private:
  const char* begin_ = nullptr;
  const char* end_ = nullptr;
};

class Zone {
 public:
  Zone();

  /// Empty when the name is unknown. Valid as long as this zone.
  Entry find(std::string_view name) const;

  /// Every record with its count of sources, in no particular order.
  void each(const std::function<void(std::string_view name, RecordView record, uint32_t references)>& visit) const;

  size_t names() const { return names_; }
  size_t records() const { return records_; }

  /// Serial numbers and what is loaded are the publisher's to set; the records are compared.
  uint32_t serial = 0;
  bool cluster_loaded = false;  // the master's state was seen: its names can be denied
  bool vips_loaded = false;

  bool same_records(const Zone& other) const;

 private:
  friend class ZoneEdit;

  static constexpr size_t kPages = 64, kShardsPerPage = 64;

  /// A few dozen names: their hashes, and one block of bytes.
  struct Shard {
    struct Slot {
      uint32_t hash = 0;
      uint32_t offset = 0;
      bool operator==(const Slot&) const = default;
    };
    std::vector<Slot> slots;  // sorted by hash, then name
    std::string block;        // per name: length, name, size of its records (4 bytes), records
    bool operator==(const Shard&) const = default;
  };
  using Page = std::array<std::shared_ptr<const Shard>, kShardsPerPage>;

  std::array<std::shared_ptr<const Page>, kPages> pages_;
  size_t names_ = 0, records_ = 0;
};

/// Collects changes and makes the next zone of them.
class ZoneEdit {
 public:
  void add(Record record) { changes_.push_back({std::move(record), 1}); }
  void remove(Record record) { changes_.push_back({std::move(record), -1}); }
  bool empty() const { return changes_.empty(); }
  size_t size() const { return changes_.size(); }

  /// The zone that follows `base`; the edit is empty afterwards. Removing what is not there has no effect.
  std::shared_ptr<Zone> apply(const Zone& base);

 private:
  struct Change {
    Record record;
    int delta = 0;
    uint32_t hash = 0;
  };

  /// The shard that follows `old` by `changes`, which are sorted by name.
  static std::shared_ptr<const Zone::Shard> rebuild(const Zone::Shard& old, std::span<Change> changes, Zone& next);

  std::vector<Change> changes_;
};

}  // namespace dns
