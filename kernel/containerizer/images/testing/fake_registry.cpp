#include "kernel/containerizer/images/testing/fake_registry.hpp"

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/images/digest.hpp"
#include "kernel/containerizer/images/testing/tar_writer.hpp"

namespace containerizer::images::testing {
namespace {

using base::http::Response;

constexpr const char* kToken = "a-token";

std::string configuration(const FakeImage& image) {
  std::string ids;
  for (const auto& layer : image.layers)
    ids += (ids.empty() ? "\"" : ",\"") + sha256_of(layer) + "\"";
  return R"({"architecture":"amd64","os":"linux","config":)" + image.config +
         R"(,"rootfs":{"type":"layers","diff_ids":[)" + ids + "]}}";
}

std::string pack(const std::string& layer, FakeImage::Packing packing) {
  return packing == FakeImage::Packing::Gzip   ? gzip(layer)
         : packing == FakeImage::Packing::Zstd ? zstd(layer)
                                               : layer;
}

Response refusal(int status, const std::string& code, const std::string& message) {
  return Response::json(
      status, R"({"errors":[{"code":")" + code + R"(","message":")" + message + R"("}]})");
}

}  // namespace

FakeRegistry::FakeRegistry(base::Loop& loop)
    : loop_(loop),
      server_(loop, {}, [this](base::http::Request request, base::http::Responder responder) {
        handle(std::move(request), std::move(responder));
      }) {
  port_ = server_.listen("127.0.0.1", 0).value_or(0);
}

std::string FakeRegistry::add(const std::string& repository, const std::string& tag,
                              const FakeImage& image) {
  const std::string config = configuration(image);
  blobs_[sha256_of(config)] = config;
  std::string layers;
  for (const auto& layer : image.layers) {
    const std::string blob = pack(layer, image.packing);
    blobs_[sha256_of(blob)] = blob;
    layers += (layers.empty() ? "" : ",") +
              std::string(R"({"mediaType":"application/vnd.oci.image.layer.v1.tar","size":)") +
              std::to_string(blob.size()) + R"(,"digest":")" + sha256_of(blob) + "\"}";
  }
  const std::string manifest =
      R"({"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","size":)" +
      std::to_string(config.size()) + R"(,"digest":")" + sha256_of(config) + R"("},"layers":[)" +
      layers + "]}";
  const std::string digest = sha256_of(manifest);
  for (const auto& name : {tag, digest})
    manifests_["/v2/" + repository + "/manifests/" + name] = {
        "application/vnd.oci.image.manifest.v1+json", manifest};
  return digest;
}

std::string FakeRegistry::add_index(const std::string& repository, const std::string& tag,
                                    const std::map<std::string, std::string>& by_architecture) {
  std::string entries;
  for (const auto& [architecture, digest] : by_architecture)
    entries +=
        (entries.empty() ? "" : ",") +
        std::string(
            R"({"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":")") +
        digest + R"(","platform":{"os":"linux","architecture":")" + architecture + "\"}}";
  const std::string index = R"({"schemaVersion":2,"manifests":[)" + entries + "]}";
  manifests_["/v2/" + repository + "/manifests/" + tag] = {
      "application/vnd.oci.image.index.v1+json", index};
  return sha256_of(index);
}

std::string FakeRegistry::archive(const FakeImage& image, const std::string& tag) {
  const std::string config = configuration(image);
  const std::string config_name = sha256_of(config).substr(7) + ".json";
  TarWriter out;
  std::string layers;
  for (size_t i = 0; i < image.layers.size(); ++i) {
    out.file(std::to_string(i) + "/layer.tar", image.layers[i]);
    layers += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "/layer.tar\"";
  }
  out.file(config_name, config);
  out.file("manifest.json", R"([{"Config":")" + config_name + R"(","RepoTags":[")" + tag +
                                R"("],"Layers":[)" + layers + "]}]");
  return out.finish();
}

