#pragma once

// A registry in the test's own process, on the test's loop, with faults.

#include <map>
#include <string>
#include <vector>

#include "base/http/server.hpp"

namespace containerizer::images::testing {

/// An image in the making.
struct FakeImage {
  std::vector<std::string> layers{};  // tars, lowest first
  std::string config = "{}";          // the "config" member of its configuration
  enum class Packing { Gzip, Zstd, Plain } packing = Packing::Gzip;
};

class FakeRegistry {
 public:
  explicit FakeRegistry(base::Loop& loop);

  /// "127.0.0.1:<port>"
  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }

  /// Returns the manifest's digest.
  std::string add(const std::string& repository, const std::string& tag, const FakeImage& image);
  std::string add_index(const std::string& repository, const std::string& tag,
                        const std::map<std::string, std::string>& by_architecture);

  /// The same as an archive in the form of `docker save`.
  static std::string archive(const FakeImage& image, const std::string& tag);

  // Faults and habits.
  std::string user{}, password{};  // with a user: everything needs a login
  bool bearer = false;             // by token instead of by password
  size_t cut_after = 0;            // blobs break off after that many bytes of each answer
  int cuts = 0;                    // that many times
  bool ranges = true;
  bool hold_layers = false;                   // answers to layers come only after let_go()
  std::string blobs_at{};                     // blobs are redirected there
  std::map<std::string, std::string> lies{};  // digest -> what comes instead
  int overloaded = 0;                         // that many requests are answered 503

  void let_go();

  std::vector<std::string>
      requests{};  // "GET /v2/...", with " auth" when there was an Authorization header

 private:
  void handle(base::http::Request request, base::http::Responder responder);
  bool admit(const base::http::Request& request, const base::http::Responder& responder);
  void send_blob(const base::http::Request& request, const base::http::Responder& responder);

  base::Loop& loop_;
  base::http::Server server_;
  uint16_t port_ = 0;
  std::map<std::string, std::pair<std::string, std::string>> manifests_{};  // path -> type, text
  std::map<std::string, std::string> blobs_{};
  std::vector<std::function<void()>> held_{};
};

}  // namespace containerizer::images::testing
