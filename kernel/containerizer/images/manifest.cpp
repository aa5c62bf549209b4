#include "kernel/containerizer/images/manifest.hpp"

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/images/reference.hpp"

namespace containerizer::images {
namespace {

namespace json = boost::json;

constexpr std::string_view kDockerList =
    "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr std::string_view kDockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";

constexpr size_t kMaxLayers = 256;
constexpr size_t kMaxIndexEntries = 1000;
constexpr uint64_t kMaxLayerBytes = uint64_t{1} << 42;
constexpr size_t kMaxStrings = 10'000;

std::string text_of(const json::value* value) {
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::string member(const json::value& value, std::string_view pointer) {
  return text_of(base::json::find(value, pointer));
}

Result<Descriptor> descriptor_of(const json::value& value, const std::string& where) {
  Descriptor out;
  out.media_type = member(value, "/mediaType");
  out.digest = member(value, "/digest");
  if (!is_digest(out.digest)) return base::invalid(where + "/digest is not a digest");
  const auto* size = base::json::find(value, "/size");
  if (size == nullptr || !base::json::to_uint(*size, out.size) || out.size > kMaxLayerBytes)
    return base::invalid(where + "/size is not a sensible number of bytes");
  if (const auto* urls = base::json::find(value, "/urls");
      urls != nullptr && urls->is_array() && !urls->as_array().empty())
    return base::unsupported(
        where +
        " is a foreign layer, kept elsewhere than in the registry; such images are not supported");
  return out;
}

bool fits(const json::value& entry, const Platform& platform, bool strict) {
  if (member(entry, "/platform/os") != platform.os ||
      member(entry, "/platform/architecture") != platform.architecture)
    return false;
  const std::string variant = member(entry, "/platform/variant");
  if (variant == platform.variant) return true;
  return !strict && (variant.empty() || platform.variant.empty());
}

Result<Manifest> choose(const json::value& index, const Platform& platform) {
  const auto* entries = base::json::find(index, "/manifests");
  if (entries == nullptr || !entries->is_array())
    return base::invalid("the image index has no /manifests");
  const auto& list = entries->as_array();
  if (list.size() > kMaxIndexEntries)
    return base::invalid("the image index has more than 1000 manifests");
  std::string offered;
  for (const bool strict : {true, false}) {
    for (size_t i = 0; i < list.size(); ++i) {
      if (!fits(list[i], platform, strict)) continue;
      ASSIGN_OR_RETURN(Descriptor found, descriptor_of(list[i], "/manifests/" + std::to_string(i)));
      return Manifest{.elsewhere = std::move(found)};
    }
  }
  // An index with one image and no word about its platform (an OCI layout made by hand) means that
  // image.
  if (list.size() == 1 && base::json::find(list[0], "/platform") == nullptr) {
    ASSIGN_OR_RETURN(Descriptor found, descriptor_of(list[0], "/manifests/0"));
    return Manifest{.elsewhere = std::move(found)};
  }
  for (const auto& entry : list) {
    const std::string os = member(entry, "/platform/os");
    if (os.empty() || os == "unknown") continue;
    offered += (offered.empty() ? "" : ", ") + Platform{os, member(entry, "/platform/architecture"),
                                                        member(entry, "/platform/variant")}
                                                   .render();
    if (offered.size() > 300) break;
  }
  return base::not_found("the image has no variant for " + platform.render() +
                         (offered.empty() ? "" : "; it has " + base::valid_utf8(offered)));
}

Result<Manifest> decode_single(const json::value& value) {
  Manifest out;
  const auto* config = base::json::find(value, "/config");
  if (config == nullptr) return base::invalid("the manifest has no /config");
  ASSIGN_OR_RETURN(out.config, descriptor_of(*config, "/config"));
  const auto* layers = base::json::find(value, "/layers");
  if (layers == nullptr || !layers->is_array()) return base::invalid("the manifest has no /layers");
  if (layers->as_array().size() > kMaxLayers)
    return base::invalid("the manifest has " + std::to_string(layers->as_array().size()) +
                         " layers, more than " + std::to_string(kMaxLayers));
  for (size_t i = 0; i < layers->as_array().size(); ++i) {
    const std::string where = "/layers/" + std::to_string(i);
    ASSIGN_OR_RETURN(Descriptor layer, descriptor_of(layers->as_array()[i], where));
    if (layer.media_type.find("encrypted") != std::string::npos)
      return base::unsupported(where + " is encrypted, which is not supported");
    out.layers.push_back(std::move(layer));
  }
  return out;
}

Status take_strings(const json::value& value, std::string_view pointer,
                    std::vector<std::string>& out) {
  const auto* found = base::json::find(value, pointer);
  if (found == nullptr || found->is_null()) return {};
  if (found->is_string()) {
    out.emplace_back(found->as_string());
    return {};
  }
  if (!found->is_array())
    return base::invalid("the image's configuration: " + std::string(pointer) + " is not a list");
  for (const auto& item : found->as_array()) {
    if (!item.is_string() || out.size() >= kMaxStrings)
      return base::invalid("the image's configuration: " + std::string(pointer) +
                           " is not a list of strings");
    if (item.as_string().find('\0') != json::string::npos)
      return base::invalid("the image's configuration: " + std::string(pointer) +
                           " contains a NUL character");
    out.emplace_back(item.as_string());
  }
  return {};
}

}  // namespace

const char* const kManifestTypes =
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json";

std::string Platform::render() const {
  return os + "/" + architecture + (variant.empty() ? "" : "/" + variant);
}

Platform Platform::own() {
#if defined(__x86_64__)
  return {"linux", "amd64", ""};
#elif defined(__aarch64__)
  return {"linux", "arm64", "v8"};
#elif defined(__arm__)
  return {"linux", "arm", "v7"};
#elif defined(__powerpc64__)
  return {"linux", "ppc64le", ""};
#elif defined(__s390x__)
  return {"linux", "s390x", ""};
#else
  return {"linux", "riscv64", ""};
#endif
}

Result<Manifest> decode_manifest(std::string_view text, std::string_view media_type,
                                 const Platform& platform) {
  ASSIGN_OR_RETURN(const json::value value,
                   base::json::parse(text, {.max_bytes = 4 << 20, .max_depth = 32}));
  if (!value.is_object()) return base::invalid("the manifest is not a JSON object");
  std::string type = member(value, "/mediaType");
  if (type.empty()) type = std::string(base::trim(media_type.substr(0, media_type.find(';'))));
  uint64_t schema = 0;
  if (const auto* version = base::json::find(value, "/schemaVersion"); version != nullptr)
    (void)base::json::to_uint(*version, schema);
  if (schema == 1 || type.starts_with("application/vnd.docker.distribution.manifest.v1"))
    return base::unsupported(
        "the image has a manifest of schema 1, which registries gave up in 2021; push it again "
        "with a current tool");
  if (type == kDockerList || type == kOciIndex) return choose(value, platform);
  if (type == kDockerManifest || type == kOciManifest) return decode_single(value);
  // A text without a type: its shape says what it is.
  if (base::json::find(value, "/manifests") != nullptr) return choose(value, platform);
  if (schema == 2 && base::json::find(value, "/layers") != nullptr) return decode_single(value);
  return base::unsupported("the manifest's type '" + base::valid_utf8(type.substr(0, 100)) +
                           "' is not supported");
}

Result<ImageConfig> decode_config(std::string_view text) {
  ASSIGN_OR_RETURN(const json::value value,
                   base::json::parse(text, {.max_bytes = 8 << 20, .max_depth = 32}));
  if (!value.is_object()) return base::invalid("the image's configuration is not a JSON object");
  const std::string os = member(value, "/os");
  if (!os.empty() && os != "linux")
    return base::unsupported("the image is made for " + base::valid_utf8(os) + ", not for linux");
  ImageConfig out;
  RETURN_IF_ERROR(take_strings(value, "/config/Entrypoint", out.entrypoint));
  RETURN_IF_ERROR(take_strings(value, "/config/Cmd", out.command));
  RETURN_IF_ERROR(take_strings(value, "/config/Env", out.environment));
  RETURN_IF_ERROR(take_strings(value, "/rootfs/diff_ids", out.diff_ids));
  for (const auto& diff_id : out.diff_ids)
    if (!is_digest(diff_id))
      return base::invalid(
          "the image's configuration: /rootfs/diff_ids has something that is no digest");
  out.working_directory = member(value, "/config/WorkingDir");
  out.user = member(value, "/config/User");
  out.stop_signal = member(value, "/config/StopSignal");
  if (const auto* volumes = base::json::find(value, "/config/Volumes");
      volumes != nullptr && volumes->is_object())
    for (const auto& volume : volumes->as_object())
      if (out.volumes.size() < 64) out.volumes.emplace_back(volume.key());
  if (const auto* labels = base::json::find(value, "/config/Labels");
      labels != nullptr && labels->is_object())
    for (const auto& label : labels->as_object())
      out.labels[std::string(label.key())] = text_of(&label.value());
  for (const auto* single : {&out.working_directory, &out.user})
    if (single->find('\0') != std::string::npos)
      return base::invalid("the image's configuration contains a NUL character");
  return out;
}

}  // namespace containerizer::images
