#pragma once

// Requests to one cluster, one after the other, over connections that are kept.

#include <boost/json/fwd.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/http/message.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace cli {

struct ClientSettings {
  std::string url;  // without a slash at its end
  std::string token;
  std::string mesos;     // base of the master, default <url>/mesos
  std::string marathon;  // default <url>/service/marathon
  std::string job;       // base of the job service with Metronome's API; empty: the cluster's own, with Chronos'
  base::Duration timeout = base::seconds(180);
  bool verify_tls = true;
  std::string ca_file{};
  std::function<void(std::string_view)> trace{};  // told of each request, for -v
};

class Client {
 public:
  explicit Client(ClientSettings settings);
  ~Client();

  const ClientSettings& settings() const { return settings_; }

  /// `url` may start with '/', then it is below the cluster. Any status is an answer; errors are of
  /// the transport.
  base::Result<base::http::Response> send(const std::string& method, const std::string& url,
                                          std::string body = "", base::http::Headers headers = {},
                                          int max_redirects = 5);

  /// GET, 200 and JSON, or the error a user can act on.
  base::Result<boost::json::value> get_json(const std::string& url);

  /// The master's and Marathon's paths.
  std::string mesos(std::string_view path) const { return settings_.mesos + std::string(path); }
  std::string marathon(std::string_view path) const {
    return settings_.marathon + std::string(path);
  }

  /// Waits, as between two looks at a file that grows.
  void pause(base::Duration duration);

 private:
  struct Impl;
  ClientSettings settings_;
  std::unique_ptr<Impl> impl_;
};

/// What a status other than 2xx means, with the text that the server gave.
base::Error http_error(const base::http::Response& response);

}  // namespace cli
