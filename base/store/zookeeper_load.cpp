// Taking over and loading: nodes made, epoch ours, every node read, the journal carried out. Whoever follows has read the
// nodes before: each is watched, and what has changed is read again, a little later while the store is somebody else's and
// at once when it has become ours. After the answer to our own first change nothing changes any more, and ZooKeeper tells
// of every change before it on the same connection first: when nothing is left to be read then, the copy is exact.

#include <algorithm>

#include "base/numbers.hpp"
#include "base/store/zookeeper_impl.hpp"
#include "base/strings.hpp"
#include "base/testing/planted.hpp"
#include "base/zk/paths.hpp"

namespace base {

namespace {

constexpr size_t kMostReads = 512;  // under way at a time
constexpr Duration kShortestPause = milliseconds(500);
constexpr int kPausesPerRead = 10;  // who follows is idle for so many times as long as it has read
constexpr Duration kLookAgain = seconds(5);  // by one that may not read the store

}  // namespace

/// A connection is there: (again) from the start.
void ZooKeeperStore::Impl::load_step() {
  if (load->running) return;
  ZooKeeperLoad fresh;
  fresh.done = std::move(load->done);
  fresh.taken = load->taken;
  fresh.running = true;
  fresh.began = host.now();
  for (size_t i = 0; i < kBuckets; ++i) fresh.to_list.insert(i);
  host.cancel(load->pause_timer);
  load = std::move(fresh);
  if (load->done) return begin_taking();
  read_more();
}

void ZooKeeperStore::Impl::begin_taking() {
  client->get(root("kv/") + bucket_name(kBuckets - 1), guarded([](Impl& self, zk::Rc rc, const std::string&, zk::Stat) {
                if (rc == zk::Rc::Ok) return self.take_over();  // made before
                if (rc != zk::Rc::NoNode) return self.restart_load(rc);
                zk::make_path(*self.client, self.options.path, self.guarded([](Impl& s, zk::Rc made) {
                                if (made != zk::Rc::Ok) return s.restart_load(made);
                                s.make_buckets(0);
                              }));
              }));
}

/// What is there cannot be a whole store, and trying again will not mend it.
void ZooKeeperStore::Impl::refuse_load(const std::string& why) {
  const auto done = std::move(load->done);
  load.reset();
  done(Error{Code::Corrupt, "the store at " + options.path + " is not whole: " + why +
                                ". Restore the store from a backup, or create the node to go on without it"});
}

/// With a new session, so that nothing of this attempt is heard any more.
void ZooKeeperStore::Impl::restart_load(zk::Rc rc) {
  if (!load || !load->running) return;
  load->running = false;
  const bool lost = rc == zk::Rc::ConnectionLoss || rc == zk::Rc::SessionExpired;
  if (!lost) trouble("the store at " + options.path + " cannot be opened yet: " + std::string(describe(rc)));
  reconnect_after(lost || load->done ? milliseconds(200) : kLookAgain);
}

void ZooKeeperStore::Impl::make_buckets(size_t next) {
  // The last bucket last: when it is there, everything is.
  std::vector<std::string> paths = {root("epoch"), root("kv"), root("journal")};
  for (size_t i = 0; i < kBuckets; ++i) paths.push_back(root("kv/") + bucket_name(i));
  if (next >= paths.size()) return take_over();
  client->create(paths[next], "", zk::CreateMode::Persistent,
                 guarded([next](Impl& self, zk::Rc rc, const std::string&) {
                   if (rc != zk::Rc::Ok && rc != zk::Rc::NodeExists) return self.restart_load(rc);
                   self.make_buckets(next + 1);
                 }));
}

void ZooKeeperStore::Impl::take_over() {
  client->sync(options.path, [](zk::Rc) {});
  client->get(root("epoch"), guarded([](Impl& self, zk::Rc rc, const std::string& data, zk::Stat stat) {
                if (rc == zk::Rc::NoNode) return self.refuse_load(self.root("epoch") + " is missing");
                if (rc != zk::Rc::Ok) return self.restart_load(rc);
                if (data == self.signature(0)) return self.taken_over(stat.version);  // by an earlier attempt of ours
                if (self.load->taken) {
                  const auto done = std::move(self.load->done);
                  self.load.reset();
                  self.fence("another process has taken over the store");
                  return done(conflict(self.fenced_why));
                }
                self.client->multi({{zk::Op::Kind::Set, self.root("epoch"), self.signature(0), stat.version}},
                                   self.guarded([version = stat.version](Impl& s, zk::Rc set, size_t) {
                                     if (set == zk::Rc::BadVersion) return s.take_over();  // its last commit came between
                                     if (set != zk::Rc::Ok) return s.restart_load(set);
                                     s.taken_over(version + 1);
                                   }));
              }));
}

/// Nobody else changes anything any more. What an earlier process had changed has been told of before.
void ZooKeeperStore::Impl::taken_over(int32_t version) {
  load->taken = load->ours = true;
  epoch_version = version;
  if (planted("store/trusts-its-copy") && load->watching) {
    load->to_list.clear();
    load->to_read.clear();
  }
  read_more();
}

void ZooKeeperStore::Impl::list_bucket(size_t bucket) {
  const std::string path = root("kv/") + bucket_name(bucket);
  const bool ours = load->ours;
  ++load->under_way;
  ++load->listing;
  client->children(path, watch([bucket](Impl& self) {
                     self.load->to_list.insert(bucket);
                     self.read_soon();
                   }),
                   guarded([path, bucket, ours](Impl& self, zk::Rc rc, const std::vector<std::string>& names) {
                     if (!self.load || !self.load->running) return;
                     --self.load->under_way;
                     --self.load->listing;
                     if (rc == zk::Rc::NoNode && ours) return self.refuse_load(path + " is missing, with the records below it");
                     if (rc == zk::Rc::NoNode) {  // nobody had made the store yet
                       self.load->to_list.insert(bucket);
                       return self.read_soon();
                     }
                     if (rc != zk::Rc::Ok) return self.restart_load(rc);
                     self.take_listing(bucket, path, names);
                     self.read_more();
                   }));
}

void ZooKeeperStore::Impl::take_listing(size_t bucket, const std::string& path, const std::vector<std::string>& names) {
  auto& known = load->nodes[bucket];
  std::map<std::string, ZooKeeperLoad::Node> found;
  for (const std::string& name : names) {
    const std::string main = name.substr(0, name.rfind('+'));
    if (bucket_of(main) != bucket || node_name(key_of_node(main)) != main) {  // a commit of its key would change another node
      trouble(path + "/" + valid_utf8(name) + " is not where its record belongs; it is left alone");
      continue;
    }
    if (auto node = known.extract(name)) {
      found.insert(std::move(node));
    } else {
      found[name];
      load->to_read.emplace_back(bucket, name);
    }
  }
  known = std::move(found);
}

/// A callback for a node's watch; none once the store is ours.
template <class Function>
zk::Client::Watch ZooKeeperStore::Impl::watch(Function function) {
  if (load->ours) return nullptr;
  load->watching = true;
  return guarded([function](Impl& self) {
    if (self.load && self.load->running) function(self);
  });
}

void ZooKeeperStore::Impl::read_node(size_t bucket, const std::string& name) {
  ++load->under_way;
  const bool ours = load->ours;
  client->get(root("kv/") + bucket_name(bucket) + "/" + name, watch([bucket, name](Impl& self) {
                self.load->to_read.emplace_back(bucket, name);
                self.read_soon();
              }),
              guarded([bucket, name, ours](Impl& self, zk::Rc rc, std::string data, zk::Stat stat) {
                if (!self.load || !self.load->running) return;
                --self.load->under_way;
                const bool gone = rc == zk::Rc::NoNode && !ours;  // meanwhile: the bucket's watch tells, too
                if (rc != zk::Rc::Ok && !gone) return self.restart_load(rc);
                auto& nodes = self.load->nodes[bucket];
                if (gone) nodes.erase(name);
                if (const auto node = nodes.find(name); node != nodes.end()) node->second = {std::move(data), stat.version};
                self.read_more();
              }));
}

/// Something has changed: at once when it is ours, after a pause otherwise.
void ZooKeeperStore::Impl::read_soon() {
  if (load->ours) return read_more();
  if (load->pause_timer != 0) return;
  const Duration pause = std::max(kShortestPause, load->took * kPausesPerRead);
  load->pause_timer = host.after(pause, guarded([](Impl& self) {
    if (!self.load) return;
    self.load->pause_timer = 0;
    if (!self.load->running || self.load->under_way > 0) return;
    self.load->began = self.host.now();
    self.read_more();
  }));
}

void ZooKeeperStore::Impl::read_more() {
  while (!load->to_list.empty() && load->under_way < kMostReads) {
    const size_t bucket = *load->to_list.begin();
    load->to_list.erase(load->to_list.begin());
    list_bucket(bucket);
  }
  // Listings first: what has been removed is not read then.
  while (load->listing == 0 && !load->to_read.empty() && load->under_way < kMostReads) {
    const auto [bucket, name] = std::move(load->to_read.front());
    load->to_read.pop_front();
    if (load->nodes[bucket].contains(name)) read_node(bucket, name);
  }
  if (load->under_way > 0) return;
  load->took = host.now() - load->began;
  if (load->ours && !load->reading_journal) {
    load->reading_journal = true;
    read_journal();
  }
}

/// Where the journal points to pieces, they are read; pieces that it does not point to are left for the sweep.
void ZooKeeperStore::Impl::read_journal() {
  client->get(root("journal"), guarded([](Impl& self, zk::Rc rc, std::string data, zk::Stat stat) {
    if (!self.load || !self.load->running) return;
    if (rc == zk::Rc::NoNode) return self.refuse_load(self.root("journal") + " is missing");
    if (rc != zk::Rc::Ok) return self.restart_load(rc);
    self.load->journal = std::move(data);
    self.journal_version = stat.version;
    self.client->children(self.root("journal"), nullptr,
                          self.guarded([](Impl& s, zk::Rc listed, std::vector<std::string> names) {
      if (!s.load || !s.load->running) return;
      if (listed != zk::Rc::Ok) return s.restart_load(listed);
      s.load->journal_pieces = std::move(names);
      auto left = std::make_shared<size_t>(s.load->journal_pieces.size());
      if (*left == 0) return s.finish_load();
      for (const std::string& name : s.load->journal_pieces) {
        s.client->get(s.root("journal/") + name, s.guarded([name, left](Impl& t, zk::Rc read, std::string piece, zk::Stat) {
          if (!t.load || !t.load->running) return;
          if (read != zk::Rc::Ok) return t.restart_load(read);
          t.load->pieces[name] = std::move(piece);
          if (--*left == 0) t.finish_load();
        }));
      }
    }));
  }));
}

void ZooKeeperStore::Impl::finish_load() {
  ZooKeeperLoad done_load = std::move(*load);
  load.reset();
  entries.clear();
  // Main nodes, then their parts.
  for (auto& bucket : done_load.nodes) {
    for (auto& [name, node] : bucket) {
      if (name.find('+') != std::string::npos) continue;
      Entry& entry = entries[key_of_node(name)];
      entry.version = node.version;
      if (node.data.starts_with('v')) {
        entry.value = node.data.substr(1);
        continue;
      }
      const auto parts = node.data.starts_with('s') ? parse_uint(std::string_view(node.data).substr(1)) : parse_uint("");
      entry.readable = parts.has_value();
      for (uint64_t i = 0; parts && i < *parts; ++i) {
        const auto part = bucket.find(name + "+" + std::to_string(i));
        if (part == bucket.end()) {
          entry.readable = false;
          break;
        }
        entry.value += part->second.data;
        entry.parts.push_back(part->second.version);
      }
    }
  }
  // What a crash left behind: parts that no main node counts, pieces that the journal does not point to.
  Change sweep;
  for (const auto& bucket : done_load.nodes) {
    for (const auto& [name, node] : bucket) {
      const size_t plus = name.rfind('+');
      if (plus == std::string::npos) continue;
      const std::string key = key_of_node(name.substr(0, plus));
      const auto index = parse_uint(std::string_view(name).substr(plus + 1));
      const auto entry = entries.find(key);
      if (index && entry != entries.end() && *index < entry->second.parts.size()) continue;
      sweep.ops.push_back({zk::Op::Kind::Remove, root("kv/") + bucket_name(bucket_of(name.substr(0, plus))) + "/" + name});
    }
  }
  auto writes = std::make_shared<Writes>();
  uint64_t number = 0;
  size_t pieces = 0;
  if (!done_load.journal.empty()) {
    const auto words = split(done_load.journal, ' ');
    const auto first = words.size() == 2 ? parse_uint(words[0]) : parse_uint("");
    const auto count = words.size() == 2 ? parse_uint(words[1]) : parse_uint("");
    std::string bytes;
    bool whole = first && count && *count <= done_load.journal_pieces.size();
    for (uint64_t i = 0; whole && i < *count; ++i) {
      const auto piece = done_load.pieces.find(std::to_string(*first) + "-" + std::to_string(i));
      whole = piece != done_load.pieces.end();
      if (whole) bytes += piece->second;
    }
    const auto decoded = whole ? decode_writes(bytes) : Result<Writes>(Error{Code::Corrupt, ""});
    if (!decoded) {
      return done_load.done(Error{Code::Corrupt, "the journal at " + root("journal") +
                                                     " does not decode: a commit was only partly carried out. Restore the "
                                                     "store from a backup, or remove the node's data to go on without it"});
    }
    *writes = *decoded;
    number = *first;
    pieces = *count;
  }
  for (const std::string& name : done_load.journal_pieces) {
    if (pieces > 0 && name.starts_with(std::to_string(number) + "-")) continue;
    sweep.ops.push_back({zk::Op::Kind::Remove, root("journal/") + name});
  }
  const auto finish = [this, done = done_load.done, watched = done_load.watching](const Status& status) {
    if (!status) return done(status);
    // A session with so many watches may not come back after a broken connection: they must fit into one message.
    if (watched) connect();
    for (const auto& [key, entry] : entries) {
      if (!entry.readable) trouble("the record '" + valid_utf8(key) + "' of the store cannot be read; it is left alone");
    }
    done({});
  };
  const auto replay = [this, writes, pieces, number, finish](const Status& status) {
    if (!status) return finish(status);
    if (pieces == 0) return finish({});
    apply_journaled(writes, pieces, number, finish);
  };
  if (sweep.ops.empty()) return replay({});
  sweep.done = replay;
  run(std::move(sweep));
}

}  // namespace base
