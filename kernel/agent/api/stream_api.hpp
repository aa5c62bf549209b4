#pragma once

// The streaming calls of the agent's v1 API: which headers they need, what they answer with (pure), and their entry points.

#include <optional>
#include <string>

#include "base/http/message.hpp"
#include "kernel/agent/container_streams.hpp"
#include "kernel/api/content.hpp"
#include "kernel/api/mesos/v1/agent/agent.pb.h"

namespace agent {

struct Api;

/// A body of records, which is handed to the handler as it comes (ServerOptions::streams_body).
bool has_streamed_body(const base::http::Request& head);

/// The call streams its answer.
bool streams_answer(mesos::v1::agent::Call::Type type);

/// What such a call is answered in, by Accept and Message-Accept; a rejection (406) when there is nothing.
std::optional<api::Rejection> negotiate_stream(const base::http::Headers& headers, StreamFormat& format);

/// Message-Content-Type of a body of records (400, 415).
std::optional<api::Rejection> streamed_type(const base::http::Headers& headers, api::ContentType& type);

/// ATTACH_CONTAINER_INPUT.
void handle_streamed_call(Api& api, const base::http::Request& request, const base::http::Responder& responder);

/// ATTACH_CONTAINER_OUTPUT, LAUNCH_NESTED_CONTAINER_SESSION.
void handle_streaming_answer(Api& api, const base::http::Request& request, mesos::v1::agent::Call call, StreamFormat format,
                             const base::http::Responder& responder);

}  // namespace agent
