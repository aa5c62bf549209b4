#include "universe/fetcher.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "base/file.hpp"
#include "base/http/client.hpp"
#include "base/http/gzip.hpp"
#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/log.hpp"
#include "base/pool.hpp"
#include "base/strings.hpp"
#include "base/version.hpp"
#include "universe/media_types.hpp"

namespace universe {
namespace {

using Kind = FetchOutcome::Kind;

constexpr int kMaxRedirects = 5;

FetchOutcome failed(Kind kind, std::string cause, int status = 0) {
  FetchOutcome out;
  out.kind = kind;
  out.cause = std::move(cause);
  out.status = status;
  return out;
}

FetchOutcome parsed(std::string_view text, std::string etag, const IndexLimits& limits) {
  auto index = parse_index(text, limits);
  if (!index) return failed(Kind::Malformed, "its index does not read: " + index.error().message);
  FetchOutcome out;
  out.kind = Kind::Fresh;
  out.index = std::make_shared<const RepositoryIndex>(std::move(*index));
  out.etag = std::move(etag);
  return out;
}

bool is_directory(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

FetchOutcome read_local(const std::string& path, const std::string& known_etag, const IndexLimits& limits) {
  if (is_directory(path)) return read_tree(path, known_etag, limits);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return failed(Kind::Unreachable, path + " does not exist or cannot be read");
  if (!S_ISREG(info.st_mode)) return failed(Kind::Malformed, path + " is neither a file nor a directory");
  const std::string etag =
      fmt::format("file-{}-{}.{}-{}", info.st_ino, info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_size);
  if (etag == known_etag) {
    FetchOutcome same;
    same.kind = Kind::Unchanged;
    return same;
  }
  const auto text = base::read_file(path, limits.max_bytes);
  if (!text) return failed(Kind::Unreachable, text.error().message);
  return parsed(*text, etag, limits);
}

/// An index of the packages that are used.
std::string index_text(const RepositoryIndex& index) {
  std::string text;
  base::json::Writer w(text);
  w.begin_object();
  w.key("packages");
  w.begin_array();
  for (const auto& package : index.packages) w.raw(package->document);
  w.end_array();
  w.end_object();
  return text;
}

bool is_json(std::string_view content_type) {
  const auto type = parse_media_type(content_type);
  if (!type || type->type != "application") return false;
  if (type->subtype == "json") return true;
  if (type->subtype != "vnd.dcos.universe.repo+json") return false;
  for (const auto& [name, value] : type->parameters) {
    if (name == "version") return value == "v3" || value == "v4" || value == "v5";
  }
  return true;
}

}  // namespace

struct Fetcher::Impl {
  Impl(base::Loop& l, FetcherOptions o) : loop(l), options(std::move(o)), client(l), pool(l, 2, 1000) {}

  /// Where a local repository is; empty: it is remote.
  std::string local_path(const std::string& uri) const {
    if (uri.starts_with("bundled://")) return options.bundled_dir;
    if (uri.starts_with("file://")) return base::percent_decode(std::string_view(uri).substr(7));
    return "";
  }

  std::string kept_file(const std::string& uri) const {
    uint64_t hash = 14695981039346656037u;
    for (char c : uri) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
    return fmt::format("{}/{:016x}.index", options.kept_dir, hash);
  }

  /// One line that tells of what and which version it is, then the index as it came.
  void keep(const std::string& uri, const std::string& etag, std::string_view text) const {
    std::string content;
    base::json::Writer w(content);
    w.begin_object();
    w.field("uri", uri);
    w.field("etag", etag);
    w.end_object();
    content += "\n";
    content += text;
    base::Status done = base::make_directories(options.kept_dir);
    if (done) done = base::write_file_atomic(kept_file(uri), content);
    if (!done) LOG_WARNING("no copy of repository {} is kept: {}", uri, done.error().message);
  }

