#include "chronos/notifier.hpp"

#include "base/json/writer.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"

namespace chronos {
namespace {

constexpr size_t kMostUnderWay = 1000;
constexpr int kAttempts = 4;

std::string chat_body(const Notify& notice) {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  if (!notice.message.empty()) w.field("text", notice.subject + ": " + notice.message);
  w.end_object();
  return body;
}

std::string http_body(const Notify& notice, const std::string& owner) {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.field("subject", notice.subject);
  if (!notice.message.empty()) w.field("message", notice.message);
  if (!owner.empty()) w.field("to", owner);
  w.end_object();
  body.pop_back();
  return body + "," + notice.fields + "}";
}

}  // namespace

void Notifier::notify(const Notify& notice) {
  // Once per owner; a job without owner is still told about.
  std::vector<std::string> owners = notice.owners;
  if (owners.empty()) owners.emplace_back();
  for (const std::string& owner : owners) {
    for (const std::string& url : options_.chat_urls) send({url, chat_body(notice)});
    if (options_.http_url) send({*options_.http_url, http_body(notice, owner), true});
  }
}

void Notifier::send(Post post) {
  const auto url = base::http::Url::parse(post.url);
  if (!url) return LOG_WARNING("notification to {}: {}", post.url, url.error().message);
  if (under_way_ >= kMostUnderWay) return LOG_WARNING("notification to {} is dropped: {} are under way", post.url, under_way_);
  ++under_way_;
  base::http::ClientRequest request;
  request.method = "POST";
  request.url = *url;
  request.headers = {{"Content-Type", "application/json"}};
  if (post.credentials && !options_.http_credentials.empty()) {
    request.headers.add("Authorization", "Basic " + base::base64_encode(options_.http_credentials));
  }
  request.body = post.body;
  request.timeout = base::seconds(10);
  client_.request(std::move(request), [this, post](base::Result<base::http::Response> answer) mutable {
    --under_way_;
    if (answer && answer->status < 500) {
      if (answer->status >= 300) LOG_WARNING("notification to {}: HTTP {}", post.url, answer->status);
      return;
    }
    const std::string why = answer ? "HTTP " + std::to_string(answer->status) : answer.error().message;
    if (++post.attempt >= kAttempts) return LOG_WARNING("notification to {} is given up: {}", post.url, why);
    loop_.after(base::seconds(1 << post.attempt), [this, weak = std::weak_ptr(alive_), post = std::move(post)]() mutable {
      if (!weak.expired()) send(std::move(post));
    });
  });
}

}  // namespace chronos
