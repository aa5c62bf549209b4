// The pure parts: heads, chunks, paths, routes, the table, what streams say, and heads as they
// leave.

#include <gtest/gtest.h>

#include "admin-router/chunks.hpp"
#include "admin-router/feeds.hpp"
#include "admin-router/flags.hpp"
#include "admin-router/http_head.hpp"
#include "admin-router/path.hpp"
#include "admin-router/relay.hpp"
#include "admin-router/routes.hpp"
#include "admin-router/table.hpp"

namespace admin_router {
namespace {

base::Now at(int seconds) {
  return {base::Instant{base::seconds(seconds)}, base::Time{base::seconds(seconds)}};
}

int parse_status(const std::string& head) {
  RequestHead out;
  return parse_request(head, out).status;
}

TEST(Heads, of_requests_are_read_in_place) {
  RequestHead head;
  ASSERT_FALSE(
      parse_request("POST /a/b?x=1 HTTP/1.1\r\nHost: h:80\r\ncontent-length:  12 \r\n\r\n", head));
  EXPECT_EQ(head.method, "POST");
  EXPECT_EQ(head.path, "/a/b");
  EXPECT_EQ(head.query, "?x=1");
  EXPECT_EQ(head.host, "h:80");
  EXPECT_EQ(head.body.kind, Framing::Kind::Length);
  EXPECT_EQ(head.body.length, 12u);
  EXPECT_TRUE(head.keep_alive);
}

TEST(Heads, with_an_absolute_target_give_path_and_host) {
  RequestHead head;
  ASSERT_FALSE(parse_request("GET http://other:81/p HTTP/1.1\r\nHost: h\r\n\r\n", head));
  EXPECT_EQ(head.path, "/p");
  EXPECT_EQ(head.host, "other:81");
}

TEST(Heads, that_two_readers_could_read_differently_are_refused) {
  const std::string host = "Host: h\r\n";
  EXPECT_EQ(parse_status("GET / HTTP/1.1\r\n" + host + "\r\n"), 0);
  for (const std::string& fields : {
           std::string("Content-Length: 1\r\nContent-Length: 2\r\n"),
           std::string("Content-Length: +1\r\n"),
           std::string("Content-Length: 1, 1\r\n"),
           std::string("Content-Length: 0x1\r\n"),
           std::string("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
           std::string("Content-Length : 1\r\n"),
           std::string("X: a\r\n b\r\n"),
           std::string("X: a\nTransfer-Encoding: chunked\r\n"),
           std::string("X: a\rb\r\n"),
           std::string("X\r\n"),
           std::string(": x\r\n"),
           std::string("X: a\0b\r\n", 8),
           std::string("Content-Length: 99999999999999999999\r\n"),
           std::string("Host: other\r\n"),
       })
    EXPECT_EQ(parse_status("POST / HTTP/1.1\r\n" + host + fields + "\r\n"), 400) << fields;
  for (const char* coding :
       {"gzip, chunked", "chunked, chunked", "xchunked", "identity", "\vchunked", ""})
    EXPECT_NE(
        parse_status("POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: " + coding + "\r\n\r\n"), 0)
        << coding;
  EXPECT_EQ(parse_status("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(parse_status("GET / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(parse_status("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), 505);
  EXPECT_EQ(parse_status("GET  / HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(parse_status("GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n"), 400);
  EXPECT_EQ(parse_status("CONNECT a:1 HTTP/1.1\r\nHost: h\r\n\r\n"), 405);
  EXPECT_EQ(parse_status("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"), 400);
  std::string many;
  for (int i = 0; i < 200; ++i) many += "A: b\r\n";
  EXPECT_EQ(parse_status("GET / HTTP/1.1\r\nHost: h\r\n" + many + "\r\n"), 431);
}

TEST(Heads, of_responses_tell_how_the_body_ends) {
  ResponseHead head;
  ASSERT_FALSE(parse_response("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", false, head));
  EXPECT_EQ(head.body.kind, Framing::Kind::Length);
  ASSERT_FALSE(parse_response("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true, head));
  EXPECT_EQ(head.body.kind, Framing::Kind::None);
  ASSERT_FALSE(parse_response("HTTP/1.1 200\r\n\r\n", false, head));
  EXPECT_EQ(head.body.kind, Framing::Kind::UntilClose);
  ASSERT_FALSE(parse_response("HTTP/1.1 204 No Content\r\n\r\n", false, head));
  EXPECT_EQ(head.body.kind, Framing::Kind::None);
  EXPECT_TRUE(head.keep_alive);
  EXPECT_EQ(parse_response("SSH-2.0-OpenSSH\r\n\r\n", false, head).status, 502);
}

std::pair<ChunkScanner::State, size_t> scan(std::string_view text, size_t step,
                                            std::string* payload = nullptr) {
  ChunkScanner scanner;
  size_t total = 0;
  for (size_t i = 0; i < text.size() && scanner.state() == ChunkScanner::State::More; i += step)
    total += scanner.scan(text.substr(i, step), payload);
  return {scanner.state(), total};
}

TEST(Chunks, end_where_they_end_in_any_pieces) {
  std::string body = "5;ext=1\r\nhello\r\nA\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n";
  for (size_t step = 1; step < body.size() + 4; ++step) {
    std::string payload;
    auto [state, used] = scan(body + "GET", step, &payload);
    EXPECT_EQ(state, ChunkScanner::State::Done);
    EXPECT_EQ(used, body.size());
    EXPECT_EQ(payload, "hello0123456789");
  }
}

TEST(Chunks, that_are_malformed_are_refused) {
  for (const char* body :
       {"x\r\n", "\r\n", "-1\r\n", "5\nhello", "5 \r\nhello\r\n", "3\r\nhello\r\n", "0\r\n\nX",
        "0\r\nContent-Length: 5\r\n\r\n", "0\r\nno colon\r\n\r\n", "FFFFFFFFFFFFFFFFF\r\n",
        "ffffffffffff\r\n", "0\r\nTransfer-Encoding: chunked\r\n\r\n", "5;a\nb\r\nhello"})
    EXPECT_EQ(scan(body, 1).first, ChunkScanner::State::Bad) << body;
}

TEST(Paths, are_normalised_and_never_climb) {
  std::string scratch;
  auto normal = [&](std::string_view path) -> std::string {
    auto result = normalise_path(path, scratch);
    return result ? std::string(*result) : "error";
  };
  EXPECT_EQ(normal("/a/b"), "/a/b");
  EXPECT_EQ(normal("//a///b/"), "/a/b/");
  EXPECT_EQ(normal("/a/./b/../c"), "/a/c");
  EXPECT_EQ(normal("/a/%2e%2E/b"), "/b");
  EXPECT_EQ(normal("/a/.."), "/");
  EXPECT_EQ(normal("/a/foo%20%21"), "/a/foo%20%21");
  EXPECT_EQ(normal("/v2/apps/%2Ffoo"), "/v2/apps/%2Ffoo");
  for (const char* bad : {"/..", "/a/../../b", "/%2e%2e/b", "/a/%zz", "/a/%", "/a/%00",
                          "/a/..%2f..%2fb", "/a/..%5cb", "/a/..\\b"})
    EXPECT_EQ(normal(bad), "error") << bad;
}

TEST(Routes, go_to_the_longest_match) {
  EXPECT_EQ(find_route("/mesos").target, Target::Redirect);
  EXPECT_EQ(find_route("/mesos/state").target, Target::Master);
  EXPECT_EQ(find_route("/mesosx").target, Target::Static);
  EXPECT_EQ(find_route("/service/x/").target, Target::Service);
  EXPECT_EQ(find_route("/slave/x").target, Target::Agent);
  EXPECT_EQ(find_route("/system/v1/agent/a/logs").target, Target::AgentSystem);
  EXPECT_EQ(find_route("/system/health/v1").target, Target::Absent);
  EXPECT_EQ(find_route("/dcos-metadata/dcos-version.json").access, Access::Open);
  EXPECT_EQ(find_route("/acs/api/v1/auth/login").target, Target::Auth);
  EXPECT_EQ(find_route("/").target, Target::Static);
}

App labelled(const std::string& id, const std::string& name, uint16_t port) {
  App app;
  app.id = id;
  app.labels = {{"DCOS_SERVICE_NAME", name},
                {"DCOS_SERVICE_SCHEME", "http"},
                {"DCOS_SERVICE_PORT_INDEX", "0"}};
  AppTask task;
  task.id = id + ".1";
  task.host = "node1";
  task.host_ports = {port};
  task.running = true;
  app.tasks[task.id] = task;
  return app;
}

Table loaded_table() {
  Table table;
  MasterSnapshot snapshot;
  snapshot.agents = {{"a1", "node1", {"10.0.0.1", 5051}}};
  snapshot.frameworks = {{"f1", "marathon", "http://10.0.0.9:8080"},
                         {"f2", "spark", "http://node1:4040/ui/"},
                         {"f3", "noweb", std::nullopt},
                         {"f4", "askdns", ""},
                         {"f5", "group/inner", "http://10.0.0.7:1"}};
  table.on(MasterConnected{{"10.0.0.2", 5050}}, at(0));
  table.on(snapshot, at(0));
  table.on(AppsSnapshot{{labelled("/web", "web", 31000), labelled("/n", "/nest1/app", 31001),
                         labelled("/m", "marathon", 31002)}},
           at(0));
  return table;
}

std::string where(Table& table, std::string_view path) {
  Lookup found = table.find_service(path, at(1));
  switch (found.kind) {
    case Lookup::Kind::Missing:
      return "missing";
    case Lookup::Kind::Unavailable:
      return "unavailable";
    case Lookup::Kind::Wait:
      return "wait";
    case Lookup::Kind::Found:
      break;
  }
  return found.target.address.text() + found.target.base + " " +
         std::string(path.substr(found.target.name_bytes));
}

TEST(Services, are_found_by_label_then_by_framework) {
  Table table = loaded_table();
  EXPECT_EQ(where(table, "web/x"), "10.0.0.1:31000 /x");
  EXPECT_EQ(where(table, "nest1/app/foo/bar"), "10.0.0.1:31001 /foo/bar");
  EXPECT_EQ(where(table, "marathon/v2/apps"),
            "10.0.0.9:8080 /v2/apps");  // a label cannot capture it
  EXPECT_EQ(where(table, "spark/x"), "10.0.0.1:4040/ui /x");
  EXPECT_EQ(where(table, "f2/"), "10.0.0.1:4040/ui /");
  EXPECT_EQ(where(table, "group/inner/"), "10.0.0.7:1 /");
  EXPECT_EQ(where(table, "noweb/"), "missing");
  EXPECT_EQ(where(table, "askdns/"), "unavailable");
  EXPECT_EQ(where(table, "nothing/"), "missing");
}

TEST(Services, are_waited_for_until_the_sources_have_spoken) {
  Table table;
  EXPECT_EQ(where(table, "web/"), "wait");
  EXPECT_EQ(where(table, "marathon/"), "wait");
}

TEST(Services, follow_task_events_and_survive_a_lost_source) {
  Table table = loaded_table();
  AppTask second{"/web.2", "10.0.0.3", {31009}, "", true};
  table.on(TaskChanged{"/web", second}, at(1));
  EXPECT_NE(where(table, "web/"), where(table, "web/"));  // requests are spread
  table.on(TaskHealth{"/web", "/web.2", false}, at(2));
  EXPECT_EQ(where(table, "web/"), "10.0.0.1:31000 /");
  table.on(TaskChanged{"/web", {"/web.1"}, true}, at(3));
  EXPECT_EQ(where(table, "web/"), "10.0.0.3:31009 /");  // unhealthy is better than nothing
  table.on(MarathonLost{"gone"}, at(4));
  table.on(MasterLost{"gone"}, at(4));
  EXPECT_EQ(where(table, "web/"), "10.0.0.3:31009 /");
  EXPECT_EQ(table.master_age(at(14)), base::Duration(base::seconds(10)));
  table.on(TaskChanged{"/web", {"/web.2"}, true}, at(5));
  EXPECT_EQ(where(table, "web/"), "missing");
}

TEST(Services, of_a_dead_framework_give_way_to_its_successor) {
  Table table = loaded_table();
  Framework next{"f9", "spark", "http://10.0.0.8:1"};
  next.registered.since_epoch = base::seconds(9);
  table.on(FrameworkUp{next}, at(1));
  EXPECT_EQ(where(table, "spark/"), "10.0.0.8:1 /");
  next.connected = false;
  table.on(FrameworkUp{next}, at(2));
  EXPECT_EQ(where(table, "spark/"), "10.0.0.1:4040/ui /");
  table.on(FrameworkGone{"f2"}, at(3));
  EXPECT_EQ(where(table, "spark/"), "10.0.0.8:1 /");
}

TEST(Services, stay_while_a_new_leader_gathers_its_cluster) {
  Table table = loaded_table();
  table.on(MasterLost{"gone"}, at(1));
  table.on(MasterSnapshot{}, at(2));  // elected just now: nobody has come back
  EXPECT_EQ(where(table, "spark/x"), "10.0.0.1:4040/ui /x");
  EXPECT_NE(table.find_agent("a1", at(3)), nullptr);
  table.on(FrameworkUp{{"f2", "spark", "http://10.0.0.5:4041"}}, at(10));
  table.on(MasterSnapshot{},
           at(30));  // another leader: the grace does not begin again for those that still miss
  EXPECT_EQ(table.find_agent("a1", at(63)), nullptr);
  EXPECT_EQ(table.framework_count(), 1u);
  EXPECT_EQ(where(table, "spark/"), "10.0.0.5:4041 /");
}

TEST(Services, with_bad_labels_do_not_spoil_others) {
  Table table = loaded_table();
  App bad = labelled("/bad", "bad", 1);
  bad.labels["DCOS_SERVICE_PORT_INDEX"] = "-1";
  App far = labelled("/far", "far", 1);
  far.labels["DCOS_SERVICE_PORT_INDEX"] = "7";
  table.on(AppsSnapshot{{bad, far, labelled("/web", "web", 31000)}}, at(1));
  EXPECT_EQ(where(table, "bad/"), "missing");
  EXPECT_EQ(where(table, "far/"), "missing");
  EXPECT_EQ(where(table, "web/"), "10.0.0.1:31000 /");
}

TEST(Feeds, read_the_master) {
  auto record = read_master_record(
      R"({"type":"SUBSCRIBED","subscribed":{"heartbeat_interval_seconds":15,"get_state":{
    "get_agents":{"agents":[{"agent_info":{"id":{"value":"a1"},"hostname":"h","port":5051},"pid":"slave(1)@10.1.1.1:5061"}]},
    "get_frameworks":{"frameworks":[{"framework_info":{"id":{"value":"f1"},"name":"x","webui_url":"http://h:1"},
      "active":true,"connected":false,"registered_time":{"nanoseconds":12}}]}}}})");
  ASSERT_TRUE(record) << record.error().message;
  ASSERT_EQ(record->events.size(), 1u);
  const auto& snapshot = std::get<MasterSnapshot>(record->events[0]);
  EXPECT_EQ(snapshot.agents.at(0).address.text(), "10.1.1.1:5061");
  EXPECT_EQ(snapshot.frameworks.at(0).webui_url, "http://h:1");
  EXPECT_FALSE(snapshot.frameworks.at(0).connected);
  EXPECT_EQ(
      read_master_record(R"({"type":"AGENT_REMOVED","agent_removed":{"agent_id":{"value":"a1"}}})")
          ->events.size(),
      1u);
  EXPECT_EQ(read_master_record(R"({"type":"TASK_ADDED","task_added":{}})")->events.size(), 0u);
  EXPECT_FALSE(read_master_record("{"));
}

TEST(Feeds, read_marathon) {
  auto apps = read_apps(R"({"apps":[{"id":"/w","labels":{"DCOS_SERVICE_NAME":"w"},"tasks":[
    {"id":"w.1","host":"h","ports":[31000],"state":"TASK_RUNNING","ipAddresses":[{"ipAddress":"9.0.0.1"}]}]},
    {"id":"/other"}]})");
  ASSERT_TRUE(apps) << apps.error().message;
  ASSERT_EQ(apps->apps.size(), 1u);
  EXPECT_EQ(apps->apps[0].tasks.at("w.1").container_ip, "9.0.0.1");
  auto event = read_marathon_event("status_update_event",
                                   R"({"appId":"/w","taskId":"w.2","host":"h","ports":[1],
    "taskStatus":"TASK_KILLED"})");
  ASSERT_TRUE(event);
  EXPECT_TRUE(std::get<TaskChanged>(event->events.at(0)).terminal);
  EXPECT_TRUE(read_marathon_event("api_post_event", "{}")->reload);
  EXPECT_FALSE(read_apps("[]"));
}

Forward to_service() {
  Forward forward;
  forward.address = {"10.0.0.1", 8080};
  forward.target = "/v2/apps?x=1";
  forward.public_prefix = "/service/x";
  return forward;
}

TEST(Relay, edits_only_what_a_relay_must_edit) {
  RequestHead head;
  ASSERT_FALSE(parse_request(
      "GET /service/x/v2/apps?x=1 HTTP/1.1\r\nHost: public:80\r\nX-Keep: 1\r\nConnection: "
      "close, X-Secret\r\nX-Secret: s\r\nTE: trailers\r\nKeep-Alive: 5\r\nCookie: a=b; "
      "dcos-acs-auth-cookie=t; dcos-acs-info-cookie=u\r\nX-Forwarded-For: 1.1.1.1\r\n"
      "X-Real-IP: forged\r\nAccept-Encoding: gzip\r\n\r\n",
      head));
  std::string out;
  write_upstream_head(head, to_service(), {"2.2.2.2", "127.0.0.1"}, out);
  EXPECT_EQ(
      out,
      "GET /v2/apps?x=1 HTTP/1.1\r\nX-Keep: 1\r\nCookie: a=b\r\nAccept-Encoding: gzip\r\nHost: "
      "public:80\r\n"
      "X-Forwarded-For: 1.1.1.1, 2.2.2.2\r\nX-Real-IP: 2.2.2.2\r\nX-Forwarded-Proto: http\r\n\r\n");
}

TEST(Relay, does_not_let_a_client_remove_what_frames_or_routes) {
  RequestHead head;
  ASSERT_FALSE(parse_request(
      "POST / HTTP/1.1\r\nHost: h\r\nConnection: content-length, host, x-forwarded-for\r\n"
      "Content-Length: 3\r\n\r\n",
      head));
  std::string out;
  write_upstream_head(head, to_service(), {"2.2.2.2", ""}, out);
  EXPECT_NE(out.find("Content-Length: 3\r\n"), std::string::npos);
  EXPECT_NE(out.find("Host: h\r\n"), std::string::npos);
}

TEST(Relay, upgrades_to_websockets_and_never_to_http2) {
  RequestHead head;
  std::string start = "GET / HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: ";
  std::string text = start + "websocket\r\n\r\n";
  ASSERT_FALSE(parse_request(text, head));
  EXPECT_TRUE(may_upgrade(head));
  text = start + "h2c\r\n\r\n";
  ASSERT_FALSE(parse_request(text, head));
  EXPECT_FALSE(may_upgrade(head));
  text = "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n";
  ASSERT_FALSE(parse_request(text, head));
  EXPECT_FALSE(may_upgrade(head));
}

TEST(Relay, puts_redirects_below_the_public_prefix) {
  Forward forward = to_service();
  auto location = [&](std::string_view text) { return public_location(text, forward, "public"); };
  EXPECT_EQ(location("/x"), "/service/x/x");
  EXPECT_EQ(location("http://public/x"), "/service/x/x");
  EXPECT_EQ(location("http://10.0.0.1:8080/x"), "/service/x/x");
  EXPECT_EQ(location("http://public/service/x/y"), "/service/x/y");
  EXPECT_EQ(location("https://public/x"), "https://public/x");
  EXPECT_EQ(location("http://elsewhere/x"), "http://elsewhere/x");
  EXPECT_EQ(location("//10.0.0.1:8080/x?a=/b"), "/service/x/x?a=/b");
  EXPECT_EQ(location("x"), "x");
  forward.upstream_base = "/ui";
  EXPECT_EQ(location("/ui/x"), "/service/x/x");
}

TEST(Flags, let_everybody_in_on_the_loopback_only) {
  auto refusal = [](const std::string& auth, const std::string& ip, const std::string& listen) {
    Flags flags;
    flags.auth = auth;
    flags.ip = ip;
    flags.listen = listen;
    auto status = check_auth(flags);
    return status ? "" : status.error().message;
  };
  EXPECT_EQ(refusal("on", "0.0.0.0", "10.0.0.1:80"), "");
  EXPECT_EQ(refusal("off", "127.0.0.1", ""), "");
  EXPECT_EQ(refusal("off", "127.53.0.1", "[::1]:80,127.0.0.2"), "");
  EXPECT_NE(refusal("off", "0.0.0.0", "").find("--auth=off: 0.0.0.0"), std::string::npos);
  EXPECT_NE(refusal("off", "127.0.0.1", "10.0.0.1:80").find("10.0.0.1"), std::string::npos);
  EXPECT_NE(refusal("off", "127.0.0.1", "[::]:80"), "");
  EXPECT_NE(refusal("offf", "127.0.0.1", ""), "");
  EXPECT_NE(refusal("", "127.0.0.1", ""), "");
}

TEST(Flags, read_addresses) {
  auto list = parse_addresses("a:1, b,http://c:3,[::1]:4,[::2]", 5050);
  ASSERT_TRUE(list);
  ASSERT_EQ(list->size(), 5u);
  EXPECT_EQ((*list)[0].text(), "a:1");
  EXPECT_EQ((*list)[1].text(), "b:5050");
  EXPECT_EQ((*list)[2].text(), "c:3");
  EXPECT_EQ((*list)[3].text(), "::1:4");
  EXPECT_EQ((*list)[4].text(), "::2:5050");
  EXPECT_FALSE(parse_addresses("zk://a:2181/mesos", 5050));
}

}  // namespace
}  // namespace admin_router
