// The store on a real ZooKeeper server of its own: filling, opening (what a new leader waits for), one commit, many at once.

#include <fmt/core.h>

#include "base/loop.hpp"
#include "base/random.hpp"
#include "base/store/zookeeper.hpp"
#include "base/testing/bench.hpp"
#include "base/zk/real.hpp"
#include "base/zk/testing.hpp"

namespace {

using base::Loop;
using base::Store;
using base::StoreBatch;

double seconds_since(base::Instant start) {
  return std::chrono::duration<double>(base::system_clock().now().instant - start).count();
}

std::unique_ptr<base::ZooKeeperStore> open(Loop& loop, const base::zk::Url& url) {
  base::ZooKeeperStore::Options options;
  options.path = url.path + "/registry";
  options.writer = base::Random::from_os().uuid();
  auto store = std::make_unique<base::ZooKeeperStore>(base::zk::real_host(loop, url), options,
                                                      base::ZooKeeperStore::Callbacks{});
  store->open([&](const base::Status& status) {
    CHECK(status.has_value());
    loop.stop();
  });
  loop.run();
  return store;
}

/// Commits all of them, all at once, and waits.
void commit(Loop& loop, Store& store, std::vector<StoreBatch> batches) {
  size_t left = batches.size();
  for (StoreBatch& batch : batches) {
    store.commit(std::move(batch), [&](const base::Status& status) {
      CHECK(status.has_value());
      if (--left == 0) loop.stop();
    });
  }
  loop.run();
}

StoreBatch record(base::Random& random, int number) {
  // An agent's record: id, address, resources, attributes.
  StoreBatch batch;
  std::string value(600, ' ');
  for (char& c : value) c = static_cast<char>(random.below(256));
  batch.put(fmt::format("agents/0cbd8f4e-3f0e-4c0c-a2fb-9f0f6d3f0c1d-S{}", number), value);
  return batch;
}

}  // namespace

int main(int argc, char** argv) {
  base::testing::Bench bench(argc, argv);
  if (!bench.wants("zk/store")) return 0;
  if (!base::zk::testing::TestServer::available()) {
    fmt::print(stderr, "zk/store: the package zookeeper is not installed\n");
    return 0;
  }
  const int records = bench.small() ? 200 : 20'000;
  const auto server = base::zk::testing::TestServer::start(base::seconds(2)).value();
  const auto url = base::zk::parse_url("zk://" + server->address() + "/bench").value();
  const std::map<std::string, std::string> parameters{{"records", std::to_string(records)}, {"bytes", "600"}};
  Loop loop;
  base::Random random(1);
  auto store = open(loop, url);

  std::vector<StoreBatch> all;
  for (int i = 0; i < records; ++i) all.push_back(record(random, i));
  auto start = base::system_clock().now().instant;
  commit(loop, *store, std::move(all));
  bench.report("zk/store-fill", parameters, "s", {seconds_since(start)});

  std::vector<double> opened, single, thousand;
  for (int i = 0; i < (bench.small() ? 1 : 5); ++i) {
    store.reset();
    start = base::system_clock().now().instant;
    store = open(loop, url);
    opened.push_back(seconds_since(start));
  }
  const size_t found = store->scan("agents/").value().size();
  CHECK(found == static_cast<size_t>(records));
  bench.report("zk/store-open", parameters, "s", opened, found);

  for (int i = 0; i < (bench.small() ? 10 : 300); ++i) {
    start = base::system_clock().now().instant;
    std::vector<StoreBatch> one;
    one.push_back(record(random, i % records));
    commit(loop, *store, std::move(one));
    single.push_back(seconds_since(start));
  }
  bench.report("zk/store-commit", parameters, "s", single);

  for (int i = 0; i < (bench.small() ? 1 : 5); ++i) {
    start = base::system_clock().now().instant;
    std::vector<StoreBatch> many;
    for (int n = 0; n < 1000; ++n) many.push_back(record(random, n % records));
    commit(loop, *store, std::move(many));
    thousand.push_back(seconds_since(start));
  }
  bench.report("zk/store-commit-1000", parameters, "s", thousand);
  return 0;
}
