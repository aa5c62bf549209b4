// Pulling and keeping images, against a registry in this process.

#include "kernel/containerizer/images/images.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.hpp"
#include "base/random.hpp"
#include "base/strings.hpp"
#include "base/testing/temporary_directory.hpp"
#include "kernel/containerizer/images/archive.hpp"
#include "kernel/containerizer/images/digest.hpp"
#include "kernel/containerizer/images/testing/fake_registry.hpp"
#include "kernel/containerizer/images/testing/tar_writer.hpp"

namespace containerizer::images {
namespace {

using testing::FakeImage;
using testing::FakeRegistry;
using testing::TarWriter;

std::string noise(size_t size, uint64_t seed) {
  base::Random random(seed);
  std::string out(size, '\0');
  for (auto& c : out) c = static_cast<char>(random.below(256));
  return out;
}

class Pulling : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "owners of files need root";
    options.directory = top / "store";
    open();
  }

  void open() {
    images.reset();
    auto opened = Images::open(loop, pool, options);
    ASSERT_TRUE(opened) << opened.error().message;
    images = std::move(*opened);
  }

  void run(const std::function<bool()>& until) {
    const auto guard = loop.after(base::seconds(30), [this] { loop.stop(1); });
    const auto look = loop.every(base::milliseconds(2), [&] {
      if (until()) loop.stop(0);
    });
    EXPECT_EQ(loop.run(), 0) << "nothing happened";
    loop.cancel(guard);
    loop.cancel(look);
  }

  Result<ImagePtr> pull(PullRequest request) {
    std::optional<Result<ImagePtr>> result;
    images->pull(std::move(request), [&](Result<ImagePtr> got) { result = std::move(got); });
    run([&] { return result.has_value(); });
    return *result;
  }
  Result<ImagePtr> pull(const std::string& name, const std::string& holder = "container") {
    return pull(PullRequest{name, holder});
  }

  void collect(bool all) {
    bool done = false;
    images->collect(all, [&] { done = true; });
    run([&] { return done; });
  }

  size_t count(const std::string& piece) {
    return static_cast<size_t>(std::count_if(
        registry.requests.begin(), registry.requests.end(),
        [&](const auto& request) { return request.find(piece) != std::string::npos; }));
  }

  std::vector<std::string> staged() {
    return base::list_directory(options.directory + "/staging").value_or({"?"});
  }

  base::testing::TemporaryDirectory top;
  base::Loop loop;
  base::Pool pool{loop, 3};
  ImageOptions options;
  FakeRegistry registry{loop};
  std::unique_ptr<Images> images;
};

FakeImage two_layers() {
  return {.layers = {TarWriter().file("etc/name", "base").file("gone", "x").finish(),
                     TarWriter().file("etc/name", "top").file(".wh.gone", "").finish()},
          .config = R"({"Cmd":["/run"],"Env":["A=1"]})"};
}

TEST_F(Pulling, brings_every_packing_once_and_unpacked) {
  auto image = two_layers();
  for (const auto packing :
       {FakeImage::Packing::Gzip, FakeImage::Packing::Zstd, FakeImage::Packing::Plain}) {
    image.packing = packing;
    image.layers.push_back(
        TarWriter().file("n" + std::to_string(image.layers.size()), "x").finish());
    registry.add("app", "t" + std::to_string(static_cast<int>(packing)), image);
    const auto got = pull(registry.host() + "/app:t" + std::to_string(static_cast<int>(packing)));
    ASSERT_TRUE(got) << got.error().message;
    ASSERT_EQ((*got)->layers.size(), image.layers.size());
    EXPECT_EQ(*base::read_file((*got)->layers[0] + "/etc/name"), "base");
    EXPECT_EQ(*base::read_file((*got)->layers[1] + "/etc/name"), "top");
    EXPECT_EQ((*got)->config.command, (std::vector<std::string>{"/run"}));
  }
  // Layers that are there already, however they were packed, are not brought again.
  EXPECT_EQ(images->counts().layers, 5u);
  EXPECT_EQ(count("/blobs/"), 3u + 5u);
  const size_t before = registry.requests.size();
  ASSERT_TRUE(pull(registry.host() + "/app:t0"));
  EXPECT_EQ(registry.requests.size(), before);
  EXPECT_EQ(images->counts().cached, 1u);
  PullRequest forced{registry.host() + "/app:t0", "c", true};
  ASSERT_TRUE(pull(forced));
  EXPECT_EQ(registry.requests.size(), before + 1);
  EXPECT_TRUE(staged().empty());
}

