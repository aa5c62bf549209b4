#pragma once

// Images of containers: pulled once, kept unpacked, shared, and removed when nobody needs them. On
// the loop; what blocks is done on the pool.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "base/pool.hpp"
#include "kernel/containerizer/images/collection.hpp"
#include "kernel/containerizer/images/credentials.hpp"
#include "kernel/containerizer/images/manifest.hpp"
#include "kernel/containerizer/images/reference.hpp"
#include "kernel/containerizer/images/unpack.hpp"

namespace containerizer::images {

struct Image {
  std::string id{};  // digest
  ImageConfig config{};
  std::vector<std::string> layers{};  // directories, lowest first
};

using ImagePtr = std::shared_ptr<const Image>;

struct ImageOptions {
  std::string directory{};  // of the store
  RegistrySettings registries{};
  std::string archives{};  // names are files below this directory instead of a registry's images
  std::vector<std::string> archive_directories{};  // where images named file:///... may be
  Credentials credentials{};
  CollectionPolicy collection{};
  UnpackLimits limits{};
  size_t max_parallel_layers = 3;
  base::Duration stall_timeout = base::minutes(1);
};

struct PullRequest {
  std::string name{};         // as the framework wrote it
  std::string holder{};       // the container; keeps the image until release()
  bool force = false;         // ask the registry even when the name is known
  std::string credentials{};  // a docker config.json of its own; stronger than the agent's
};

struct ImageCounts {
  uint64_t pulled = 0, failed = 0, cached = 0, bytes = 0, images = 0, layers = 0;
};

/// An image on its way.
struct PullProgress {
  size_t layers = 0, layers_here = 0;  // 0: its manifest is not here yet
  uint64_t bytes = 0;                  // compressed, of the layers that have to come
};

class Images {
 public:
  /// Takes the store into possession. Blocks for as long as it takes to read its records. `pool` is
  /// best one of its own: a layer occupies a thread of it for as long as it is unpacked.
  static Result<std::unique_ptr<Images>> open(base::Loop& loop, base::Pool& pool,
                                              ImageOptions options);
  ~Images();  // cancels pulls; what is on disk stays

  /// `done` comes on a later turn; after cancel(holder) it comes with Cancelled.
  void pull(PullRequest request, std::function<void(Result<ImagePtr>)> done);
  void cancel(const std::string& holder);

  /// For a container from before a restart: its image is still there, since images in use are never
  /// removed.
  Result<ImagePtr> hold(const std::string& holder, const std::string& id);
  void release(const std::string& holder);

  /// Containers from before are known now: what nobody uses may be removed from here on, every so
  /// often.
  void start_collection();

  /// Removes now what the policy allows. `all`: every image that no container uses, whatever its
  /// age.
  void collect(bool all, std::function<void()> done);

  /// Removes now every image that no container uses, whatever its age, but those of these names, written as frameworks
  /// write them, and those that the policy excludes. An error, and nothing is done, when one is no image's name.
  Status prune(const std::vector<std::string>& kept, std::function<void()> done);

  /// How far the image is that this container waits for; absent: it waits for none.
  std::optional<PullProgress> progress(const std::string& holder) const;

  ImageCounts counts() const;

  struct Impl;

 private:
  explicit Images(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace containerizer::images
