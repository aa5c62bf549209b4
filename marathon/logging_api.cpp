#include "marathon/logging_api.hpp"

#include <boost/json.hpp>
#include <optional>

#include "base/json/value.hpp"
#include "base/log_level.hpp"
#include "base/strings.hpp"
#include "marathon/errors.hpp"
#include "marathon/json_fields.hpp"

namespace marathon {
namespace {

constexpr int64_t kLongest = 1'000'000'000;  // seconds

const char* name_of(base::log::Level level) {
  switch (level) {
    case base::log::Level::Debug: return "DEBUG";
    case base::log::Level::Info: return "INFO";
    case base::log::Level::Warning: return "WARN";
    case base::log::Level::Error: return "ERROR";
  }
  return "INFO";
}

/// The original's names, of which some are the same here; absent: none of them.
std::optional<base::log::Level> level_of(const std::string& name) {
  const std::string lower = base::to_lower(name);
  for (const char* known : {"trace", "debug", "info", "warn", "error", "off"}) {
    if (lower == known) return lower == "off" ? base::log::Level::Error : base::log_level_named(lower);
  }
  return std::nullopt;
}

}  // namespace

LoggingApi::~LoggingApi() { loop_.cancel(timer_); }

base::http::Response LoggingApi::handle(const base::http::Request& request) {
  if (request.method == "GET" || request.method == "HEAD") {
    return base::http::Response::json(200, std::string("{\"ROOT\":\"") + name_of(base::log::level()) + "\"}");
  }
  if (request.method == "POST") return change(request.body);
  auto response = render(refuse(405, "the log's level is read by GET and changed by POST"));
  response.headers.set("Allow", "GET, POST");
  return response;
}

base::http::Response LoggingApi::change(const std::string& body) {
  const auto value = base::json::parse(body);
  if (!value || !value->is_object()) {
    return render(refuse(400, R"(wants a body such as {"level":"debug","logger":"ROOT","durationSeconds":60})"));
  }
  Violations types;
  const Fields fields(value->get_object(), "", types);
  std::string name, logger;
  int64_t seconds = 0;
  for (const char* needed : {"level", "logger"}) {
    if (!fields.has(needed)) fields.fail(needed, "error.path.missing");
  }
  fields.get("logger", logger);
  if (fields.get("level", name) && !level_of(name)) fields.fail("level", "error.unknown.enum.literal");
  const bool limited = fields.get_int("durationSeconds", seconds, 1, kLongest);
  if (!types.empty()) return render(wrong_types(std::move(types)));
  const base::log::Level before = base::log::level();
  loop_.cancel(timer_);
  timer_ = 0;
  base::log::set_level(*level_of(name));
  LOG_INFO("the log's level is {} from now on, by request; it was {}", name_of(base::log::level()), name_of(before));
  if (limited) {
    timer_ = loop_.after(base::seconds(seconds), [this, before] {
      timer_ = 0;
      base::log::set_level(before);
      LOG_INFO("the log's level is {} again", name_of(before));
    });
  }
  return base::http::Response::json(200, boost::json::serialize(*value));
}

}  // namespace marathon
