#include "base/zk/paths.hpp"

namespace base::zk {

namespace {

void make_below(Client& client, std::string path, size_t end, std::function<void(Rc)> done) {
  const std::string part = path.substr(0, end);
  client.create(part, "", CreateMode::Persistent,
                [&client, path = std::move(path), end, done = std::move(done)](Rc rc, const std::string&) {
                  // NoAuth: somebody else's node, perhaps one below which we may make ours.
                  if (rc != Rc::Ok && rc != Rc::NodeExists && rc != Rc::NoAuth) return done(rc);
                  if (end >= path.size()) {
                    if (rc != Rc::NoAuth) return done(Rc::Ok);
                    // It may exist all the same: the right to make nodes is asked for before.
                    return client.get(path, [done](Rc found, const std::string&, Stat) {
                      done(found == Rc::NoNode ? Rc::NoAuth : found);
                    });
                  }
                  const size_t next = path.find('/', end + 1);
                  make_below(client, path, next == std::string::npos ? path.size() : next, done);
                });
}

}  // namespace

void make_path(Client& client, const std::string& path, std::function<void(Rc)> done) {
  const size_t first = path.find('/', 1);
  make_below(client, path, first == std::string::npos ? path.size() : first, std::move(done));
}

}  // namespace base::zk
