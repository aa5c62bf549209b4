#include "base/store/zookeeper.hpp"

#include <algorithm>

#include "base/numbers.hpp"
#include "base/store/zookeeper_impl.hpp"
#include "base/strings.hpp"

namespace base {

namespace {

constexpr size_t kOpOverhead = 96;  // of one step of a change beside its path and data: lengths, versions, rights

size_t size_of(const zk::Op& op) { return op.path.size() + op.data.size() + kOpOverhead; }

size_t size_of(const std::vector<zk::Op>& ops) {
  size_t sum = 0;
  for (const zk::Op& op : ops) sum += size_of(op);
  return sum;
}

}  // namespace

// Names ------------------------------------------------------------------------------------------------------------

std::string node_name(const std::string& key) {
  if (key.empty()) return "%";
  std::string name = percent_encode(key);
  // "." and ".." are no names.
  if (name.front() == '.') name = "%2E" + name.substr(1);
  return name;
}

std::string key_of_node(const std::string& name) { return name == "%" ? "" : percent_decode(name); }

std::string bucket_name(size_t bucket) {
  constexpr char digits[] = "0123456789abcdef";
  return {digits[bucket / 16], digits[bucket % 16]};
}

size_t bucket_of(const std::string& name) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a: the same in every version of this program
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  return (hash ^ (hash >> 32)) % kBuckets;
}

std::string ZooKeeperStore::Impl::node_of(const std::string& key, int part) const {
  const std::string name = node_name(key);
  return root("kv/") + bucket_name(bucket_of(name)) + "/" + name + (part < 0 ? "" : "+" + std::to_string(part));
}

// The journal's form: for each write the length of the key, the key, and the length of the value plus one (0: erase) ---

namespace {

void put_number(std::string& out, uint64_t number) {
  for (int shift = 0; shift < 64; shift += 8) out.push_back(static_cast<char>((number >> shift) & 0xff));
}

bool take_number(std::string_view& bytes, uint64_t& number) {
  if (bytes.size() < 8) return false;
  number = 0;
  for (int i = 0; i < 8; ++i) number |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[static_cast<size_t>(i)])) << (8 * i);
  bytes.remove_prefix(8);
  return true;
}

bool take_bytes(std::string_view& bytes, uint64_t size, std::string& out) {
  if (size > bytes.size()) return false;
  out.assign(bytes.substr(0, size));
  bytes.remove_prefix(size);
  return true;
}

}  // namespace

std::string encode_writes(const std::map<std::string, std::optional<std::string>>& writes) {
  std::string out;
  for (const auto& [key, value] : writes) {
    put_number(out, key.size());
    out += key;
    put_number(out, value ? value->size() + 1 : 0);
    if (value) out += *value;
  }
  return out;
}

Result<std::map<std::string, std::optional<std::string>>> decode_writes(std::string_view bytes) {
  std::map<std::string, std::optional<std::string>> writes;
  const Error error{Code::Corrupt, "the journal of the store does not decode"};
  while (!bytes.empty()) {
    uint64_t size = 0;
    std::string key, value;
    if (!take_number(bytes, size) || !take_bytes(bytes, size, key) || !take_number(bytes, size)) return error;
    if (size == 0) {
      writes[key] = std::nullopt;
      continue;
    }
    if (!take_bytes(bytes, size - 1, value)) return error;
    writes[key] = std::move(value);
  }
  return writes;
}

// Commits ----------------------------------------------------------------------------------------------------------

void ZooKeeperStore::Impl::fail_later(Done done, Error error) {
  host.after(Duration(0), [weak = weak_from_this(), done = std::move(done), error = std::move(error)] {
    if (const auto self = weak.lock(); self && !self->stopped && done) done(error);
  });
}

void ZooKeeperStore::Impl::fence(const std::string& why) {
  if (fenced) return;
  fenced = true;
  fenced_why = why;
  const Error error = conflict(why);
  auto waiting = std::move(queue);
  queue.clear();
  if (change) {
    Change lost = std::move(*change);
    change.reset();
    fail_later(std::move(lost.done), error);
  }
  for (Pending& pending : waiting) fail_later(std::move(pending.done), error);
  if (callbacks.on_fenced) callbacks.on_fenced(why);
}

void ZooKeeperStore::Impl::commit(StoreBatch batch, Done done) {
  if (fenced) return fail_later(std::move(done), conflict(fenced_why));
  if (broken) return fail_later(std::move(done), Error{Code::Io, "the store on ZooKeeper could not finish an earlier change"});
  if (queue.size() >= options.max_queued) {
    return fail_later(std::move(done), unavailable("too many commits wait for ZooKeeper"));
  }
  size_t bytes = 0;
  for (const auto& write : batch.writes) bytes += write.key.size() + (write.value ? write.value->size() : 0) + 2 * kOpOverhead;
  if (bytes > options.max_batch_bytes) {
    return fail_later(std::move(done), Error{Code::TooLarge, "a commit of " + std::to_string(bytes) + " bytes is too large"});
  }
  queue.push_back({std::move(batch), std::move(done), bytes});
  next_group();
}

