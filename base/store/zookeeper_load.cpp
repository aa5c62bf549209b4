// Taking over and loading: nodes made, epoch ours, every node read, the journal carried out.

#include <algorithm>

#include "base/numbers.hpp"
#include "base/store/zookeeper_impl.hpp"
#include "base/strings.hpp"
#include "base/zk/paths.hpp"

namespace base {

namespace {

constexpr size_t kMostReads = 512;  // under way at a time

}  // namespace

/// A connection is there: (again) from the start.
void ZooKeeperStore::Impl::load_step() {
  if (load->running) return;
  load->running = true;
  load->nodes.clear();
  load->to_read.clear();
  load->buckets_listed = 0;
  load->reading = 0;
  load->journal_pieces.clear();
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
  if (rc != zk::Rc::ConnectionLoss && rc != zk::Rc::SessionExpired) {
    trouble("the store at " + options.path + " cannot be opened yet: " + std::string(describe(rc)));
  }
  reconnect_after(milliseconds(200));
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
                if (data == self.signature(0)) {  // an earlier attempt of ours
                  self.epoch_version = stat.version;
                  for (size_t i = 0; i < kBuckets; ++i) self.list_bucket(i);
                  return;
                }
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
                                     s.load->taken = true;
                                     s.epoch_version = version + 1;
                                     for (size_t i = 0; i < kBuckets; ++i) s.list_bucket(i);
                                   }));
              }));
}

void ZooKeeperStore::Impl::list_bucket(size_t bucket) {
  load->taken = true;
  const std::string path = root("kv/") + bucket_name(bucket);
  client->children(path, nullptr, guarded([path, bucket](Impl& self, zk::Rc rc, const std::vector<std::string>& names) {
                     if (!self.load || !self.load->running) return;
                     if (rc == zk::Rc::NoNode) return self.refuse_load(path + " is missing, with the records below it");
                     if (rc != zk::Rc::Ok) return self.restart_load(rc);
                     for (const std::string& name : names) {
                       const std::string main = name.substr(0, name.rfind('+'));
                       if (bucket_of(main) == bucket && node_name(key_of_node(main)) == main) {
                         self.load->to_read.push_back(path + "/" + name);
                       } else {  // a commit of its key would change another node
                         self.trouble(path + "/" + valid_utf8(name) + " is not where its record belongs; it is left alone");
                       }
                     }
                     ++self.load->buckets_listed;
                     self.read_more();
                   }));
}

void ZooKeeperStore::Impl::read_more() {
  while (!load->to_read.empty() && load->reading < kMostReads) {
    const std::string path = std::move(load->to_read.front());
    load->to_read.pop_front();
    ++load->reading;
    client->get(path, guarded([path](Impl& self, zk::Rc rc, std::string data, zk::Stat stat) {
                  if (!self.load || !self.load->running) return;
                  if (rc != zk::Rc::Ok) return self.restart_load(rc);
                  --self.load->reading;
                  self.load->nodes[path.substr(path.rfind('/') + 1)] = {std::move(data), stat.version};
                  self.read_more();
                }));
  }
  if (load->to_read.empty() && load->reading == 0 && load->buckets_listed == kBuckets) {
    load->buckets_listed = 0;  // once
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
          t.load->nodes["/" + name] = {std::move(piece), 0};  // no key's node has a slash in its name
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
  for (auto& [name, node] : done_load.nodes) {
    if (name.front() == '/' || name.find('+') != std::string::npos) continue;
    const std::string key = key_of_node(name);
    Entry& entry = entries[key];
    entry.version = node.second;
    if (node.first.starts_with('v')) {
      entry.value = node.first.substr(1);
      continue;
    }
    const auto parts = node.first.starts_with('s') ? parse_uint(std::string_view(node.first).substr(1)) : parse_uint("");
    entry.readable = parts.has_value();
    for (uint64_t i = 0; parts && i < *parts; ++i) {
      const auto part = done_load.nodes.find(name + "+" + std::to_string(i));
      if (part == done_load.nodes.end()) {
        entry.readable = false;
        break;
      }
      entry.value += part->second.first;
      entry.parts.push_back(part->second.second);
    }
  }
  // What a crash left behind: parts that no main node counts, pieces that the journal does not point to.
  Change sweep;
  for (const auto& [name, node] : done_load.nodes) {
    const size_t plus = name.rfind('+');
    if (name.front() == '/' || plus == std::string::npos) continue;
    const std::string key = key_of_node(name.substr(0, plus));
    const auto index = parse_uint(std::string_view(name).substr(plus + 1));
    const auto entry = entries.find(key);
    if (index && entry != entries.end() && *index < entry->second.parts.size()) continue;
    sweep.ops.push_back({zk::Op::Kind::Remove, root("kv/") + bucket_name(bucket_of(name.substr(0, plus))) + "/" + name});
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
      const auto piece = done_load.nodes.find("/" + std::to_string(*first) + "-" + std::to_string(i));
      whole = piece != done_load.nodes.end();
      if (whole) bytes += piece->second.first;
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
  const auto finish = [this, done = done_load.done](const Status& status) {
    if (!status) return done(status);
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
