#pragma once

// One registry, for the time of one pull: requests with whatever login it asks for. On the loop.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/http/client.hpp"
#include "kernel/containerizer/images/credentials.hpp"
#include "kernel/containerizer/images/reference.hpp"

namespace containerizer::images {

/// "the registry's status and its own words", from an error answer of the distribution protocol.
Error answer_error(const base::http::Response& answer, const std::string& what);

class Registry : public std::enable_shared_from_this<Registry> {
 public:
  struct Options {
    base::Duration timeout = base::seconds(30);       // to a complete small answer
    base::Duration stall_timeout = base::minutes(1);  // to the head of a stream
  };

  /// `client` belongs to the caller and outlives this.
  Registry(base::Loop& loop, base::http::Client& client, Endpoint endpoint,
           std::optional<Credential> credential, Options options);

  const Endpoint& endpoint() const { return endpoint_; }

  /// The whole of a small answer with status 200, below /v2/<repository>/. Attempts that fail for a
  /// reason that may pass are repeated.
  void get(const std::string& path, const std::string& accept, size_t max_bytes,
           std::function<void(Result<base::http::Response>)> done);

  /// A blob from `offset` on. on_head gets answers 200 and 206 only; everything else ends with an
  /// error.
  void stream(const std::string& path, uint64_t offset, base::http::StreamCallbacks callbacks);

  /// No callback of this runs any more.
  void cancel();

  /// Stops and resumes the stream with that path.
  void pause(const std::string& path, bool pause);
  void cancel_stream(const std::string& path);

 private:
  struct Get;
  struct Streaming;

  Error refusal(const base::http::Response& answer) const;
  void attempt(const std::shared_ptr<Get>& get);
  void answered(const std::shared_ptr<Get>& get, Result<base::http::Response> answer);
  void start_stream(const std::shared_ptr<Streaming>& streaming);
  Result<base::http::ClientRequest> make_request(const std::string& path,
                                                 const std::string& accept) const;

  /// Gets ready to repeat a request that was answered 401.
  void log_in(std::string challenge, std::string refused_with, std::function<void(Status)> done);
  void fetch_token(const Challenge& challenge, std::function<void(Status)> done);

  base::Loop& loop_;
  base::http::Client& client_;
  Endpoint endpoint_;
  std::optional<Credential> credential_;
  Options options_;
  std::string authorization_{};
  bool cancelled_ = false;
  std::map<uint64_t, base::http::ClientCall> calls_{};
  std::map<std::string, base::http::ClientCall> streams_{};
  uint64_t next_call_ = 0;
};

}  // namespace containerizer::images
