// Clusters that the command line knows, and its settings.

#include "cli/config_store.hpp"
#include "cli/testing.hpp"

namespace cli {
namespace {

using ClusterSetup = Dcos;

TEST_F(ClusterSetup, writes_the_configuration_and_attaches) {
  Outcome done = run({"cluster", "setup", cluster_.url() + "/"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out, "");
  EXPECT_EQ(
      done.err,
      "This cluster does not require authenticated requests. Skipping login.\ndev is attached: " +
          cluster_.url() + "\n");
  std::string directory = home_ + "/.dcos/clusters/abc-123";
  EXPECT_EQ(base::read_file(directory + "/dcos.toml").value(),
            "[cluster]\nname = \"dev\"\n\n[core]\ndcos_url = \"" + cluster_.url() + "\"\n");
  struct stat info {};
  ASSERT_EQ(::stat((directory + "/dcos.toml").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_TRUE(base::exists(directory + "/attached"));
  EXPECT_EQ(cluster_.requests(),
            (std::vector<std::string>{"HEAD /", "HEAD /pkgpanda/active.buildinfo.full.json",
                                      "GET /metadata", "GET /mesos/state-summary"}));
}

TEST_F(ClusterSetup, says_what_is_wrong) {
  Outcome missing = run({"cluster", "setup"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.err,
            "Error: missing argument: dcos cluster setup <url>\n"
            "Run `dcos cluster setup --help` for its usage.\n");
  cluster_.answer("HEAD /", "", 500);
  EXPECT_EQ(
      run({"cluster", "setup", cluster_.url()}).err,
      "Error: couldn't detect a canonical cluster URL: " + cluster_.url() + " answers HTTP 500\n");
  Outcome nobody = run({"cluster", "setup", "http://127.0.0.1:1"});
  EXPECT_EQ(nobody.code, 1);
  EXPECT_NE(nobody.err.find("Error: could not connect to http://127.0.0.1:1: "), std::string::npos)
      << nobody.err;
}

TEST_F(Dcos, lists_renames_attaches_and_removes_clusters) {
  run({"cluster", "setup", cluster_.url()});
  Outcome list = run({"cluster", "list"});
  std::string url = cluster_.url();
  std::string blanks((url.size() - 3) / 2, ' ');
  std::string after(url.size() - 3 - blanks.size(), ' ');
  EXPECT_EQ(list.out, "     NAME    ID      STATUS    VERSION  " + blanks + "URL" + after + "  \n" +
                          "  *  dev   abc-123  AVAILABLE  2.2.0    " + url + "  \n");
  EXPECT_EQ(run({"cluster", "rename", "dev", "prod"}).code, 0);
  EXPECT_EQ(run({"cluster", "list", "--names"}).out, "prod\n");
  EXPECT_EQ(run({"cluster", "attach", "nope"}).err,
            "Error: no match found: \"nope\". Please run `dcos cluster list`\n");
  EXPECT_EQ(run({"cluster", "attach", "abc"}).code, 0);
  Outcome json = run({"cluster", "list", "--json"});
  EXPECT_NE(
      json.out.find("    {\n        \"attached\": true,\n        \"cluster_id\": \"abc-123\",\n"),
      std::string::npos)
      << json.out;
  EXPECT_EQ(run({"cluster", "remove", "x", "--all"}).err,
            "Error: cannot accept both a cluster name and the --all / --unavailable option\n");
  EXPECT_EQ(
      run({"cluster", "remove"}).err,
      "Error: either a cluster name or one of the --all / --unavailable option must be passed\n");
  EXPECT_EQ(run({"cluster", "remove", "prod"}).code, 0);
  EXPECT_EQ(run({"node"}).err,
            "Error: no cluster is attached. Please run `dcos cluster setup <url>`\n");
}

TEST_F(Dcos, keeps_settings_by_type) {
  run({"cluster", "setup", cluster_.url()});
  EXPECT_EQ(run({"config", "set", "core.timeout", "abc"}).err,
            "Error: unable to cast \"abc\" of type string to int64\n");
  EXPECT_EQ(run({"config", "set", "core.timeout", "5"}).code, 0);
  EXPECT_EQ(run({"config", "set", "nonsense", "5"}).code, 1);
  EXPECT_EQ(run({"config", "set", "core.dcos_acs_token", "tok"}).code, 0);
  EXPECT_EQ(run({"config", "set", "core.dcos_url", cluster_.url()}).code,
            0);  // a token belongs to one address
  EXPECT_EQ(run({"config", "show"}).out,
            "cluster.name dev\ncore.dcos_url " + cluster_.url() + "\ncore.timeout 5\n");
  EXPECT_EQ(run({"config", "unset", "core.timeout"}).code, 0);
  EXPECT_EQ(run({"config", "unset", "core.timeout"}).code, 1);
}

}  // namespace
}  // namespace cli