void ZooKeeperStore::Impl::next_group() {
  if (busy || fenced || broken || queue.empty()) return;
  busy = true;
  // What waits goes together, as far as it fits.
  std::vector<Pending> group;
  size_t bytes = 0;
  while (!queue.empty() && (group.empty() || bytes + queue.front().bytes <= options.max_change_bytes * 9 / 10)) {
    bytes += queue.front().bytes;
    group.push_back(std::move(queue.front()));
    queue.pop_front();
  }
  commit_group(std::move(group));
}

void ZooKeeperStore::Impl::commit_group(std::vector<Pending> group) {
  Writes writes;
  for (Pending& pending : group) {
    for (auto& write : pending.batch.writes) writes[std::move(write.key)] = std::move(write.value);
  }
  auto dones = std::make_shared<std::vector<Done>>();
  for (Pending& pending : group) dones->push_back(std::move(pending.done));
  const auto finish = [this, dones](const Status& status) {
    busy = false;
    const auto self = shared_from_this();
    for (const Done& done : *dones) {
      if (done && !stopped) done(status);
    }
    if (!stopped) next_group();
  };
  auto kept = std::make_shared<Writes>(std::move(writes));
  Change next;
  next.rebuild = [this, kept](Change& out) {
    for (const auto& [key, value] : *kept) make_ops(key, value, out);
  };
  next.rebuild(next);
  if (size_of(next.ops) + 2 * kOpOverhead > options.max_change_bytes) {
    return commit_by_journal(std::move(*kept), finish);
  }
  next.done = [this, kept, finish](const Status& status) {
    if (status) {
      for (auto& [key, value] : *kept) remember(key, std::move(value));
    }
    finish(status);
  };
  run(std::move(next));
}

/// What the nodes of a key must become.
void ZooKeeperStore::Impl::make_ops(const std::string& key, const std::optional<std::string>& value, Change& out) const {
  const auto found = entries.find(key);
  const Entry* old = found == entries.end() ? nullptr : &found->second;
  const auto add = [&](zk::Op::Kind kind, int part, std::string data, int32_t version) {
    out.ops.push_back({kind, node_of(key, part), std::move(data), version});
    out.targets.push_back({key, part});
  };
  const size_t old_parts = old ? old->parts.size() : 0;
  size_t parts = 0;
  if (value) {
    const bool whole = value->size() <= options.max_value_bytes;
    parts = whole ? 0 : (value->size() + options.max_value_bytes - 1) / options.max_value_bytes;
    std::string data = whole ? "v" + *value : "s" + std::to_string(parts);
    const bool exists = old && old->exists;
    add(exists ? zk::Op::Kind::Set : zk::Op::Kind::Create, -1, std::move(data), exists ? old->version : -1);
  } else if (old && old->exists) {
    add(zk::Op::Kind::Remove, -1, "", old->version);
  }
  for (size_t i = 0; i < std::max(parts, old_parts); ++i) {
    const int32_t version = i < old_parts ? old->parts[i] : -1;
    if (i >= parts) {
      add(zk::Op::Kind::Remove, static_cast<int>(i), "", version);
    } else {
      add(i < old_parts ? zk::Op::Kind::Set : zk::Op::Kind::Create, static_cast<int>(i),
          value->substr(i * options.max_value_bytes, options.max_value_bytes), version);
    }
  }
}

/// The change was performed: what the nodes are now.
void ZooKeeperStore::Impl::remember(const std::string& key, std::optional<std::string> value) {
  if (!value) {
    entries.erase(key);
    return;
  }
  const auto [at, fresh] = entries.try_emplace(key);
  Entry& entry = at->second;
  entry.version = fresh || !entry.exists ? 0 : entry.version + 1;
  entry.exists = entry.readable = true;
  const bool whole = value->size() <= options.max_value_bytes;
  const size_t parts = whole ? 0 : (value->size() + options.max_value_bytes - 1) / options.max_value_bytes;
  const size_t old_parts = entry.parts.size();
  entry.parts.resize(parts, 0);
  for (size_t i = 0; i < std::min(parts, old_parts); ++i) ++entry.parts[i];
  entry.value = *std::move(value);
}

// A batch that does not fit into one change: written beside, pointed to (that is the commit), then carried out -------

void ZooKeeperStore::Impl::commit_by_journal(Writes writes, std::function<void(Status)> done) {
  const auto bytes = std::make_shared<const std::string>(encode_writes(writes));
  const size_t piece_bytes = std::min(options.max_value_bytes, options.max_change_bytes * 9 / 10);
  const size_t pieces = (bytes->size() + piece_bytes - 1) / piece_bytes;
  const uint64_t number = commit_number;
  auto kept = std::make_shared<Writes>(std::move(writes));
  auto next_piece = std::make_shared<std::function<void(size_t)>>();
  *next_piece = [this, bytes, piece_bytes, pieces, number, kept, done,
                 weak = std::weak_ptr<std::function<void(size_t)>>(next_piece)](size_t i) {
    Change step;
    if (i < pieces) {
      step.ops.push_back({zk::Op::Kind::Create, root("journal/") + std::to_string(number) + "-" + std::to_string(i),
                          bytes->substr(i * piece_bytes, piece_bytes)});
    } else {
      step.ops.push_back({zk::Op::Kind::Set, root("journal"), std::to_string(number) + " " + std::to_string(pieces),
                          journal_version});
    }
    step.done = [this, i, pieces, number, kept, done, again = weak.lock()](const Status& status) {
      if (!status) return done(status);  // pieces that nothing points to are swept at the next opening
      if (i < pieces) return (*again)(i + 1);
      ++journal_version;
      apply_journaled(kept, pieces, number, done);
    };
    run(std::move(step));
  };
  (*next_piece)(0);
}

