#include "kernel/containerizer/images/collection.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "kernel/containerizer/images/reference.hpp"

namespace containerizer::images {
namespace {

/// Layers of a pull that failed are kept that long: the next attempt goes on from them.
constexpr double kOrphanSeconds = 24 * 3600;

Status take_duration(const boost::json::value& value, const char* pointer, base::Duration& out) {
  const auto* found = base::json::find(value, pointer);
  if (found == nullptr) return {};
  int64_t nanoseconds = 0;
  const auto* inner = base::json::find(*found, "/nanoseconds");
  if (inner == nullptr || !base::json::to_int(*inner, nanoseconds) || nanoseconds <= 0)
    return base::invalid(std::string("--image_gc_config: ") + pointer +
                         " must be {\"nanoseconds\": N}");
  out = base::Duration(nanoseconds);
  return {};
}

}  // namespace

Result<CollectionPolicy> CollectionPolicy::parse(std::string_view text) {
  ASSIGN_OR_RETURN(const boost::json::value value, base::json::parse(text));
  if (!value.is_object()) return base::invalid("--image_gc_config must be a JSON object");
  CollectionPolicy out;
  for (const auto& member : value.as_object()) {
    const std::string key(member.key());
    if (key != "image_disk_headroom" && key != "image_disk_watch_interval" &&
        key != "excluded_images" && key != "image_max_age" && key != "enabled")
      return base::invalid("--image_gc_config: there is no '" + key + "'");
  }
  if (const auto* enabled = base::json::find(value, "/enabled"); enabled != nullptr) {
    ASSIGN_OR_RETURN(out.enabled, base::json::get_bool(value, "/enabled"));
  }
  if (base::json::find(value, "/image_disk_headroom") != nullptr) {
    ASSIGN_OR_RETURN(out.disk_headroom, base::json::get_double(value, "/image_disk_headroom"));
    if (!(out.disk_headroom >= 0 && out.disk_headroom <= 1))
      return base::invalid("--image_gc_config: image_disk_headroom must be between 0 and 1");
  }
  RETURN_IF_ERROR(take_duration(value, "/image_disk_watch_interval", out.interval));
  RETURN_IF_ERROR(take_duration(value, "/image_max_age", out.max_age));
  const auto* excluded = base::json::find(value, "/excluded_images");
  if (excluded == nullptr) return out;
  if (!excluded->is_array())
    return base::invalid("--image_gc_config: excluded_images must be a list");
  for (const auto& item : excluded->as_array()) {
    std::string name;
    if (item.is_string()) {
      name = std::string(item.as_string());
    } else {
      const auto* docker = base::json::find(item, "/docker/name");
      if (docker == nullptr || !docker->is_string())
        return base::invalid(
            "--image_gc_config: excluded_images must have names, or images with docker.name");
      name = std::string(docker->as_string());
    }
    const auto reference = parse_reference(name);
    if (!reference) return reference.error().with_context("--image_gc_config: excluded_images");
    out.excluded.insert(reference->render());
  }
  return out;
}

Collection plan_collection(const Store::Content& content, const std::set<std::string>& in_use,
                           const std::set<std::string>& pinned, const CollectionPolicy& policy,
                           double now, uint64_t bytes_over) {
  const double max_age = std::chrono::duration<double>(policy.max_age).count();
  std::vector<const ImageRecord*> unused;
  for (const auto& [id, image] : content.images) {
    const bool excluded =
        std::any_of(image.names.begin(), image.names.end(),
                    [&policy](const auto& name) { return policy.excluded.contains(name); });
    if (!excluded && !in_use.contains(id)) unused.push_back(&image);
  }
  std::sort(unused.begin(), unused.end(), [](const auto* a, const auto* b) {
    return std::tie(a->last_used, a->id) < std::tie(b->last_used, b->id);
  });
  std::map<std::string, int> users;
  for (const auto& [id, image] : content.images)
    for (const auto& layer : std::set<std::string>(image.layers.begin(), image.layers.end()))
      ++users[layer];

  Collection out;
  uint64_t freed = 0;
  const auto drop_layer = [&](const std::string& diff_id) {
    const auto layer = content.layers.find(diff_id);
    if (layer == content.layers.end() || pinned.contains(diff_id)) return;
    freed += layer->second.bytes;
    out.layers.push_back(diff_id);
  };
  for (const auto& [diff_id, layer] : content.layers)
    if (!users.contains(diff_id) && (bytes_over > 0 || now - layer.made > kOrphanSeconds))
      drop_layer(diff_id);
  for (const auto* image : unused) {
    if (now - image->last_used <= max_age && freed >= bytes_over) continue;
    out.images.push_back(image->id);
    for (const auto& layer : std::set<std::string>(image->layers.begin(), image->layers.end()))
      if (--users[layer] == 0) drop_layer(layer);
  }
  return out;
}

}  // namespace containerizer::images