TEST_F(Pulling, follows_an_index_to_this_machines_platform) {
  auto other = two_layers();
  other.config = R"({"Cmd":["other"]})";
  const auto digest = registry.add("app", "plain", two_layers());
  registry.add_index(
      "app", "multi",
      {{Platform::own().architecture, digest}, {"s390y", registry.add("app", "other", other)}});
  const auto got = pull(registry.host() + "/app:multi");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ((*got)->id, digest);
  EXPECT_EQ((*got)->config.command, (std::vector<std::string>{"/run"}));
  const auto by_digest = pull(registry.host() + "/app@" + digest);
  ASSERT_TRUE(by_digest);
  EXPECT_EQ((*by_digest)->id, digest);
}

TEST_F(Pulling, tells_the_registrys_own_words) {
  const auto unknown = pull(registry.host() + "/app:none");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().message,
            "image '" + registry.host() + "/app:none': http://" + registry.host() +
                ": the registry answered 404 Not Found (MANIFEST_UNKNOWN: manifest unknown)");
  const auto down = pull("127.0.0.1:1/app");
  ASSERT_FALSE(down);
  EXPECT_NE(down.error().message.find("127.0.0.1:1"), std::string::npos);
  EXPECT_FALSE(pull("UPPER"));
  registry.overloaded = 2;
  registry.add("app", "t", two_layers());
  EXPECT_TRUE(pull(registry.host() + "/app:t")) << "one that is overloaded is asked again";
}

TEST_F(Pulling, logs_in_with_a_password_or_for_a_token) {
  registry.add("app", "t", two_layers());
  registry.user = "u";
  registry.password = "secret";
  const std::string name = registry.host() + "/app:t";
  const std::string config = R"({"auths":{")" + registry.host() + R"(":{"auth":")" +
                             base::base64_encode("u:secret") + R"("}}})";
  const std::string wrong = R"({"auths":{")" + registry.host() + R"(":{"auth":")" +
                            base::base64_encode("u:wrong") + R"("}}})";
  for (const bool bearer : {false, true}) {
    registry.bearer = bearer;
    options.directory = top / (bearer ? "bearer" : "basic");
    open();
    const auto nobody = pull(name);
    ASSERT_FALSE(nobody);
    EXPECT_NE(nobody.error().message.find(bearer ? "incorrect username" : "no user is known"),
              std::string::npos)
        << nobody.error().message;
    const auto refused = pull({name, "c", false, wrong});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find(bearer ? "incorrect username" : "refuses the user 'u'"),
              std::string::npos)
        << refused.error().message;
    EXPECT_EQ(refused.error().message.find("wrong"), std::string::npos)
        << "passwords stay out of messages";
    const auto got = pull({name, "c", true, config});
    ASSERT_TRUE(got) << got.error().message;
  }
}

TEST_F(Pulling, sends_no_login_to_another_host) {
  FakeRegistry storage(loop);
  registry.add("app", "t", two_layers());
  storage.add("app", "t", two_layers());
  registry.user = "u";
  registry.blobs_at = "http://" + storage.host();
  options.credentials = *Credentials::parse(R"({"auths":{")" + registry.host() +
                                            R"(":{"username":"u","password":"p"}}})");
  registry.password = "p";
  open();
  const auto got = pull(registry.host() + "/app:t");
  ASSERT_TRUE(got) << got.error().message;
  ASSERT_EQ(storage.requests.size(), 3u);
  for (const auto& request : storage.requests)
    EXPECT_EQ(request.find(" auth"), std::string::npos) << request;
}

