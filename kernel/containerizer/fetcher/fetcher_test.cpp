// The fetcher against a server in the same process: what is downloaded how often, and whose rights count.

#include "kernel/containerizer/fetcher/fetcher.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crypto.hpp"
#include "base/file.hpp"
#include "base/http/server.hpp"
#include "kernel/containerizer/fetcher/cache.hpp"
#include "kernel/containerizer/fetcher/uri.hpp"
#include "kernel/containerizer/testing/helper_path.hpp"

namespace containerizer::fetcher {
namespace {

mesos::v1::CommandInfo::URI uri_of(const std::string& value, bool cache = true) {
  mesos::v1::CommandInfo::URI uri;
  uri.set_value(value);
  uri.set_cache(cache);
  return uri;
}

class Fetching : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/dcos-fetcher-test-XXXXXX";
    top = mkdtemp(name);
    chmod(top.c_str(), 0755);
    url = "http://127.0.0.1:" + std::to_string(server.listen("127.0.0.1", 0).value_or(0));
    open(1 << 20);
  }
  void TearDown() override {
    fetcher.reset();
    (void)base::remove_tree(top);
  }

  void open(uint64_t cache_bytes) {
    Fetcher::Options options;
    options.helper = helper_path();
    options.cache_directory = top + "/cache";
    options.cache_bytes = cache_bytes;
    fetcher = std::make_unique<Fetcher>(loop, pool, std::move(options));
  }

  /// Begins a job; its result comes into `results`.
  void begin(const std::string& id, std::vector<mesos::v1::CommandInfo::URI> uris,
             std::optional<launch::UserIds> user = {}) {
    ASSERT_TRUE(base::make_directories(top + "/" + id));
    ASSERT_TRUE(base::make_directories(top + "/run/" + id));
    fetcher->fetch(FetchJob{id, std::move(uris), top + "/" + id, top + "/run/" + id, std::move(user)},
                   [this, id](Status status) {
                     results[id] = status ? "ok" : status.error().message;
                     loop.stop();
                   });
  }

  std::string wait(const std::string& id) {
    const auto guard = loop.after(base::seconds(30), [this] { loop.stop(1); });
    while (!results.contains(id)) {
      if (loop.run() != 0) {
        ADD_FAILURE() << "nothing happened";
        break;
      }
    }
    loop.cancel(guard);
    return results[id];
  }

  std::string fetch(const std::string& id, mesos::v1::CommandInfo::URI uri, std::optional<launch::UserIds> user = {}) {
    begin(id, {std::move(uri)}, std::move(user));
    return wait(id);
  }

  std::string file(const std::string& path) { return base::read_file(top + "/" + path).value_or("(none)"); }

  base::Loop loop;
  base::Pool pool{loop, 2};
  std::string top, url;
  std::map<std::string, std::string> content, results;
  std::vector<std::string> asked;
  std::vector<base::http::Responder> held;
  bool hold = false, chunked = false;
  base::http::Server server{loop, {}, [this](base::http::Request request, base::http::Responder responder) {
                              asked.push_back(request.path);
                              if (hold) {
                                held.push_back(responder);
                                if (held_enough && held.size() >= held_enough) loop.stop();
                                return;
                              }
                              answer(request.path, responder);
                            }};
  size_t held_enough = 0;
  std::unique_ptr<Fetcher> fetcher;

  void answer(const std::string& path, const base::http::Responder& responder) {
    if (!content.contains(path)) return responder.reply(base::http::Response::text(404, "no"));
    base::http::Response response;
    if (chunked) {
      const auto stream = responder.stream(response);
      stream.write(content[path]);
      stream.close();
      return;
    }
    response.body = content[path];
    responder.reply(std::move(response));
  }
};

