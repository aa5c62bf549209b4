// Fuzz entry point: any bytes as requests and answers on a connection, as a form body, a stream of records, a stream of
// events, and something compressed. How the bytes are cut into pieces must not matter.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "base/http/gzip.hpp"
#include "base/http/message.hpp"
#include "base/http/parser.hpp"
#include "base/http/sse.hpp"
#include "base/recordio.hpp"
#include "base/strings.hpp"

namespace {

using base::http::ParseEvent;

void add(std::string& log, const base::http::Request& head) { log += "\n>" + head.method + " " + head.target; }
void add(std::string& log, const base::http::Response& head) { log += "\n>" + std::to_string(head.status); }
template <class Parser>
void begin(Parser& parser) {
  if constexpr (requires { parser.begin(true); }) parser.begin(false);
  else parser.begin();
}

/// What came of it, in a form that can be compared. `cut`: the size of the pieces; 0: all at once.
template <class Parser>
std::string parse(std::string_view bytes, size_t cut) {
  Parser parser(4096);
  begin(parser);
  std::string log, waiting;
  for (size_t at = 0; at < bytes.size();) {
    const size_t take = cut == 0 ? bytes.size() : std::min(cut, bytes.size() - at);
    waiting.append(bytes.substr(at, take));
    at += take;
    std::string_view data = waiting;
    for (bool more = true; more;) {
      switch (parser.next(data)) {
        case ParseEvent::NeedMore: more = false; break;
        case ParseEvent::Head:
          add(log, parser.head());
          for (const auto& [name, value] : parser.head().headers.all()) log += "\n" + name + ":" + value;
          log += "\n\n";
          if (parser.info().upgrade) return log;  // what follows is no HTTP
          break;
        case ParseEvent::Body: log += parser.piece(); break;
        case ParseEvent::Done:
          log += "\n.";
          begin(parser);
          break;
        case ParseEvent::Failed: return log + "\n!";
      }
    }
    waiting.erase(0, waiting.size() - data.size());
  }
  return log;
}

/// Byte by byte the same comes out; of what is refused as a whole the beginning may only be waited for.
template <class Parser>
void check_parser(std::string_view bytes) {
  const std::string whole = parse<Parser>(bytes, 0), slow = parse<Parser>(bytes, 1);
  CHECK_MSG(slow == whole || (whole.ends_with("\n!") && whole.starts_with(slow)), whole + "\n=====" + slow);
}

}  // namespace

int fuzz_http(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (size > 32 << 10) return 0;
  check_parser<base::http::RequestParser>(bytes);
  check_parser<base::http::ResponseParser>(bytes);

  const auto form = base::http::Query::parse(bytes);
  for (const auto& [name, value] : form.pairs()) CHECK(form.has(name));
  std::string again;
  for (const auto& [name, value] : form.pairs())
    again += (again.empty() ? "" : "&") + base::percent_encode(name) + "=" + base::percent_encode(value);
  CHECK(base::http::Query::parse(again).pairs() == form.pairs());

  std::vector<std::string> records, one_by_one;
  base::RecordDecoder decoder(1 << 16), slow(1 << 16);
  const bool good = decoder.feed(bytes, records).has_value();
  bool slow_good = true;
  for (const char byte : bytes) slow_good = slow_good && slow.feed({&byte, 1}, one_by_one).has_value();
  CHECK(good == slow_good && records == one_by_one);
  if (good) {
    std::string framed;
    for (const auto& record : records) framed += base::encode_record(record);
    std::vector<std::string> twice;
    CHECK(base::RecordDecoder(1 << 16).feed(framed, twice).has_value() && twice == records);
  }

  std::vector<base::http::SseEvent> events;
  base::http::SseDecoder().feed(bytes, events);
  (void)base::http::gunzip(bytes, 1 << 16);
  (void)base::http::accepts_gzip(bytes);
  return 0;
}
