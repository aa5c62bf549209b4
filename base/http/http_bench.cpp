// base/http-requests: answers of 1 KB per second over loopback, server and client on one loop. The client's half of the
// work is in the number; `wrk` against `http_bench --serve PORT` measures the server alone.

#include <cstring>
#include <functional>
#include <string>

#include "base/http/client.hpp"
#include "base/http/server.hpp"
#include "base/testing/bench.hpp"

namespace {

using base::http::Request;
using base::http::Responder;
using base::http::Response;

int serve(uint16_t port) {
  base::Loop loop;
  std::string body(1024, 'x');
  base::http::Server server(loop, {}, [&](Request, Responder responder) {
    Response response;
    response.headers.add("Content-Type", "application/octet-stream");
    response.body = body;
    responder.reply(std::move(response));
  });
  if (auto bound = server.listen("127.0.0.1", port); !bound) return 1;
  loop.on_signal(15, [&] { loop.stop(); });
  return loop.run();
}

uint64_t requests(uint64_t count, size_t connections) {
  base::Loop loop;
  std::string body(1024, 'x');
  base::http::Server server(loop, {}, [&](Request, Responder responder) {
    responder.reply(Response::text(200, body));
  });
  base::http::ClientOptions options;
  options.max_connections_per_host = connections;
  options.max_idle_per_host = connections;
  base::http::Client client(loop, options);
  base::http::ClientRequest request;
  request.url.host = "127.0.0.1";
  request.url.port = server.listen("127.0.0.1", 0).value();
  uint64_t started = 0, done = 0, bytes = 0;
  std::function<void()> next = [&] {
    ++started;
    client.request(request, [&](base::Result<Response> answer) {
      if (answer) bytes += answer->body.size();
      if (++done == count) return loop.stop();
      if (started < count) next();
    });
  };
  for (size_t i = 0; i < connections && started < count; ++i) next();
  loop.run();
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && std::strcmp(argv[1], "--serve") == 0) {
    return serve(static_cast<uint16_t>(std::stoi(argv[2])));
  }
  base::testing::Bench bench(argc, argv);
  uint64_t count = bench.small() ? 500 : 100'000;
  bench.rate("base/http-requests", {{"connections", "32"}, {"answer", "1 KB"}}, count,
             [&] { return requests(count, 32); });
}
