#include "metronome/shell.hpp"

#include "jobs/shell.hpp"
#include "metronome/api/api.hpp"
#include "metronome/core.hpp"

namespace metronome {

struct Shell::Impl : jobs::CommonShell<Impl, Core, Effects, Flags> {
  Impl(base::Loop& loop, base::Store* store, const Flags& flags) : CommonShell(loop, store, flags, base::Random::from_os()) {}

  void handle(base::http::Request request, base::http::Responder responder) {
    if (!authorized(request)) {
      auto response = base::http::Response::text(401, "credentials are missing or wrong");
      response.headers.set("WWW-Authenticate", "Basic realm=\"metronome\"");
      return responder.reply(std::move(response));
    }
    // Of this process, whoever leads.
    const bool local = request.path == "/ping" || request.path == "/v1/metrics";
    if (acting().member() && !local) return acting().member()->handle(std::move(request), std::move(responder));
    if (!acting().begun() && request.path == "/ping") return responder.reply(base::http::Response::text(200, "pong"));
    if (!acting().begun()) return responder.reply(base::http::Response::json(200, api::standby_metrics()));
    serve(std::move(request), std::move(responder));
  }

  base::ha::Member::Options contest() const {
    base::ha::Member::Options options;
    options.session_timeout = base::milliseconds(static_cast<int64_t>(flags().zk_session_timeout));
    options.proxy.via_header = "X-VIA";
    options.proxy.via_prefix = "";
    options.proxy.leader_header = "X-LEADER";
    return options;
  }

  static base::http::Response refuse(int status, const std::string& message) { return base::http::Response::text(status, message); }
  static void dress(base::http::Response&) {}
};

Shell::Shell(base::Loop& loop, base::Store& store, const Flags& flags) : impl_(std::make_unique<Impl>(loop, &store, flags)) {}

Shell::Shell(base::Loop& loop, const Flags& flags) : impl_(std::make_unique<Impl>(loop, nullptr, flags)) {}

Shell::~Shell() = default;

base::Result<uint16_t> Shell::start() { return impl_->start(); }

void Shell::drain(int exit_code) { impl_->drain(exit_code); }

}  // namespace metronome
