#pragma once

// Tells owners about their jobs: posts to Slack, Mattermost or any HTTP address. Never waits, never fails loudly: a
// dead address costs a few attempts and a line in the log.

#include <optional>
#include <string>
#include <vector>

#include "base/http/client.hpp"
#include "chronos/effects.hpp"

namespace chronos {

struct NotifierOptions {
  std::vector<std::string> chat_urls;  // Slack and Mattermost take the same body
  std::optional<std::string> http_url;
  std::string http_credentials;        // user:password; empty: none
};

class Notifier {
 public:
  Notifier(base::Loop& loop, NotifierOptions options) : loop_(loop), client_(loop), options_(std::move(options)) {}

  void notify(const Notify& notice);

 private:
  struct Post {
    std::string url, body;
    bool credentials = false;
    int attempt = 0;
  };
  void send(Post post);

  base::Loop& loop_;
  base::http::Client client_;
  NotifierOptions options_;
  size_t under_way_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace chronos