TEST_F(Pulling, goes_on_where_a_connection_broke) {
  const FakeImage image{.layers = {TarWriter().file("big", noise(600'000, 1)).finish()}};
  registry.add("app", "t", image);
  for (const bool ranges : {true, false}) {
    registry.ranges = ranges;
    registry.cut_after = ranges ? 150'000 : 400'000;
    registry.cuts = 3;
    const auto got = pull({registry.host() + "/app:t", "c", true});
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(base::read_file((*got)->layers[0] + "/big")->size(), 600'000u);
    EXPECT_EQ(registry.cuts, 0);
    images->release("c");
    collect(true);
  }
}

TEST_F(Pulling, gives_up_a_registry_that_falls_silent) {
  registry.add("app", "t", two_layers());
  options.stall_timeout = base::milliseconds(20);
  open();
  registry.hold_layers = true;
  const auto got = pull(registry.host() + "/app:t");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, base::Code::Timeout) << got.error().message;
  registry.let_go();
  run([&] { return staged().empty(); });
}

TEST_F(Pulling, refuses_content_with_a_wrong_digest) {
  const std::string tar = TarWriter().file("a", "1").finish();
  const std::string packed = testing::gzip(tar);
  registry.add("app", "t", {.layers = {tar}});
  std::string other = packed;
  other[other.size() / 2] = static_cast<char>(other[other.size() / 2] ^ 1);
  for (const auto& lie :
       {other, testing::gzip(TarWriter().file("b", "1").finish()), packed + "x"}) {
    registry.lies[sha256_of(packed)] = lie;
    const auto got = pull(registry.host() + "/app:t");
    ASSERT_FALSE(got);
    EXPECT_EQ(images->counts().layers, 0u);
  }
  registry.lies.clear();
  EXPECT_TRUE(pull(registry.host() + "/app:t"));
  run([&] { return staged().empty(); });
}

TEST_F(Pulling, is_done_once_for_all_who_want_it) {
  registry.add("app", "t", two_layers());
  auto longer = two_layers();
  longer.layers.push_back(TarWriter().file("more", "x").finish());
  registry.add("app", "longer", longer);
  registry.hold_layers = true;
  int done = 0, cancelled = 0;
  const auto take = [&](Result<ImagePtr> got) {
    ++done;
    if (!got) cancelled += got.error().code == base::Code::Cancelled;
  };
  for (const char* holder : {"1", "2", "3"})
    images->pull({registry.host() + "/app:t", holder}, take);
  images->pull({registry.host() + "/app:longer", "4"}, take);
  run([&] { return count("/blobs/") >= 4; });
  images->cancel("2");
  run([&] { return done == 1; });
  EXPECT_EQ(cancelled, 1);
  registry.let_go();
  run([&] { return done == 4; });
  EXPECT_EQ(cancelled, 1);
  EXPECT_EQ(count("/manifests/t"), 1u);
  EXPECT_EQ(count("/blobs/"), 2u + 3u) << "two configurations and three layers";
}

TEST_F(Pulling, leaves_nothing_when_everybody_gave_up) {
  registry.add("app", "t", {.layers = {TarWriter().file("big", noise(600'000, 1)).finish()}});
  registry.cut_after = 100'000;
  registry.cuts = 1'000'000;
  registry.ranges = false;
  bool done = false;
  images->pull({registry.host() + "/app:t", "1"}, [&](Result<ImagePtr> got) {
    EXPECT_FALSE(got);
    done = true;
  });
  run([&] { return !staged().empty(); });
  images->cancel("1");
  run([&] { return done && staged().empty(); });
  EXPECT_EQ(images->counts().layers, 0u);
}

TEST_F(Pulling, one_pulls_failure_is_not_anothers) {
  registry.add("app", "t", two_layers());
  FakeRegistry broken(loop);
  broken.add("app", "t", two_layers());
  for (const auto& layer : two_layers().layers)
    broken.lies[sha256_of(testing::gzip(layer))] = "nonsense";
  broken.hold_layers = registry.hold_layers = false;
  std::optional<bool> bad, good;
  images->pull({broken.host() + "/app:t", "1"},
               [&](Result<ImagePtr> got) { bad = got.has_value(); });
  images->pull({registry.host() + "/app:t", "2"},
               [&](Result<ImagePtr> got) { good = got.has_value(); });
  run([&] { return bad && good; });
  EXPECT_FALSE(*bad);
  EXPECT_TRUE(*good);
}

TEST_F(Pulling, asks_mirrors_first_and_the_registry_when_they_fail) {
  FakeRegistry mirror(loop);
  registry.add("app", "t", two_layers());
  registry.add("app", "u", two_layers());
  mirror.add("app", "t", two_layers());
  options.registries.default_registry = "http://" + registry.host();
  options.registries.mirrors = {{"", "http://127.0.0.1:1"}, {"", "http://" + mirror.host()}};
  open();
  ASSERT_TRUE(pull("app:t"));
  EXPECT_TRUE(registry.requests.empty());
  ASSERT_TRUE(pull("app:u"));
  EXPECT_EQ(registry.requests.size(), 1u);
}

TEST_F(Pulling, images_survive_restarts_and_what_is_incomplete_does_not) {
  registry.add("app", "t", two_layers());
  const std::string name = registry.host() + "/app:t";
  const auto id = (*pull(name))->id;
  ASSERT_TRUE(base::make_directories(options.directory + "/staging/77/fs/left"));
  open();
  registry.requests.clear();
  ASSERT_TRUE(pull(name));
  EXPECT_TRUE(registry.requests.empty());
  EXPECT_TRUE(images->hold("old", id));
  EXPECT_FALSE(images->hold("old", "sha256:x"));
  const auto written_out = [&] {
    const auto layers = base::list_directory(options.directory + "/layers").value_or({});
    for (const auto& layer : layers)
      if (!base::exists(options.directory + "/layers/" + layer + "/durable")) return false;
    return true;
  };
  run([&] {
    return staged().empty() && base::list_directory(options.directory + "/trash")->empty() && written_out();
  });
  images.reset();
  // As if a power failure had come before a layer was written out.
  const std::string layer =
      options.directory + "/layers/" + base::list_directory(options.directory + "/layers")->front();
  ASSERT_TRUE(base::remove_tree(layer + "/durable"));
  auto record = *base::read_file(layer + "/record");
  const size_t at = record.find("boot_id\":\"") + 10;
  record[at] = record[at] == 'f' ? '0' : 'f';
  ASSERT_TRUE(base::write_file(layer + "/record", record));
  ASSERT_TRUE(base::write_file(options.directory + "/images/rubbish.json", "{"));
  open();
  EXPECT_EQ(images->counts().images, 0u);
  EXPECT_EQ(images->counts().layers, 1u);
  ASSERT_TRUE(pull(name));
  EXPECT_EQ(images->counts().layers, 2u);
}

TEST_F(Pulling, a_store_has_one_agent) {
  const auto second = Images::open(loop, pool, options);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another agent"), std::string::npos);
}

TEST_F(Pulling, removes_unused_images_and_keeps_used_ones) {
  registry.add("app", "a", two_layers());
  auto other = two_layers();
  other.layers[1] = TarWriter().file("other", "x").finish();
  registry.add("app", "b", other);
  ASSERT_TRUE(pull(registry.host() + "/app:a", "1"));
  ASSERT_TRUE(pull(registry.host() + "/app:b", "2"));
  EXPECT_EQ(images->counts().layers, 3u);
  collect(true);
  EXPECT_EQ(images->counts().images, 2u);
  images->release("2");
  collect(false);
  EXPECT_EQ(images->counts().images, 2u) << "too young";
  collect(true);
  EXPECT_EQ(images->counts().images, 1u);
  EXPECT_EQ(images->counts().layers, 2u);
  EXPECT_EQ(base::list_directory(options.directory + "/layers")->size(), 2u);
  ASSERT_TRUE(pull(registry.host() + "/app:b", "3"));
  EXPECT_EQ(images->counts().layers, 3u);
  open();
  EXPECT_EQ(images->counts().images, 2u);
}

TEST_F(Pulling, removes_unused_images_at_once_but_those_that_are_named) {
  registry.add("app", "a", two_layers());
  auto other = two_layers();
  other.layers[1] = TarWriter().file("other", "x").finish();
  registry.add("app", "b", other);
  ASSERT_TRUE(pull(registry.host() + "/app:a", "1"));
  ASSERT_TRUE(pull(registry.host() + "/app:b", "2"));
  const auto prune = [&](const std::vector<std::string>& kept) {
    bool done = false;
    const Status begun = images->prune(kept, [&] { done = true; });
    if (begun) run([&] { return done; });
    return begun ? "begun" : begun.error().message;
  };
  EXPECT_EQ(prune({}), "begun");
  EXPECT_EQ(images->counts().images, 2u) << "both are in use";
  images->release("1");
  images->release("2");
  EXPECT_NE(prune({registry.host() + "/app:b", "No Name"}).find("'No Name'"), std::string::npos);
  EXPECT_EQ(images->counts().images, 2u);
  EXPECT_EQ(prune({registry.host() + "/app:b"}), "begun");
  EXPECT_EQ(images->counts().images, 1u);
  EXPECT_EQ(images->counts().layers, 2u);
  EXPECT_EQ(prune({}), "begun");
  EXPECT_EQ(images->counts().images, 0u);
  EXPECT_EQ(images->counts().layers, 0u);
}

TEST_F(Pulling, reads_archives) {
  ASSERT_TRUE(base::make_directories(top / "archives/sub"));
  ASSERT_TRUE(
      base::write_file(top / "archives/app:1.tar", FakeRegistry::archive(two_layers(), "app:1")));
  ASSERT_TRUE(base::write_file(top / "archives/sub/x:latest.tar",
                               FakeRegistry::archive(two_layers(), "sub/x:latest")));
  ASSERT_TRUE(base::write_file(top / "secret.tar", FakeRegistry::archive(two_layers(), "s:1")));
  ASSERT_EQ(symlink("../secret.tar", (top / "archives/link.tar").c_str()), 0);
  options.archives = top / "archives";
  options.archive_directories = {top / "archives"};
  open();
  const auto got = pull("app:1");
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(*base::read_file((*got)->layers[1] + "/etc/name"), "top");
  EXPECT_TRUE(pull("sub/x"));
  EXPECT_FALSE(pull("none"));
  EXPECT_TRUE(pull("file://" + (top / "archives/app:1.tar")));
  for (const auto& bad :
       {"file://" + (top / "secret.tar"), "file://" + (top / "archives/../secret.tar"),
        "file://" + (top / "archives/link.tar"), std::string("file://relative"),
        "file://" + (top / "archivesX/a.tar")})
    EXPECT_FALSE(pull(bad)) << bad;
  const std::string whole = FakeRegistry::archive(two_layers(), "cut:1");
  ASSERT_TRUE(base::write_file(top / "archives/cut:1.tar", whole.substr(0, 1000)));
  EXPECT_FALSE(pull("cut:1"));
  ASSERT_TRUE(base::write_file(top / "archives/packed:1.tar", testing::gzip(whole)));
  EXPECT_NE(pull("packed:1").error().message.find("compressed"), std::string::npos);
}

TEST_F(Pulling, reads_oci_layouts) {
  const auto image = two_layers();
  const std::string layer = testing::zstd(image.layers[0]);
  const std::string config = R"({"os":"linux","config":{"Cmd":["c"]},"rootfs":{"diff_ids":[")" +
                             sha256_of(image.layers[0]) + R"("]}})";
  const std::string manifest = R"({"schemaVersion":2,"config":{"size":1,"digest":")" +
                               sha256_of(config) + R"("},"layers":[{"size":1,"digest":")" +
                               sha256_of(layer) + R"("}]})";
  const std::string index =
      R"({"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":")" +
      sha256_of(manifest) +
      R"(","annotations":{"org.opencontainers.image.ref.name":"v1"}},{"size":1,"digest":")" +
      sha256_of(config) + R"(","platform":{"os":"linux","architecture":"x"}}]})";
  const std::string directory = top / "layout";
  ASSERT_TRUE(base::make_directories(directory + "/blobs/sha256"));
  TarWriter tar;
  for (const auto& [name, text] : {std::pair<std::string, std::string>{"index.json", index},
                                   {"blobs/sha256/" + sha256_of(manifest).substr(7), manifest},
                                   {"blobs/sha256/" + sha256_of(config).substr(7), config},
                                   {"blobs/sha256/" + sha256_of(layer).substr(7), layer}}) {
    ASSERT_TRUE(base::write_file(directory + "/" + name, text));
    tar.file("./" + name, text);
  }
  ASSERT_TRUE(base::write_file(top / "layout.tar", tar.finish()));
  options.archive_directories = {top.path()};
  open();
  for (const char* name : {"layout#app:v1", "layout.tar#app:v1"}) {
    const auto got = pull("file://" + (top / name));
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ((*got)->id, sha256_of(manifest));
    EXPECT_EQ(*base::read_file((*got)->layers[0] + "/etc/name"), "base");
    images->release("container");
    collect(true);
  }
}

}  // namespace
}  // namespace containerizer::images
