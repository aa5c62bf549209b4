#include "kernel/client/http_options.hpp"

#include "base/log.hpp"

namespace client {

base::http::ClientOptions http_options(base::Loop& loop, bool https, const base::TlsSettings& tls, size_t connections, size_t idle) {
  base::http::ClientOptions out;
  out.max_connections_per_host = connections;
  out.max_idle_per_host = idle;
  if (!https) return out;
  out.ca_file = tls.ca_file;
  auto opened = base::http::Tls::open(tls);
  if (!opened) {
    LOG_ERROR("masters cannot be reached: {}", opened.error().message);
    return out;
  }
  out.tls = *std::move(opened);
  out.tls->watch(loop);
  return out;
}

}  // namespace client
