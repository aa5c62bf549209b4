// Names, manifests, credentials, what may be removed: everything that needs no file.

#include <gtest/gtest.h>

#include "base/strings.hpp"
#include "kernel/containerizer/images/collection.hpp"
#include "kernel/containerizer/images/credentials.hpp"
#include "kernel/containerizer/images/digest.hpp"
#include "kernel/containerizer/images/manifest.hpp"
#include "kernel/containerizer/images/reference.hpp"

namespace containerizer::images {
namespace {

const std::string kHex(64, 'a');
const std::string kDigest = "sha256:" + kHex;

TEST(References, are_split_as_docker_splits_them) {
  const std::pair<std::string, Reference> cases[] = {
      {"ubuntu", {"", "ubuntu", "latest", ""}},
      {"ubuntu:14.04", {"", "ubuntu", "14.04", ""}},
      {"libmesos/ubuntu", {"", "libmesos/ubuntu", "latest", ""}},
      {"a/b/c:t", {"", "a/b/c", "t", ""}},
      {"quay.io/app", {"quay.io", "app", "latest", ""}},
      {"localhost/app:1", {"localhost", "app", "1", ""}},
      {"localhost:5000/a/b", {"localhost:5000", "a/b", "latest", ""}},
      {"host:5000/app:1.0", {"host:5000", "app", "1.0", ""}},
      {"[::1]:5000/app", {"[::1]:5000", "app", "latest", ""}},
      {"host/app", {"", "host/app", "latest", ""}},
      {"app@" + kDigest, {"", "app", "", kDigest}},
      {"app:tag@" + kDigest, {"", "app", "tag", kDigest}},
      {"r.example/a_b/c-d.e__f:X_y.z-1", {"r.example", "a_b/c-d.e__f", "X_y.z-1", ""}},
      {"localhost", {"", "localhost", "latest", ""}},
  };
  for (const auto& [text, wanted] : cases) {
    const auto parsed = parse_reference(text);
    ASSERT_TRUE(parsed) << text << ": " << parsed.error().message;
    EXPECT_EQ(*parsed, wanted) << text;
    const auto again = parse_reference(parsed->render());
    ASSERT_TRUE(again) << parsed->render();
    EXPECT_EQ(*again, *parsed) << text;
  }
  EXPECT_EQ(parse_reference("a:t@" + kDigest)->wanted(), kDigest);
}

TEST(References, that_are_malformed_are_refused_with_the_part_that_is_wrong) {
  const std::pair<std::string, const char*> cases[] = {{"", "repository"},
                                                       {"Ubuntu", "lower case"},
                                                       {":tag", "repository"},
                                                       {"a:", "tag"},
                                                       {"a:b c", "tag"},
                                                       {"a:" + std::string(129, 'x'), "tag"},
                                                       {"a@sha256:12", "digest"},
                                                       {"a@" + kDigest + "0", "digest"},
                                                       {"a//b", "component"},
                                                       {"a/", "component"},
                                                       {"/a", "component"},
                                                       {"a..b", "component"},
                                                       {"a___b", "component"},
                                                       {"-a", "component"},
                                                       {"host:0/a", "registry"},
                                                       {"host:99999/a", "registry"},
                                                       {".x/a", "registry"},
                                                       {"http://host/a", "registry"},
                                                       {std::string(300, 'a'), "255"},
                                                       {std::string("a\0b", 3), "component"},
                                                       {"a\n", "component"}};
  for (const auto& [text, part] : cases) {
    const auto parsed = parse_reference(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().message.find(part), std::string::npos)
        << text << ": " << parsed.error().message;
  }
}

std::string urls(const std::string& name, const RegistrySettings& settings = {}) {
  std::string out;
  for (const auto& endpoint : plan_endpoints(*parse_reference(name), settings))
    out += (out.empty() ? "" : " ") + endpoint.url + "/" + endpoint.repository +
           (endpoint.verify_tls ? "" : "!");
  return out;
}

TEST(Endpoints, follow_from_the_registry_its_port_and_the_flags) {
  EXPECT_EQ(urls("ubuntu"), "https://registry-1.docker.io/library/ubuntu");
  EXPECT_EQ(urls("docker.io/ubuntu"), "https://registry-1.docker.io/library/ubuntu");
  EXPECT_EQ(urls("index.docker.io/a/b"), "https://registry-1.docker.io/a/b");
  EXPECT_EQ(urls("quay.io/ubuntu"), "https://quay.io/ubuntu");
  EXPECT_EQ(urls("host:5000/a"), "https://host:5000/a");
  EXPECT_EQ(urls("host:80/a"), "http://host:80/a");
  EXPECT_EQ(urls("localhost:5000/a"), "http://localhost:5000/a");
  EXPECT_EQ(urls("127.0.3.1:5000/a"), "http://127.0.3.1:5000/a");
  EXPECT_EQ(urls("127.evil.example:5000/a"), "https://127.evil.example:5000/a");
  EXPECT_EQ(urls("localhost:443/a"), "https://localhost:443/a");
  RegistrySettings settings;
  settings.default_registry = "http://10.0.0.1:5000";
  EXPECT_EQ(urls("ubuntu", settings), "http://10.0.0.1:5000/ubuntu");
  settings.insecure = {"host:5000"};
  EXPECT_EQ(urls("host:5000/a", settings), "https://host:5000/a! http://host:5000/a");
  settings.mirrors = *parse_mirrors("https://m.example,quay.io=http://q.example:8080/");
  EXPECT_EQ(urls("a/b", settings), "https://m.example/a/b http://10.0.0.1:5000/a/b");
  EXPECT_EQ(urls("quay.io/a", settings), "http://q.example:8080/a https://quay.io/a");
  EXPECT_FALSE(parse_mirrors("ftp://x"));
  EXPECT_FALSE(parse_mirrors("x=https://"));
  EXPECT_EQ(canonical_name(*parse_reference("ubuntu"), {}),
            "registry-1.docker.io/library/ubuntu:latest");
  EXPECT_EQ(canonical_name(*parse_reference("docker.io/library/ubuntu"), {}),
            "registry-1.docker.io/library/ubuntu:latest");
}

std::string entry(const std::string& os, const std::string& architecture,
                  const std::string& variant, char digit) {
  return R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","size":7,"digest":"sha256:)" +
         std::string(64, digit) + R"(","platform":{"os":")" + os + R"(","architecture":")" +
         architecture + (variant.empty() ? "" : R"(","variant":")" + variant) + "\"}}";
}

std::string index_of(const std::string& entries) {
  return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)" +
         entries + "]}";
}

TEST(Manifests, of_an_index_are_chosen_by_platform) {
  const std::string index =
      index_of(entry("windows", "amd64", "", '1') + "," + entry("unknown", "unknown", "", '2') +
               "," + entry("linux", "arm", "v6", '3') + "," + entry("linux", "arm", "v7", '4') +
               "," + entry("linux", "amd64", "", '5') + "," + entry("linux", "arm64", "v8", '6'));
  const std::tuple<Platform, char> cases[] = {{{"linux", "amd64", ""}, '5'},
                                              {{"linux", "arm", "v7"}, '4'},
                                              {{"linux", "arm64", "v8"}, '6'},
                                              {{"linux", "arm64", ""}, '6'}};
  for (const auto& [platform, digit] : cases) {
    const auto manifest = decode_manifest(index, "", platform);
    ASSERT_TRUE(manifest) << manifest.error().message;
    EXPECT_EQ(manifest->elsewhere->digest, "sha256:" + std::string(64, digit)) << platform.render();
  }
  const auto none = decode_manifest(index, "", {"linux", "s390x", ""});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message,
            "the image has no variant for linux/s390x; it has windows/amd64, linux/arm/v6, "
            "linux/arm/v7, linux/amd64, linux/arm64/v8");
}

