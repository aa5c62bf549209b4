#include "universe/relay.hpp"

#include <memory>

#include "base/strings.hpp"
#include "universe/errors.hpp"

namespace universe {
namespace {

constexpr size_t kQueueLimit = 1 << 20;
constexpr int kMaxRedirects = 5;

struct Transfer {
  base::http::Responder responder;
  base::http::ClientCall call{};
  base::http::Stream out{};
  bool started = false;
};

/// The last part of the URL's path, as a name that is safe in a header.
std::string file_name(const std::string& url) {
  std::string path = url.substr(0, url.find_first_of("?#"));
  path = path.substr(path.rfind('/') + 1);
  std::string name;
  for (char c : base::percent_decode(path)) {
    const bool keep = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      std::string_view("._-+").find(c) != std::string_view::npos;
    if (keep) name += c;
  }
  return name.empty() ? "resource" : name;
}

base::http::Response bad_gateway(const std::string& url, const std::string& cause) {
  return render(Refusal{.status = 502, .type = "EndpointUriConnection",
                        .message = "Could not access data at URI " + url + ": " + cause});
}

}  // namespace

void relay_resource(base::http::Client& client, const std::string& url, const base::http::Responder& responder) {
  auto parsed = base::http::Url::parse(url);
  if (!parsed) return responder.reply(bad_gateway(url, parsed.error().message));
  auto transfer = std::make_shared<Transfer>(Transfer{responder});
  base::http::ClientRequest request;
  request.url = std::move(*parsed);
  request.max_redirects = kMaxRedirects;
  base::http::StreamCallbacks callbacks;
  callbacks.on_head = [transfer, url](const base::http::Response& head) {
    transfer->started = true;
    base::http::Response own;
    own.status = head.status;
    for (const char* name : {"Content-Type", "Content-Length"}) {
      if (const auto value = head.headers.get(name)) own.headers.set(name, std::string(*value));
    }
    own.headers.set("Content-Disposition", "attachment; filename=\"" + file_name(url) + "\"");
    transfer->out = transfer->responder.stream(std::move(own));
    transfer->out.on_drained([transfer] { transfer->call.pause(false); });
    transfer->out.on_disconnect([transfer] { transfer->call.cancel(); });
  };
  callbacks.on_data = [transfer](std::string_view data) {
    transfer->out.write(std::string(data));
    if (transfer->out.queued_bytes() > kQueueLimit) transfer->call.pause(true);
  };
  callbacks.on_end = [transfer, url](const base::Status& status) {
    if (!transfer->started) return transfer->responder.reply(bad_gateway(url, status ? "" : status.error().message));
    status ? transfer->out.close() : transfer->out.abort();
    // The stream's callbacks hold the transfer, and it the stream.
    auto out = std::exchange(transfer->out, {});
    out.on_drained([] {});
    out.on_disconnect([] {});
  };
  transfer->call = client.stream(std::move(request), std::move(callbacks));
}

}  // namespace universe
