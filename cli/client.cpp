#include "cli/client.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <boost/json.hpp>
#include <optional>

#include "base/http/client.hpp"
#include "base/json/value.hpp"
#include "base/loop.hpp"
#include "base/strings.hpp"
#include "cli/version.hpp"

namespace cli {
namespace {

namespace json = boost::json;

// A hint for the mistakes that everybody makes once.
base::Error explain(const base::Error& error, const base::http::Url& url) {
  base::Error out = error;
  std::string place = fmt::format("{}://{}:{}", url.scheme, url.host, url.port);
  out.message = fmt::format("could not connect to {}: {}", place, error.message);
  if (error.code == base::Code::Timeout)
    out.message = fmt::format("{} did not answer in time: {}", place, error.message);
  if (url.scheme == "https")
    out.message +=
        fmt::format("\nIf the cluster does not speak https, use http://{} instead.", url.host);
  return out;
}

}  // namespace

struct Client::Impl {
  explicit Impl(base::http::ClientOptions options) : client(loop, std::move(options)) {}
  base::Loop loop;
  base::http::Client client;
};

Client::Client(ClientSettings settings) : settings_(std::move(settings)) {
  if (settings_.mesos.empty()) settings_.mesos = settings_.url + "/mesos";
  if (settings_.marathon.empty()) settings_.marathon = settings_.url + "/service/marathon";
}

Client::~Client() = default;

base::Result<base::http::Response> Client::send(const std::string& method, const std::string& url,
                                                std::string body, base::http::Headers headers,
                                                int max_redirects) {
  if (!impl_) {
    base::http::ClientOptions options;
    options.verify_tls = settings_.verify_tls;
    options.ca_file = settings_.ca_file;
    options.connect_timeout = base::seconds(10);
    impl_ = std::make_unique<Impl>(std::move(options));
  }
  std::string full = url.starts_with('/') ? settings_.url + url : url;
  auto parsed = base::http::Url::parse(full);
  if (!parsed) return parsed.error().with_context(full);
  base::http::ClientRequest request;
  request.method = method;
  request.url = *parsed;
  request.body = std::move(body);
  request.headers = std::move(headers);
  request.headers.set("User-Agent", fmt::format("dcos-cli/{} linux", kVersion));
  if (!settings_.token.empty() && full.starts_with(settings_.url))
    request.headers.set("Authorization", "token=" + settings_.token);
  request.timeout = settings_.timeout;
  request.max_redirects = max_redirects;
  request.max_body_bytes = size_t{1} << 30;
  if (settings_.trace) settings_.trace(fmt::format("{} {}", method, full));

  std::optional<base::Result<base::http::Response>> answer;
  impl_->client.request(std::move(request), [&](base::Result<base::http::Response> result) {
    answer.emplace(std::move(result));
    impl_->loop.stop();
  });
  impl_->loop.run();
  if (!answer) return base::Error{base::Code::Cancelled, "interrupted"};
  if (!*answer) return explain(answer->error(), *parsed);
  if (settings_.trace)
    settings_.trace(
        fmt::format("{} {}", (*answer)->status, base::http::reason_phrase((*answer)->status)));
  return *std::move(answer);
}

base::Result<json::value> Client::get_json(const std::string& url) {
  base::http::Headers headers{{"Accept", "application/json"}};
  ASSIGN_OR_RETURN(auto response, send("GET", url, "", std::move(headers)));
  if (response.status != 200) return http_error(response);
  base::json::ParseOptions options;
  options.max_bytes = size_t{1} << 30;
  auto value = base::json::parse(response.body, options);
  if (!value) return value.error().with_context("the answer of " + url + " is not JSON");
  return value;
}

void Client::pause(base::Duration duration) {
  if (!impl_) return;
  impl_->loop.after(duration, [this] { impl_->loop.stop(); });
  impl_->loop.run();
}

base::Error http_error(const base::http::Response& response) {
  base::Code code = response.status == 404   ? base::Code::NotFound
                    : response.status == 409 ? base::Code::Conflict
                                             : base::Code::Unavailable;
  if (response.status == 401)
    return {base::Code::Unauthenticated, "authentication failed, please run `dcos auth login`"};
  if (response.status == 403)
    return {base::Code::Forbidden, "you are not authorized to perform this operation"};
  // Marathon's errors carry a message and sometimes details; other servers write plain text.
  std::string text;
  auto parsed = base::json::parse(response.body);
  if (parsed && parsed->is_object()) {
    if (auto message = base::json::get_string(*parsed, "/message")) text = *message;
    const auto* details = base::json::find(*parsed, "/details");
    if (details != nullptr && details->is_array()) {
      for (const json::value& detail : details->get_array()) {
        std::string path = base::json::get_string(detail, "/path").value_or("");
        const auto* errors = base::json::find(detail, "/errors");
        if (errors == nullptr || !errors->is_array()) continue;
        for (const json::value& error : errors->get_array())
          if (error.is_string()) text += "\n  " + path + ": " + std::string(error.get_string());
      }
    }
  } else if (response.headers.get_or("Content-Type", "").starts_with("text/plain")) {
    text = std::string(base::trim(response.body)).substr(0, 500);
  }
  if (text.empty()) return {code, fmt::format("HTTP {} error", response.status)};
  return {code, text};
}

}  // namespace cli
