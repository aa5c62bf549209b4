// Where the state of an original is read from: its layouts, a ZooKeeper, its own backup.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/http/gzip.hpp"
#include "base/loop.hpp"
#include "base/strings.hpp"
#include "base/zk/paths.hpp"
#include "base/zk/real.hpp"
#include "base/zk/testing.hpp"
#include "marathon/import/backup_tar.hpp"
#include "marathon/import/convert.hpp"
#include "marathon/import/original.pb.h"
#include "marathon/import/testing.hpp"

namespace marathon::original {
namespace {

TEST(OriginalImport, knows_the_layouts_from_1_5_to_1_11) {
  struct Case {
    std::string node, error;  // empty: taken
  };
  for (const Case& c : std::vector<Case>{{version_node(1, 5), ""}, {version_node(1, 6, 0), ""}, {version_node(17), ""},
                                         {version_node(18, 100), ""}, {version_node(19, 300), ""}, {version_node(110, 100), ""},
                                         {version_node(1, 4, 6), "let a Marathon 1.5 or 1.6 run on it once"},
                                         {version_node(1, 3, 9, 0), "of version 1.3.9"},
                                         {version_node(111), "newer than 110.100.0"},
                                         {"\xff", "does not decode"}}) {
    Nodes nodes = state();
    nodes["internal:storage:version"] = c.node;
    const auto import = convert(nodes, kRole);
    if (c.error.empty()) {
      EXPECT_TRUE(import) << import.error().message;
    } else {
      ASSERT_FALSE(import);
      EXPECT_TRUE(contains(import.error().message, c.error)) << import.error().message;
    }
  }
  Nodes nodes = state();
  nodes["migration-in-progress"] = "";
  EXPECT_TRUE(contains(convert(nodes, kRole).error().message, "did not finish"));
  nodes = state();
  nodes.erase("framework-id/b/id");
  EXPECT_TRUE(contains(convert(nodes, kRole).error().message, "no framework id"));
  nodes = state();
  nodes.erase("group/0/root");
  EXPECT_TRUE(contains(convert(nodes, kRole).error().message, "no root group"));
  EXPECT_TRUE(contains(convert({}).error().message, "no state of Marathon"));
}

/// What a ZooKeeper has of the state: every node, the large ones compressed.
std::vector<std::pair<std::string, std::string>> stored(const Nodes& state) {
  std::vector<std::pair<std::string, std::string>> out{{"/marathon", ""}, {"/marathon/leader-curator", ""}, {"/marathon/state", ""}};
  std::set<std::string> made;
  for (const auto& [path, data] : state) {
    for (size_t at = path.find('/'); at != std::string::npos; at = path.find('/', at + 1)) {
      const std::string above = path.substr(0, at);
      if (!state.contains(above) && made.insert(above).second) out.emplace_back("/marathon/state/" + above, "");
    }
    out.emplace_back("/marathon/state/" + path, path.starts_with("group/") ? base::http::gzip(data) : data);
  }
  out.emplace_back("/marathon/other", "not ours");
  return out;
}

TEST(OriginalImport, reads_everything_below_the_path_and_nothing_else) {
  base::zk::testing::FakeTime time;
  base::zk::FakeZooKeeper server(time.place(), [] { return base::microseconds(200); });
  for (const auto& [path, data] : stored(state())) {
    ASSERT_TRUE(server.force({base::zk::Op::Kind::Create, path, data, -1})) << path;
  }
  const auto before = server.nodes();
  bool connected = false;
  const auto client = server.host("import", time.place()).connect({}, [&](base::zk::SessionState now) {
    connected |= now == base::zk::SessionState::Connected;
  });
  time.run_for(base::seconds(1));
  ASSERT_TRUE(connected);
  std::optional<base::Result<Stored>> read;
  const auto run = [&](const std::string& path) {
    read.reset();
    read_state(*client, path, [&](base::Result<Stored> result) { read = std::move(result); });
    time.run_for(base::seconds(10));
  };
  run("/marathon");
  ASSERT_TRUE(read && *read) << read->error().message;
  EXPECT_EQ((*read)->nodes, state());
  EXPECT_FALSE((*read)->in_use);
  EXPECT_EQ(server.nodes(), before) << "it reads only";
  run("/elsewhere");
  ASSERT_TRUE(read);
  EXPECT_TRUE(contains(read->error().message, "no state of Marathon at /elsewhere/state"));
  ASSERT_TRUE(server.force({base::zk::Op::Kind::Create, "/marathon/leader-curator/_c_1-latch-0000000001", "host:8080", -1}));
  run("/marathon");
  ASSERT_TRUE(read && *read);
  EXPECT_TRUE((*read)->in_use);
}

/// An entry of a tar as the original writes it.
std::string tar_entry(const std::string& name, const std::string& data, char kind = '0') {
  if (name.size() > 100) return tar_entry("././@LongLink", name + '\0', 'L') + tar_entry(name.substr(0, 100), data, kind);
  std::string header(512, '\0');
  const auto put = [&](size_t at, const std::string& text) { header.replace(at, text.size(), text); };
  put(0, name);
  put(100, "0100644");
  put(124, fmt::format("{:011o}", data.size()));
  put(148, std::string(8, ' '));
  header[156] = kind;
  put(257, std::string("ustar\0" "00", 8));
  int sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(148, fmt::format("{:06o}", sum) + '\0');
  return header + data + std::string((512 - data.size() % 512) % 512, '\0');
}

/// Nodes as its backup has them.
std::string backup_of(const Nodes& nodes) {
  std::string tar;
  for (const auto& [path, data] : nodes) {
    const auto pieces = base::split(path, '/');
    const auto piece = [&](size_t i) { return std::string(pieces[i]); };
    if (pieces.size() == 3) tar += tar_entry(piece(0) + "/items/" + piece(2), piece(0) == "group" ? base::http::gzip(data) : data);
    if (pieces.size() == 4) tar += tar_entry(piece(0) + "/versions/" + piece(2) + "/" + piece(3), data);
    if (path != "internal:storage:version") continue;
    StoreEntry entry;
    EXPECT_TRUE(entry.ParseFromString(data));
    tar += tar_entry(path + "/items/" + path, entry.value());
  }
  return tar + std::string(1024, '\0');
}

TEST(OriginalImport, reads_the_originals_own_backup) {
  Nodes nodes = state();
  auto deep = web(kOld, "serve");
  const std::string id = "deep_" + std::string(120, 'x');
  deep.set_id("/deep/" + std::string(120, 'x'));
  nodes["apps/3/" + id] = deep.SerializeAsString();
  nodes["pods/2/pair/2019-03-01T10:00Z"] = pair();  // as Java writes a time of a whole minute
  const auto read = nodes_of_backup(backup_of(nodes));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_TRUE(read->contains("apps/0/" + id));
  EXPECT_TRUE(read->contains("pods/0/pair/2019-03-01T10:00:00Z"));
  const auto from_backup = convert(*nodes_of_backup(backup_of(state())), kRole), from_zookeeper = convert(state(), kRole);
  ASSERT_TRUE(from_backup) << from_backup.error().message;
  EXPECT_EQ(from_backup->records, from_zookeeper->records);
}

TEST(OriginalImport, refuses_what_is_no_whole_backup) {
  const std::string whole = backup_of(state());
  for (size_t cut = 0; cut + 1024 <= whole.size(); cut += 257) {
    EXPECT_FALSE(nodes_of_backup(std::string_view(whole).substr(0, cut))) << cut;
  }
  const auto refused = [](const std::string& tar, const std::string& why) {
    const auto read = nodes_of_backup(tar + std::string(1024, '\0'));
    ASSERT_FALSE(read) << why;
    EXPECT_TRUE(contains(read.error().message, why)) << read.error().message;
  };
  std::string spoilt = whole;
  spoilt[3] = 'X';
  refused(spoilt, "damaged");
  refused("", "of which version");
  refused(std::string(512, 'x'), "not a tar");
  refused(tar_entry("apps/items/a", "", '5'), "kind '5'");
  refused(tar_entry("somewhere/else", ""), "'somewhere/else' is not the name of a node");
  std::string huge = tar_entry("apps/items/a", "");
  huge.replace(124, 11, "77777777777");
  refused(huge, "damaged");
}

TEST(OriginalImport, reads_from_a_real_zookeeper) {
  if (!base::zk::testing::TestServer::available()) GTEST_SKIP() << "the package zookeeper is not installed";
  auto server = base::zk::testing::TestServer::start();
  ASSERT_TRUE(server) << server.error().message;
  base::Loop loop;
  const auto guard = loop.after(base::seconds(60), [&] { loop.stop(1); });
  const auto host = base::zk::real_host(loop, base::zk::parse_url("zk://" + (*server)->address() + "/marathon").value());
  // As large as the original lets it be: nearly what ZooKeeper takes.
  Nodes big = state();
  auto app = web(kNew, "serve --new");
  app.mutable_cmd()->mutable_environment()->mutable_variables(0)->set_value(std::string(900'000, 'x'));
  big["apps/a/web_front"] = big[std::string("apps/a/web_front/") + kNew] = app.SerializeAsString();
  const auto nodes = stored(big);
  std::optional<base::Result<Stored>> read;
  std::unique_ptr<base::zk::Client> client;
  size_t made = 0;
  const auto made_one = [&](base::zk::Rc rc, const std::string&) {
    ASSERT_EQ(rc, base::zk::Rc::Ok);
    if (++made < nodes.size()) return;
    read_state(*client, "/marathon", [&](base::Result<Stored> result) {
      read = std::move(result);
      loop.stop();
    });
  };
  bool begun = false;
  client = host.connect({}, [&](base::zk::SessionState now) {
    if (now != base::zk::SessionState::Connected || begun) return;
    begun = true;
    for (const auto& [path, data] : nodes) client->create(path, data, base::zk::CreateMode::Persistent, made_one);
  });
  ASSERT_EQ(loop.run(), 0);
  loop.cancel(guard);
  ASSERT_TRUE(read && *read) << (read ? read->error().message : "no answer");
  EXPECT_EQ((*read)->nodes, big);
}

}  // namespace
}  // namespace marathon::original
