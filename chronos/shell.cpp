#include "chronos/shell.hpp"

#include "chronos/api/api.hpp"
#include "chronos/core.hpp"
#include "chronos/notifier.hpp"
#include "jobs/shell.hpp"

namespace chronos {

struct Shell::Impl : jobs::CommonShell<Impl, Core, Effects, Flags> {
  Impl(base::Loop& loop, base::Store* store, const Flags& flags) : CommonShell(loop, store, flags), notifier(loop, flags.notifier()) {}

  void perform(Notify& notice) { notifier.notify(notice); }

  static void dress(base::http::Response& response) {
    response.headers.set("Access-Control-Allow-Origin", "*");
    response.headers.set("Access-Control-Allow-Methods", "GET, PUT, POST, DELETE, OPTIONS");
  }

  void handle(base::http::Request request, base::http::Responder responder) {
    if (request.method == "OPTIONS") {
      auto response = api::no_content();
      dress(response);
      response.headers.set("Access-Control-Allow-Headers",
                           std::string(request.headers.get_or("Access-Control-Request-Headers", "Content-Type")));
      return responder.reply(std::move(response));
    }
    if (!authorized(request)) {
      auto response = api::refuse(401, "credentials are missing or wrong");
      dress(response);
      response.headers.set("WWW-Authenticate", "Basic realm=\"" + flags().http_realm + "\"");
      return responder.reply(std::move(response));
    }
    if (acting().member() && request.path != "/ping") return acting().member()->handle(std::move(request), std::move(responder));
    if (acting().member() && !acting().member()->leading()) return responder.reply(base::http::Response::text(200, "pong"));
    serve(std::move(request), std::move(responder));
  }

  base::ha::Member::Options contest() const {
    base::ha::Member::Options options;
    options.session_timeout = base::milliseconds(static_cast<int64_t>(flags().zk_timeout));
    options.proxy.via_header = "X-Chronos-Via";
    return options;
  }

  static base::http::Response refuse(int status, const std::string& message) { return api::refuse(status, message); }

  Notifier notifier;
};

Shell::Shell(base::Loop& loop, base::Store& store, const Flags& flags) : impl_(std::make_unique<Impl>(loop, &store, flags)) {}

Shell::Shell(base::Loop& loop, const Flags& flags) : impl_(std::make_unique<Impl>(loop, nullptr, flags)) {}

Shell::~Shell() = default;

base::Result<uint16_t> Shell::start() { return impl_->start(); }

void Shell::drain(int exit_code) { impl_->drain(exit_code); }

}  // namespace chronos