/// Carries out as much as fits into one change, and again, until nothing is left; then the journal is emptied.
void ZooKeeperStore::Impl::apply_journaled(std::shared_ptr<Writes> writes, size_t pieces, uint64_t number,
                                           std::function<void(Status)> done) {
  auto part = std::make_shared<Writes>();
  size_t bytes = 0;
  while (!writes->empty()) {
    Change one;
    make_ops(writes->begin()->first, writes->begin()->second, one);
    const size_t more = size_of(one.ops);
    if (!part->empty() && bytes + more > options.max_change_bytes * 9 / 10) break;
    bytes += more;
    part->insert(writes->extract(writes->begin()));
  }
  const auto finish = [this, writes, pieces, number, part, done](const Status& status) {
    if (!status) {
      broken = true;  // it is committed: the next opening carries it out
      return done(status);
    }
    if (part->empty()) {
      ++journal_version;
      return done({});
    }
    for (auto& [key, value] : *part) remember(key, std::move(value));
    apply_journaled(writes, pieces, number, done);
  };
  Change step;
  if (part->empty()) {
    step.ops.push_back({zk::Op::Kind::Set, root("journal"), "", journal_version});
    for (size_t i = 0; i < pieces; ++i) {
      step.ops.push_back({zk::Op::Kind::Remove, root("journal/") + std::to_string(number) + "-" + std::to_string(i)});
    }
  } else if (bytes > options.max_change_bytes * 9 / 10) {
    return apply_parts(part, finish);
  } else {
    step.rebuild = [this, part](Change& out) {
      for (const auto& [key, value] : *part) make_ops(key, value, out);
    };
    step.rebuild(step);
  }
  step.done = finish;
  run(std::move(step));
}

/// One value of many nodes, node by node: the journal makes them one.
void ZooKeeperStore::Impl::apply_parts(std::shared_ptr<Writes> part, std::function<void(Status)> done) {
  auto next = std::make_shared<std::function<void(size_t)>>();
  *next = [this, part, done, weak = std::weak_ptr<std::function<void(size_t)>>(next)](size_t i) {
    const auto build = [this, part, i](Change& out) {
      Change all;
      make_ops(part->begin()->first, part->begin()->second, all);
      if (i >= all.ops.size()) return;
      out.ops.push_back(std::move(all.ops[i]));
      out.targets.push_back(std::move(all.targets[i]));
    };
    Change one;
    build(one);
    if (one.ops.empty()) return done({});
    one.rebuild = build;
    one.done = [i, done, again = weak.lock()](const Status& status) {
      if (!status) return done(status);
      (*again)(i + 1);
    };
    run(std::move(one));
  };
  (*next)(0);
}

// The store --------------------------------------------------------------------------------------------------------

ZooKeeperStore::ZooKeeperStore(zk::Host host, Options options, Callbacks callbacks)
    : impl_(std::make_shared<Impl>(std::move(host), std::move(options), std::move(callbacks))) {}

ZooKeeperStore::~ZooKeeperStore() {
  impl_->stopped = true;
  if (impl_->retry_timer != 0) impl_->host.cancel(impl_->retry_timer);
  impl_->client.reset();
  impl_->change.reset();  // its callbacks hold the store
  impl_->queue.clear();
}

void ZooKeeperStore::follow() {
  impl_->load.emplace();
  impl_->connect();
}

void ZooKeeperStore::open(std::function<void(Status)> done) {
  const bool followed = impl_->load.has_value();
  if (!followed) impl_->load.emplace();
  impl_->load->done = std::move(done);
  if (!followed) return impl_->connect();
  if (impl_->load->running) return impl_->begin_taking();
  if (impl_->reconnecting) impl_->connect();  // now, not after the pause of one that only follows
}

void ZooKeeperStore::commit(StoreBatch batch, Done done) { impl_->commit(std::move(batch), std::move(done)); }

Result<std::vector<StoreEntry>> ZooKeeperStore::scan(const std::string& prefix) {
  std::vector<StoreEntry> found;
  for (auto at = impl_->entries.lower_bound(prefix); at != impl_->entries.end() && at->first.starts_with(prefix); ++at) {
    if (at->second.readable) found.push_back({at->first, at->second.value});
  }
  return found;
}

Result<std::optional<std::string>> ZooKeeperStore::get(const std::string& key) {
  const auto found = impl_->entries.find(key);
  if (found == impl_->entries.end() || !found->second.readable) return std::optional<std::string>();
  return std::optional<std::string>(found->second.value);
}

}  // namespace base