TEST_F(Fetching, downloads_once_for_all_that_ask_at_the_same_time) {
  ASSERT_EQ(system(("cd " + top + " && echo inside > f && tar czf f.tgz f && rm f").c_str()), 0);
  content["/f.tgz"] = file("f.tgz");
  hold = true;
  held_enough = 1;
  for (const char* id : {"a", "b", "c"}) begin(id, {uri_of(url + "/f.tgz")});
  loop.run();
  hold = false;
  answer("/f.tgz", held.at(0));
  for (const char* id : {"a", "b", "c"}) {
    EXPECT_EQ(wait(id), "ok");
    EXPECT_EQ(file(std::string(id) + "/f"), "inside\n");
    EXPECT_EQ(base::list_directory(top + "/" + id).value_or({}), (std::vector<std::string>{"f", "stderr"}));
  }
  EXPECT_EQ(fetch("d", uri_of(url + "/f.tgz")), "ok");
  EXPECT_EQ(asked.size(), 1u);
  EXPECT_EQ(fetcher->counts().cache_hits, 3u);
  EXPECT_EQ(fetcher->counts().cache_used_bytes, content["/f.tgz"].size());
}

TEST_F(Fetching, goes_on_for_the_others_when_the_first_is_destroyed) {
  content["/f"] = "content";
  hold = true;
  held_enough = 1;
  begin("a", {uri_of(url + "/f")});
  loop.run();
  begin("b", {uri_of(url + "/f")});
  loop.post([this] { fetcher->cancel("a"); });
  EXPECT_EQ(wait("a"), "the container was destroyed while its files were fetched");
  answer("/f", held.at(0));
  EXPECT_EQ(wait("b"), "ok");
  EXPECT_EQ(file("b/f"), "content");
  EXPECT_EQ(asked.size(), 1u);

  // Nobody is left: the next one begins anew.
  held.clear();
  begin("c", {uri_of(url + "/other")});
  loop.run();
  fetcher->cancel("c");
  wait("c");
  hold = false;
  content["/other"] = "other";
  EXPECT_EQ(fetch("d", uri_of(url + "/other")), "ok");
  EXPECT_EQ(file("d/other"), "other");
}

TEST_F(Fetching, forgets_what_was_not_used_for_longest) {
  open(250);
  for (const char* name : {"/1", "/2", "/3"}) content[name] = std::string(100, name[1]);
  EXPECT_EQ(fetch("a", uri_of(url + "/1")), "ok");
  EXPECT_EQ(fetch("b", uri_of(url + "/2")), "ok");
  EXPECT_EQ(fetch("c", uri_of(url + "/1")), "ok");
  EXPECT_EQ(fetch("d", uri_of(url + "/3")), "ok");  // /2 goes
  EXPECT_EQ(fetcher->counts().cache_used_bytes, 200u);
  EXPECT_EQ(fetch("e", uri_of(url + "/1")), "ok");
  EXPECT_EQ(asked, (std::vector<std::string>{"/1", "/2", "/3"}));
  EXPECT_EQ(fetch("f", uri_of(url + "/2")), "ok");
  EXPECT_EQ(file("f/2"), content["/2"]);
  EXPECT_EQ(asked.size(), 4u);
}

TEST_F(Fetching, does_without_the_cache_what_does_not_fit_or_has_no_size) {
  open(10);
  content["/big"] = std::string(100, 'x');
  EXPECT_EQ(fetch("a", uri_of(url + "/big")), "ok");
  EXPECT_EQ(file("a/big"), content["/big"]);
  chunked = true;
  content["/small"] = "y";
  EXPECT_EQ(fetch("b", uri_of(url + "/small")), "ok");
  EXPECT_EQ(file("b/small"), "y");
  EXPECT_EQ(fetcher->counts().cache_used_bytes, 0u);
  EXPECT_EQ(base::list_directory(top + "/cache").value_or({"?"}).size(), 0u);
}