bool FakeRegistry::admit(const base::http::Request& request,
                         const base::http::Responder& responder) {
  if (user.empty()) return true;
  const auto given = request.headers.get_or("Authorization", "");
  const std::string wanted = bearer ? std::string("Bearer ") + kToken
                                    : "Basic " + base::base64_encode(user + ":" + password);
  if (given == wanted) return true;
  Response response = refusal(401, "UNAUTHORIZED", "authentication required");
  response.headers.set("WWW-Authenticate",
                       bearer ? R"(Bearer realm="http://)" + host() +
                                    R"(/token",service="fake",scope="repository:x:pull")"
                              : R"(Basic realm="fake")");
  responder.reply(std::move(response));
  return false;
}

void FakeRegistry::handle(base::http::Request request, base::http::Responder responder) {
  requests.push_back(request.method + " " + request.target +
                     (request.headers.has("Authorization") ? " auth" : ""));
  if (overloaded > 0) {
    --overloaded;
    return responder.reply(refusal(503, "UNAVAILABLE", "later"));
  }
  if (request.path == "/token") {
    const bool right = request.headers.get_or("Authorization", "") ==
                       "Basic " + base::base64_encode(user + ":" + password);
    return responder.reply(
        right ? Response::json(200, std::string(R"({"access_token":")") + kToken + "\"}")
              : Response::json(401, R"({"details":"incorrect username or password"})"));
  }
  if (request.path.starts_with("/elsewhere/")) return send_blob(request, responder);
  if (!admit(request, responder)) return;
  if (const auto found = manifests_.find(request.path); found != manifests_.end()) {
    Response response = Response::text(200, found->second.second);
    response.headers.set("Content-Type", found->second.first);
    return responder.reply(std::move(response));
  }
  if (request.path.find("/blobs/") == std::string::npos)
    return responder.reply(refusal(404, "MANIFEST_UNKNOWN", "manifest unknown"));
  if (!blobs_at.empty()) {
    Response response;
    response.status = 307;
    response.headers.set("Location", blobs_at + "/elsewhere/blobs/" +
                                         request.path.substr(request.path.rfind('/') + 1));
    return responder.reply(std::move(response));
  }
  const auto blob = blobs_.find(request.path.substr(request.path.rfind('/') + 1));
  if (hold_layers && blob != blobs_.end() && !blob->second.starts_with('{')) {
    held_.push_back([this, request, responder] { send_blob(request, responder); });
    return;
  }
  send_blob(request, responder);
}

void FakeRegistry::let_go() {
  hold_layers = false;
  for (auto& held : std::exchange(held_, {})) held();
}

void FakeRegistry::send_blob(const base::http::Request& request,
                             const base::http::Responder& responder) {
  const std::string digest = request.path.substr(request.path.rfind('/') + 1);
  auto found = blobs_.find(digest);
  if (found == blobs_.end())
    return responder.reply(refusal(404, "BLOB_UNKNOWN", "blob unknown to registry"));
  std::string body = lies.contains(digest) ? lies[digest] : found->second;
  Response head;
  const auto range = request.headers.get_or("Range", "");
  if (ranges && range.starts_with("bytes=")) {
    const uint64_t from = base::parse_uint(range.substr(6, range.size() - 7)).value_or(0);
    head.status = 206;
    head.headers.set("Content-Range", "bytes " + std::to_string(from) + "-" +
                                          std::to_string(body.size() - 1) + "/" +
                                          std::to_string(body.size()));
    body = body.substr(from);
  }
  head.headers.set("Content-Length", std::to_string(body.size()));
  const auto stream = responder.stream(std::move(head));
  if (cut_after > 0 && cuts > 0 && body.size() > cut_after) {
    --cuts;
    (void)stream.write(body.substr(0, cut_after));
    loop_.after(base::milliseconds(20), [stream] { stream.abort(); });
    return;
  }
  (void)stream.write(body);
  stream.close();
}

}  // namespace containerizer::images::testing
