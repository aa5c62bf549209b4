#pragma once

// How the clients of this folder reach masters (internal to kernel/client).

#include "base/http/client.hpp"
#include "base/tls_settings.hpp"

namespace client {

/// With `https` by these settings, whose files are read again when they change. Files that cannot be read are logged, and
/// each request fails with the reason.
base::http::ClientOptions http_options(base::Loop& loop, bool https, const base::TlsSettings& tls, size_t connections, size_t idle);

}  // namespace client