TEST(Manifests, of_both_kinds_are_read) {
  const std::string body = R"("config":{"mediaType":"x","size":3,"digest":")" + kDigest +
                           R"("},"layers":[{"mediaType":"y","size":9,"digest":")" + kDigest +
                           R"("}]})";
  const std::string docker =
      R"({"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json",)" +
      body;
  for (const auto& [text, type] : {std::pair<std::string, std::string>{docker, "text/plain"},
                                   {R"({"schemaVersion":2,)" + body,
                                    "application/vnd.oci.image.manifest.v1+json; charset=utf-8"},
                                   {R"({"schemaVersion":2,)" + body, ""}}) {
    const auto manifest = decode_manifest(text, type, {});
    ASSERT_TRUE(manifest) << manifest.error().message;
    EXPECT_FALSE(manifest->elsewhere);
    EXPECT_EQ(manifest->config.size, 3u);
    ASSERT_EQ(manifest->layers.size(), 1u);
    EXPECT_EQ(manifest->layers[0].digest, kDigest);
  }
}

TEST(Manifests, that_cannot_be_used_are_refused_in_words) {
  const std::pair<std::string, const char*> cases[] = {
      {"{", "unexpected end"},
      {"[]", "not a JSON object"},
      {R"({"schemaVersion":1,"fsLayers":[]})", "schema 1"},
      {R"({"schemaVersion":2,"mediaType":"application/vnd.cncf.helm"})", "not supported"},
      {R"({"schemaVersion":2,"layers":[]})", "/config"},
      {R"({"schemaVersion":2,"config":{"digest":"sha256:1","size":1},"layers":[]})",
       "/config/digest"},
      {R"({"schemaVersion":2,"config":{"digest":")" + kDigest + R"(","size":-1},"layers":[]})",
       "/config/size"},
      {R"({"schemaVersion":2,"config":{"digest":")" + kDigest +
           R"(","size":1},"layers":[{"digest":")" + kDigest +
           R"(","size":1,"urls":["http://x"]}]})",
       "foreign"},
      {index_of(""), "no variant"}};
  for (const auto& [text, words] : cases) {
    const auto manifest = decode_manifest(text, "", {});
    ASSERT_FALSE(manifest) << text;
    EXPECT_NE(manifest.error().message.find(words), std::string::npos) << manifest.error().message;
  }
}

