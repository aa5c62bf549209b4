#pragma once

// Input and output of containers over HTTP: sessions and attachments. Bytes only; what may be attached to is the core's and
// the containerizer's to say. Nothing is held back in memory: a reader that is slow slows the program.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/http/server.hpp"
#include "base/loop.hpp"
#include "base/metrics.hpp"
#include "base/time.hpp"
#include "kernel/api/content.hpp"
#include "kernel/containerizer/containerizer.hpp"

namespace agent {

/// How a stream of messages is written: each a record, in JSON or protobuf.
struct StreamFormat {
  api::ContentType type = api::ContentType::Json;
  bool recordio = false;   // said so in Content-Type; else that names the messages' type, as older clients expect
};

class ContainerStreams {
 public:
  using Refusal = std::function<std::optional<api::Rejection>(const std::string& container)>;

  ContainerStreams(base::Loop& loop, containerizer::Containerizer& containers, base::Metrics& metrics,
                   base::Duration heartbeat);
  ~ContainerStreams();  // cuts them all

  /// Answers with the container's output as ProcessIO records and heartbeats, until the container ends or the reader goes.
  /// What cannot be attached to is answered with an error, and false is returned.
  bool output(const std::string& container, StreamFormat format, const base::http::Responder& responder);

  /// Takes the records of a request's body: AttachContainerInput calls, the first of which names the container. One at a
  /// time per container. `refusal` says why somebody may not attach to a container.
  void input(api::ContentType type, const base::http::Responder& responder, Refusal refusal);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace agent
