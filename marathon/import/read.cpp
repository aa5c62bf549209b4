#include "marathon/import/read.hpp"

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "base/http/gzip.hpp"

namespace marathon::original {

namespace {

using base::zk::Client;
using base::zk::Rc;

constexpr size_t kMostNodes = 1'000'000;
constexpr size_t kMostBytes = size_t{1} << 30;
constexpr size_t kMostOfOne = size_t{64} << 20;  // opened
constexpr size_t kUnderWay = 64;                 // nodes being read at once
constexpr size_t kDeepest = 4;                   // <category>/<bucket>/<id>/<version>

/// Whether a Marathon stands for election, or leads.
void look_for_members(Client& client, const std::string& path, std::function<void(base::Result<bool>)> done) {
  client.children(path + "/leader-curator", nullptr, [done = std::move(done)](Rc rc, std::vector<std::string> names) {
    if (rc == Rc::NoNode) return done(false);
    if (rc != Rc::Ok) return done(base::unavailable("the election cannot be read: " + std::string(base::zk::describe(rc))));
    done(!names.empty());
  });
}

struct Walk : std::enable_shared_from_this<Walk> {
  Walk(Client& c, std::string r, std::function<void(base::Result<Stored>)> d)
      : client(c), root(std::move(r)), done(std::move(d)) {}

  struct Place {
    std::string path;  // below the root
    size_t depth = 0;
  };

  void go_on() {
    while (done && under_way < kUnderWay && !waiting.empty()) {
      Place place = std::move(waiting.front());
      waiting.pop_front();
      ++under_way;
      read(std::move(place));
    }
    if (under_way == 0) end(std::move(stored));
  }

  std::string full(const Place& place) const { return place.depth == 0 ? root : root + "/" + place.path; }

  void read(Place place) {
    const std::string path = full(place);
    client.get(path, [self = shared_from_this(), place](Rc rc, std::string data, const base::zk::Stat&) {
      if (rc == Rc::NoNode && place.depth == 0) {
        return self->end(base::not_found("there is no state of Marathon at " + self->root));
      }
      if (rc == Rc::NoNode) return self->miss();
      if (rc != Rc::Ok) return self->fail(place, rc);
      if (!self->keep(place, std::move(data))) return;
      if (place.depth == kDeepest) return self->finish();
      self->client.children(self->full(place), nullptr, [self, place](Rc result, std::vector<std::string> names) {
        if (result == Rc::NoNode) return self->miss();
        if (result != Rc::Ok) return self->fail(place, result);
        for (std::string& name : names) {
          self->waiting.push_back({place.depth == 0 ? std::move(name) : place.path + "/" + name, place.depth + 1});
        }
        self->finish();
      });
    });
  }

  /// It went while it was read.
  void miss() {
    stored.in_use = true;
    finish();
  }

  void finish() {
    --under_way;
    go_on();
  }

  bool keep(const Place& place, std::string data) {
    if (!done) return false;
    if (data.size() > 2 && data[0] == '\x1f' && data[1] == '\x8b') {
      auto opened = base::http::gunzip(data, kMostOfOne);
      if (!opened) return end(opened.error().with_context(full(place))), false;
      data = std::move(*opened);
    }
    bytes += data.size();
    if (stored.nodes.size() >= kMostNodes || bytes > kMostBytes) {
      return end(base::Error{base::Code::TooLarge, "there is more below " + root + " than a scheduler keeps"}), false;
    }
    if (place.depth == 1 || (place.depth > 1 && !data.empty())) stored.nodes.emplace(place.path, std::move(data));
    return true;
  }

  void fail(const Place& place, Rc rc) {
    end(base::unavailable(full(place) + " cannot be read: " + std::string(base::zk::describe(rc))));
  }

  void end(base::Result<Stored> result) {
    if (done) std::exchange(done, nullptr)(std::move(result));
  }

  Client& client;
  std::string root;
  std::function<void(base::Result<Stored>)> done;
  std::deque<Place> waiting{Place{}};
  size_t under_way = 0;
  Stored stored{};
  size_t bytes = 0;
};

}  // namespace

void read_state(Client& client, const std::string& path, std::function<void(base::Result<Stored>)> done) {
  look_for_members(client, path, [&client, path, done = std::move(done)](base::Result<bool> before) {
    if (!before) return done(before.error());
    const auto walk = std::make_shared<Walk>(client, path + "/state", [&client, path, done, before](base::Result<Stored> stored) {
      if (!stored) return done(std::move(stored));
      stored->in_use |= *before;
      // One that was started meanwhile may have written.
      look_for_members(client, path, [done, stored = std::move(*stored)](base::Result<bool> after) mutable {
        if (!after) return done(after.error());
        stored.in_use |= *after;
        done(std::move(stored));
      });
    });
    client.sync(path, [walk, done](Rc rc) {
      if (rc != Rc::Ok && rc != Rc::NoNode) return done(base::unavailable("ZooKeeper: " + std::string(base::zk::describe(rc))));
      walk->go_on();
    });
  });
}

}  // namespace marathon::original