TEST(Configurations, say_how_an_image_is_run) {
  const auto config = decode_config(
      R"({"os":"linux","config":{"Env":["A=1","B"],"Cmd":["-c"],"Entrypoint":["/e","x"],"WorkingDir":"/w","User":"u:g",
      "StopSignal":"SIGINT","Volumes":{"/data":{}},"Labels":{"k":"v"}},"rootfs":{"type":"layers","diff_ids":[")" +
      kDigest + R"("]}})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->environment, (std::vector<std::string>{"A=1", "B"}));
  EXPECT_EQ(config->entrypoint, (std::vector<std::string>{"/e", "x"}));
  EXPECT_EQ(config->command, (std::vector<std::string>{"-c"}));
  EXPECT_EQ(config->working_directory, "/w");
  EXPECT_EQ(config->user, "u:g");
  EXPECT_EQ(config->stop_signal, "SIGINT");
  EXPECT_EQ(config->volumes, (std::vector<std::string>{"/data"}));
  EXPECT_EQ(config->diff_ids, (std::vector<std::string>{kDigest}));
  EXPECT_TRUE(decode_config(R"({"config":{"Cmd":null,"Entrypoint":null,"Volumes":null}})"));
  EXPECT_FALSE(decode_config(R"({"os":"windows"})"));
  EXPECT_FALSE(decode_config(R"({"config":{"Env":[1]}})"));
  EXPECT_FALSE(decode_config(R"({"rootfs":{"diff_ids":["x"]}})"));
}

TEST(Credentials, come_from_both_forms_of_dockers_file) {
  const std::string auth = base::base64_encode("user:pa:ss");
  const auto config =
      Credentials::parse(R"({"auths":{"https://index.docker.io/v1/":{"auth":")" + auth +
                         R"("},"r.example:5000":{"username":"a","password":"b"},"empty":{}}})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->find("registry-1.docker.io")->password, "pa:ss");
  EXPECT_EQ(config->find("r.example:5000")->user, "a");
  EXPECT_FALSE(config->find("r.example"));
  EXPECT_FALSE(config->find("empty"));
  auto old =
      Credentials::parse(R"({"http://r.example:5000/v1":{"auth":")" + auth + R"(","email":"e"}})");
  ASSERT_TRUE(old);
  EXPECT_EQ(old->find("r.example:5000")->user, "user");
  EXPECT_EQ(old->find("r.example:5000")->basic(), "Basic " + auth);
  old->merge(*config);
  EXPECT_EQ(old->find("r.example:5000")->user, "a");
  EXPECT_NE(old->fingerprint(), config->fingerprint().substr(1));
  EXPECT_EQ(Credentials().fingerprint(), "");
  EXPECT_FALSE(Credentials::parse(R"({"auths":{"x":{"auth":"!!"}}})"));
  EXPECT_FALSE(Credentials::parse(R"({"auths":[]})"));
  EXPECT_FALSE(Credentials::parse(R"({"credsStore":"pass"})"));
}

