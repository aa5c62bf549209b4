// Fuzz entry points. What the strict reader accepts must be read back the same after the relay has
// written it: then no server behind the gateway can see another message than the gateway did.

#include <cstdint>

#include "admin-router/chunks.hpp"
#include "admin-router/feeds.hpp"
#include "admin-router/http_head.hpp"
#include "admin-router/path.hpp"
#include "admin-router/relay.hpp"
#include "base/check.hpp"

using namespace admin_router;

int fuzz_request_head(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  size_t end = find_head_end(bytes, 0);
  if (end == std::string_view::npos) return 0;
  RequestHead head;
  if (parse_request(bytes.substr(0, end), head)) return 0;
  if (head.fields.size() > 100)
    return 0;  // the relay adds some, which the reader's own limit would then refuse
  Forward forward;
  forward.address = {"10.0.0.1", 80};
  std::string scratch;
  auto path = normalise_path(head.path, scratch);
  if (!path) return 0;
  CHECK(path->starts_with("/"));
  std::string twice;
  auto again_path = normalise_path(*path, twice);
  CHECK_MSG(again_path && *again_path == *path, std::string(*path));
  forward.target = std::string(*path) + std::string(head.query);
  std::string out;
  write_upstream_head(head, forward, {"1.2.3.4", ""}, out);
  CHECK_MSG(find_head_end(out, 0) == out.size(), out);
  RequestHead again;
  Fault fault = parse_request(out, again);
  CHECK_MSG(!fault, out + fault.sentence);
  CHECK_MSG(again.method == head.method && again.target == forward.target, out);
  CHECK_MSG(again.body.kind == head.body.kind && again.body.length == head.body.length, out);
  return 0;
}

int fuzz_response_head(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  size_t end = find_head_end(bytes, 0);
  if (end == std::string_view::npos) return 0;
  ResponseHead head;
  if (parse_response(bytes.substr(0, end), false, head) || head.status < 200) return 0;
  Forward forward;
  forward.address = {"10.0.0.1", 80};
  forward.public_prefix = "/service/x";
  ClientFraming framing;
  framing.chunked =
      head.body.kind == Framing::Kind::Chunked || head.body.kind == Framing::Kind::UntilClose;
  std::string out;
  write_client_head(head, forward, "public", framing, out);
  CHECK_MSG(find_head_end(out, 0) == out.size(), out);
  ResponseHead again;
  Fault fault = parse_response(out, false, again);
  CHECK_MSG(!fault, out + fault.sentence);
  CHECK_MSG(again.status == head.status, out);
  if (framing.chunked) CHECK_MSG(again.body.kind == Framing::Kind::Chunked, out);
  return 0;
}

// Any division of the bytes gives the same end and the same data.
int fuzz_chunks(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  ChunkScanner whole;
  std::string payload;
  size_t used = whole.scan(bytes, &payload);
  for (size_t step : {size_t{1}, size_t{3}}) {
    ChunkScanner parts;
    std::string same;
    size_t total = 0;
    for (size_t i = 0; i < bytes.size() && parts.state() == ChunkScanner::State::More; i += step)
      total += parts.scan(bytes.substr(i, step), &same);
    CHECK(parts.state() == whole.state() && total == used && same == payload);
  }
  return 0;
}

int fuzz_feeds(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Table table;
  if (auto record = read_master_record(bytes))
    for (const Event& event : record->events) table.on(event, {});
  if (auto apps = read_apps(bytes)) table.on(*apps, {});
  if (auto events = read_marathon_event("status_update_event", bytes))
    for (const Event& event : events->events) table.on(event, {});
  table.find_service(bytes.substr(0, 64), {});
  return 0;
}