TEST_F(Fetching, large_files_arrive_whole_and_in_order) {
  std::string large;
  for (int i = 0; large.size() < (6 << 20); ++i) large += std::to_string(i) + "\n";
  content["/large"] = large;
  open(16 << 20);
  EXPECT_EQ(fetch("a", uri_of(url + "/large", false)), "ok");
  EXPECT_TRUE(file("a/large") == large);
  EXPECT_EQ(fetch("b", uri_of(url + "/large", true)), "ok");
  EXPECT_TRUE(file("b/large") == large);
}

TEST_F(Fetching, a_failed_download_is_tried_again_by_the_next) {
  EXPECT_EQ(fetch("a", uri_of(url + "/f")), "Failed to fetch '" + url + "/f': the server answered 404 Not Found");
  content["/f"] = "now";
  EXPECT_EQ(fetch("b", uri_of(url + "/f")), "ok");
  EXPECT_EQ(file("b/f"), "now");
}

TEST_F(Fetching, checks_the_digest_that_the_uri_names) {
  content["/f"] = "content";
  const std::string right = url + "/f#sha256=" + base::sha256_hex("content");
  const std::string wrong = url + "/f#sha256=" + base::sha256_hex("other");
  for (const bool cache : {false, true}) {
    const std::string id = cache ? "cached-" : "direct-";
    EXPECT_EQ(fetch(id + "a", uri_of(right, cache)), "ok");
    EXPECT_EQ(file(id + "a/f"), "content");
    const std::string failure = fetch(id + "b", uri_of(wrong, cache));
    EXPECT_NE(failure.find("wrong digest: sha256:" + base::sha256_hex("other") + " was asked for"), std::string::npos)
        << failure;
  }
  EXPECT_NE(fetch("short", uri_of(url + "/f#sha256=abc")).find("must have 64 hexadecimal digits"), std::string::npos);
}

TEST_F(Fetching, reads_files_of_the_machine_with_the_rights_of_the_tasks_user) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto nobody = launch::find_user("nobody");
  ASSERT_TRUE(nobody);
  ASSERT_TRUE(base::write_file(top + "/secret", "for root", 0600));
  ASSERT_TRUE(base::write_file(top + "/open", "for all", 0644));
  const std::string failure = fetch("a", uri_of(top + "/secret", false), *nobody);
  EXPECT_NE(failure.find("cannot open the file: Permission denied"), std::string::npos) << failure;
  EXPECT_EQ(fetch("b", uri_of(top + "/open", false), *nobody), "ok");
  EXPECT_EQ(fetch("c", uri_of(top + "/secret", false)), "ok");
}

TEST(FetchUri, keeps_a_fragment_that_is_no_digest) {
  const auto plan = plan_fetch(uri_of("http://host/a#part"), "");
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->source, "http://host/a#part");
  EXPECT_EQ(plan->destination, "a");
  const auto file = plan_fetch(uri_of("/opt/f.tar#sha512=" + std::string(128, 'A')), "");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->source, "/opt/f.tar");
  EXPECT_EQ(file->digest, "sha512:" + std::string(128, 'a'));
  EXPECT_EQ(file->unpack, Unpack::Tar);
}

TEST(FetchCache, never_removes_what_is_in_use) {
  Cache cache("/c", 100);
  const auto first = cache.add("a");
  ASSERT_TRUE(cache.reserve(first, 60));
  cache.complete(first);
  const auto second = cache.add("b");
  EXPECT_FALSE(cache.reserve(second, 60)) << "the first has a user";
  EXPECT_FALSE(cache.release(first));
  EXPECT_EQ(cache.reserve(second, 60).value_or({}), std::vector<std::string>{first->file});
  EXPECT_EQ(cache.use("a"), nullptr);
  EXPECT_EQ(cache.used(), 60u);
  cache.forget(second);
  EXPECT_EQ(cache.used(), 0u);
  EXPECT_TRUE(cache.release(second));
}

}  // namespace
}  // namespace containerizer::fetcher
