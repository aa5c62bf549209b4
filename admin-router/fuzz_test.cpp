#include "base/testing/fuzz.hpp"

#include <gtest/gtest.h>

int fuzz_request_head(const uint8_t* data, size_t size);
int fuzz_response_head(const uint8_t* data, size_t size);
int fuzz_chunks(const uint8_t* data, size_t size);
int fuzz_feeds(const uint8_t* data, size_t size);
int fuzz_jwt(const uint8_t* data, size_t size);
int fuzz_credentials(const uint8_t* data, size_t size);
int fuzz_login_records(const uint8_t* data, size_t size);

namespace admin_router {
namespace {

TEST(Fuzz, a_request_that_is_accepted_reads_the_same_behind_the_relay) {
  base::testing::fuzz(
      fuzz_request_head,
      {"GET /service/x/a%20b?c=d HTTP/1.1\r\nHost: h:80\r\nAccept: */*\r\n\r\n",
       "POST //a/../b HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nCookie: a=b; "
       "dcos-acs-auth-cookie=x\r\n\r\n",
       "PUT http://h/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: x, "
       "close\r\nX: y\r\n\r\n",
       "GET / HTTP/1.0\r\nX-Forwarded-For: 1.1.1.1\r\nConnection: keep-alive\r\n\r\n",
       "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"},
      20'000, 1);
}

TEST(Fuzz, an_answer_that_is_accepted_reads_the_same_behind_the_relay) {
  base::testing::fuzz(
      fuzz_response_head,
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nServer: x\r\n\r\n",
       "HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/x\r\nContent-Length: 0\r\n\r\n",
       "HTTP/1.0 200\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"},
      20'000, 2);
}

TEST(Fuzz, a_chunked_body_ends_at_the_same_byte_in_any_pieces) {
  base::testing::fuzz(
      fuzz_chunks,
      {"5\r\nhello\r\n0\r\n\r\n", "a;x=\"y\"\r\n0123456789\r\n0\r\nA: b\r\nC: d\r\n\r\n",
       "0\r\n\r\nGET /", "fffff\r\n"},
      20'000, 3);
}

TEST(Fuzz, a_token_reads_the_same_when_it_is_written_again) {
  base::testing::fuzz(
      fuzz_jwt,
      {"eyJhbGciOiJSUzI1NiJ9.eyJ1aWQiOiJhIiwiZXhwIjo1LCJqdGkiOiIxLXgifQ.AQ",
       "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiIsImtpZCI6Ijg2In0.eyJ1aWQiOiJhIn0.LOwr", "a.b.c", "..."},
      20'000, 5);
}

TEST(Fuzz, a_credential_is_a_piece_of_its_request) {
  base::testing::fuzz(
      fuzz_credentials,
      {"token=a.b.c", "Bearer a.b", "a=b; dcos-acs-auth-cookie=\"a.b\"; c",
       "POST /x HTTP/1.1\r\nHost: h\r\nAuthorization: token=a.b.c\r\nOrigin: http://h\r\n\r\n",
       "GET /x HTTP/1.1\r\nHost: h\r\nCookie: a=b; dcos-acs-auth-cookie=x.y.z\r\n\r\n"},
      20'000, 6);
}

TEST(Fuzz, records_of_users_and_keys_are_read_or_refused) {
  base::testing::fuzz(
      fuzz_login_records,
      {R"({"uid":"bob","description":"d","password_hash":"h","public_key":"","provider_type":"internal","version":3})",
       "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n-----END PUBLIC "
       "KEY-----\n",
       "AAAA"},
      5'000, 7);
}

TEST(Fuzz, streams_of_any_content_leave_the_table_whole) {
  base::testing::fuzz(
      fuzz_feeds,
      {R"({"type":"SUBSCRIBED","subscribed":{"get_state":{"get_agents":{"agents":[)"
       R"({"agent_info":{"id":{"value":"a"},"hostname":"h"},"pid":"slave(1)@10.0.0.1:5051"}]},)"
       R"("get_frameworks":{"frameworks":[{"framework_info":{"id":{"value":"f"},"name":"x","webui_url":"http://h:1"}}]}}}})",
       R"({"type":"AGENT_REMOVED","agent_removed":{"agent_id":{"value":"a"}}})",
       R"({"apps":[{"id":"/w","labels":{"DCOS_SERVICE_NAME":"w","DCOS_SERVICE_SCHEME":"http","DCOS_SERVICE_PORT_INDEX":"0"},)"
       R"("tasks":[{"id":"t","host":"h","ports":[1,2],"state":"TASK_RUNNING"}]}]})",
       R"({"appId":"/w","taskId":"t","taskStatus":"TASK_RUNNING","host":"h","ports":[31000]})",
       "marathon/v2/apps"},
      5'000, 4);
}

}  // namespace
}  // namespace admin_router