TEST(Challenges, are_read_with_quotes_and_without) {
  const auto challenge = parse_challenge(
      R"(Bearer realm="https://auth.example/token?x=1,2",service="r \"q\"", scope=repository:a:pull)");
  ASSERT_TRUE(challenge);
  EXPECT_EQ(challenge->scheme, "bearer");
  EXPECT_EQ(challenge->parameters.at("realm"), "https://auth.example/token?x=1,2");
  EXPECT_EQ(challenge->parameters.at("service"), "r \"q\"");
  EXPECT_EQ(challenge->parameters.at("scope"), "repository:a:pull");
  EXPECT_EQ(parse_challenge("Basic realm=x")->scheme, "basic");
  EXPECT_FALSE(parse_challenge(" "));
}

Store::Content content_of(
    const std::vector<std::pair<std::string, std::vector<std::string>>>& images) {
  Store::Content out;
  double age = 100;
  for (const auto& [id, layers] : images) {
    ImageRecord record;
    record.id = id;
    record.names = {id + ":latest"};
    record.layers = layers;
    record.last_used = 1000 - age--;
    out.images[id] = record;
    for (const auto& layer : layers) out.layers[layer] = LayerRecord{layer, 10, 1, 900};
  }
  return out;
}

TEST(Collection, removes_what_is_old_and_unused_and_keeps_shared_layers) {
  CollectionPolicy policy;
  policy.max_age = base::seconds(99);
  const auto content = content_of(
      {{"a", {"base", "1"}}, {"b", {"base", "2"}}, {"c", {"3"}}});  // last used at 900, 901, 902
  EXPECT_TRUE(plan_collection(content, {}, {}, policy, 990, 0).images.empty());
  const auto old = plan_collection(content, {}, {}, policy, 999.5, 0);
  EXPECT_EQ(old.images, (std::vector<std::string>{"a"}));
  EXPECT_EQ(old.layers, (std::vector<std::string>{"1"}));
  const auto all = plan_collection(content, {}, {}, policy, 2000, 0);
  EXPECT_EQ(all.images.size(), 3u);
  EXPECT_EQ(all.layers.size(), 4u);
  EXPECT_EQ(plan_collection(content, {"a"}, {}, policy, 2000, 0).images,
            (std::vector<std::string>{"b", "c"}));
  EXPECT_EQ(plan_collection(content, {"a"}, {}, policy, 2000, 0).layers,
            (std::vector<std::string>{"2", "3"}));
  EXPECT_EQ(plan_collection(content, {}, {"base"}, policy, 2000, 0).layers,
            (std::vector<std::string>{"1", "2", "3"}));
  policy.excluded = {"b:latest"};
  EXPECT_EQ(plan_collection(content, {}, {}, policy, 2000, 0).images,
            (std::vector<std::string>{"a", "c"}));
}

TEST(Collection, under_pressure_removes_the_longest_unused_until_it_is_enough) {
  const auto content = content_of({{"a", {"base", "1"}}, {"b", {"base", "2"}}, {"c", {"3"}}});
  CollectionPolicy policy;
  EXPECT_EQ(plan_collection(content, {}, {}, policy, 1000, 5).images,
            (std::vector<std::string>{"a"}));
  EXPECT_EQ(plan_collection(content, {}, {}, policy, 1000, 15).images,
            (std::vector<std::string>{"a", "b"}));
  auto orphaned = content;
  orphaned.layers["lost"] = LayerRecord{"lost", 100, 1, 999};
  const auto plan = plan_collection(orphaned, {}, {}, policy, 1000, 50);
  EXPECT_TRUE(plan.images.empty());
  EXPECT_EQ(plan.layers, (std::vector<std::string>{"lost"}));
  EXPECT_TRUE(plan_collection(orphaned, {}, {}, policy, 1000, 0).layers.empty());
}

TEST(Collection, is_set_by_the_originals_flag) {
  const auto policy = CollectionPolicy::parse(
      R"({"image_disk_headroom":0.2,"image_disk_watch_interval":{"nanoseconds":3600000000000},"excluded_images":)"
      R"([{"type":"DOCKER","docker":{"name":"ubuntu"}},"a/b:1"]})");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->disk_headroom, 0.2);
  EXPECT_EQ(policy->interval, base::hours(1));
  EXPECT_EQ(policy->excluded, (std::set<std::string>{"ubuntu:latest", "a/b:1"}));
  for (const char* bad :
       {"[]", R"({"image_disk_headroom":2})", R"({"headroom":0.1})", R"({"excluded_images":[1]})",
        R"({"image_disk_watch_interval":5})", R"({"excluded_images":["UPPER"]})"})
    EXPECT_FALSE(CollectionPolicy::parse(bad)) << bad;
}

}  // namespace
}  // namespace containerizer::images