  FetchOutcome load_kept(const std::string& uri) const {
    if (uri.starts_with("bundled://")) return read_local(options.bundled_dir, "", options.limits);
    const auto content = base::read_file(kept_file(uri), options.limits.max_bytes + 10'000);
    if (!content) return failed(Kind::Unreachable, "no copy is kept");
    const size_t line = content->find('\n');
    const auto head = base::json::parse(std::string_view(*content).substr(0, line));
    if (line == std::string::npos || !head) return failed(Kind::Malformed, "the kept copy does not read");
    if (base::json::get_string(*head, "/uri").value_or("") != uri) return failed(Kind::Unreachable, "no copy is kept");
    return parsed(std::string_view(*content).substr(line + 1), base::json::get_string(*head, "/etag").value_or(""),
                  options.limits);
  }

  void fetch_local(const std::string& path, const Fetch& wanted, Done done) {
    auto shared = std::make_shared<Done>(std::move(done));
    const bool queued = pool.run_for(
        [this, path, wanted] {
          FetchOutcome outcome = read_local(path, wanted.etag, options.limits);
          const bool own = wanted.uri.starts_with("bundled://");  // always there
          if (outcome.kind == Kind::Fresh && !own) keep(wanted.uri, outcome.etag, index_text(*outcome.index));
          return outcome;
        },
        [shared](FetchOutcome outcome) { (*shared)(std::move(outcome)); });
    if (!queued) loop.post([shared] { (*shared)(failed(Kind::Unreachable, "too many repositories are read at once")); });
  }

  void fetch_remote(const Fetch& wanted, const base::http::Url& url, int redirects, Done done) {
    base::http::ClientRequest request;
    request.url = url;
    request.timeout = options.timeout;
    request.max_body_bytes = options.limits.max_bytes;
    request.headers.set("Accept", repository_accept());
    request.headers.set("Accept-Encoding", "gzip");
    request.headers.set("User-Agent", fmt::format("cosmos/{0} dcos/{0}", base::kVersion));
    if (!wanted.etag.empty()) request.headers.set("If-None-Match", wanted.etag);
    client.request(std::move(request), [this, wanted, url, redirects, done = std::move(done)](
                                           base::Result<base::http::Response> response) mutable {
      if (!response) {
        const Kind kind = response.error().code == base::Code::TooLarge ? Kind::Malformed : Kind::Unreachable;
        return done(failed(kind, response.error().message));
      }
      on_response(wanted, url, redirects, std::move(*response), std::move(done));
    });
  }

  void on_response(const Fetch& wanted, const base::http::Url& url, int redirects, base::http::Response response,
                   Done done) {
    if (response.status == 304 && !wanted.etag.empty()) {
      FetchOutcome same;
      same.kind = Kind::Unchanged;
      return done(std::move(same));
    }
    if (response.status == 301 || response.status == 302 || response.status == 307 || response.status == 308) {
      const std::string_view location = response.headers.get_or("Location", "");
      auto next = base::http::Url::parse(location.starts_with('/') ? without_target(url) + std::string(location)
                                                                   : std::string(location));
      if (!next || next->scheme != url.scheme || redirects >= kMaxRedirects) {
        return done(failed(Kind::Unreachable, "it redirects to another scheme, to nowhere, or too often"));
      }
      return fetch_remote(wanted, *next, redirects + 1, std::move(done));
    }
    if (response.status != 200) {
      return done(failed(Kind::HttpStatus, fmt::format("it answers {}", response.status), response.status));
    }
    const std::string type(response.headers.get_or("Content-Type", ""));
    if (!is_json(type)) return done(failed(Kind::ContentType, base::valid_utf8(type)));
    take_text(wanted, std::move(response), std::move(done));
  }

  static std::string without_target(const base::http::Url& url) {
    base::http::Url root = url;
    root.target = "/";
    std::string text = root.render();
    if (text.ends_with('/')) text.pop_back();
    return text;
  }

  void take_text(const Fetch& wanted, base::http::Response response, Done done) {
    auto shared = std::make_shared<Done>(std::move(done));
    const bool queued = pool.run_for(
        [this, uri = wanted.uri, response = std::move(response)] {
          std::string text = response.body;
          if (base::iequals(response.headers.get_or("Content-Encoding", ""), "gzip")) {
            auto plain = base::http::gunzip(text, options.limits.max_bytes);
            if (!plain) return failed(Kind::Malformed, plain.error().message);
            text = std::move(*plain);
          }
          const std::string etag(response.headers.get_or("ETag", ""));
          FetchOutcome outcome = parsed(text, etag, options.limits);
          if (outcome.good()) keep(uri, etag, text);
          return outcome;
        },
        [shared](FetchOutcome outcome) { (*shared)(std::move(outcome)); });
    if (!queued) loop.post([shared] { (*shared)(failed(Kind::Unreachable, "too many repositories are read at once")); });
  }

  base::Loop& loop;
  FetcherOptions options;
  base::http::Client client;
  base::Pool pool;  // last: its jobs use what is above
};

Fetcher::Fetcher(base::Loop& loop, FetcherOptions options) : impl_(std::make_shared<Impl>(loop, std::move(options))) {}

Fetcher::~Fetcher() = default;

void Fetcher::fetch(const Fetch& wanted, Done done) {
  const std::string path = impl_->local_path(wanted.uri);
  if (!path.empty()) return impl_->fetch_local(path, wanted, std::move(done));
  const auto url = base::http::Url::parse(wanted.uri);
  if (!url) {
    return impl_->loop.post([done = std::move(done), cause = url.error().message] {
      done(failed(Kind::Unreachable, cause));
    });
  }
  impl_->fetch_remote(wanted, *url, 0, std::move(done));
}

FetchOutcome Fetcher::load_kept(const std::string& uri) const { return impl_->load_kept(uri); }

void Fetcher::forget(const std::string& uri) const { ::unlink(impl_->kept_file(uri).c_str()); }

}  // namespace universe
