// Everything that reads or answers messages, on bytes from anywhere: nothing outside the message is read, no answer is
// larger than allowed, and what is written can be read again.

#include <cstdint>

#include "base/check.hpp"
#include "dns/answer.hpp"
#include "dns/config.hpp"
#include "dns/forward.hpp"

int fuzz_dns_message(const uint8_t* data, size_t size) {
  const std::string_view message(reinterpret_cast<const char*>(data), size);
  static const dns::AnswerOptions options = dns::Config().answers();
  static const std::shared_ptr<const dns::Zone> zone = [] {
    dns::ZoneEdit edit;
    for (char i = 1; i < 100; ++i) {
      edit.add({"app.marathon.mesos", dns::Kind::A, std::string("\x0a\0\0", 3) + i});
      edit.add({"_app._tcp.marathon.mesos", dns::Kind::SRV, dns::srv_data(static_cast<uint16_t>(i), "app.marathon.mesos")});
    }
    auto made = edit.apply(dns::Zone());
    made->cluster_loaded = true;
    return made;
  }();
  static char buffer[65535];

  for (const bool udp : {true, false}) {
    dns::Query query;
    size_t length = 0;
    dns::Answerer answerer(options, base::Random(size));
    if (answerer.answer(message, *zone, udp, buffer, length, query) != dns::Verdict::Answered) continue;
    CHECK(length >= dns::kHeaderBytes && length <= (udp ? 1232u : 65535u));
    const std::string_view answer(buffer, length);
    CHECK(dns::read_u16(answer, 2) & dns::kQr);
    if (dns::read_u16(answer, 4) == 1) CHECK(dns::scan_answer(answer).has_value());
  }

  size_t at = 0;
  dns::Name name;
  while (at < size && dns::read_name(message, at, name)) CHECK(name.size <= 253);
  const std::string error = dns::error_answer(message, dns::kServFail);
  CHECK(error.size() <= size);
  (void)dns::answers_request(message, message);
  CHECK(dns::fit_answer(std::string(message), 512, true).size() <= std::max<size_t>(512, dns::kHeaderBytes));
  dns::Query query;
  if (dns::parse_query(message, query) == dns::Parsed::Ok) {
    dns::AnswerCache cache({});
    std::string answer(message);
    dns::write_u16(answer.data() + 2, static_cast<uint16_t>(dns::read_u16(answer, 2) | dns::kQr));
    cache.put(query, answer, base::Instant());
    if (const auto kept = cache.find(query, message, base::Instant() + base::seconds(1))) CHECK(kept->size() == size);
  }
  return 0;
}
