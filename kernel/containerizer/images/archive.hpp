#pragma once

// Images in files: what `docker save` writes, an OCI image layout as a tar file, or as a directory.
// Blocking.

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/file.hpp"
#include "kernel/containerizer/images/layer.hpp"
#include "kernel/containerizer/images/manifest.hpp"

namespace containerizer::images {

class Archive {
 public:
  /// `file`: an open regular file or directory.
  static Result<std::unique_ptr<Archive>> open(base::Fd file);

  struct Found {
    std::string id{};                    // digest of the manifest, or of the configuration
    std::string config{};                // text
    std::vector<std::string> members{};  // the layers' files, lowest first
    std::vector<std::string> digests{};  // of those; empty strings when the archive does not say
  };

  /// The image called `name` in there ("repository:tag"), or the only one when `name` is empty or
  /// the archive has one.
  Result<Found> find(const std::string& name, const Platform& platform);

  /// Feeds a member to the writer. `cancelled` is asked now and then.
  Status read_layer(const std::string& member, LayerWriter& writer,
                    const std::function<bool()>& cancelled);

  /// Size of a member.
  Result<uint64_t> size_of(const std::string& member);

 private:
  struct Member {
    uint64_t offset = 0, size = 0;
  };

  explicit Archive(base::Fd file) : file_(std::move(file)) {}
  Status read_index();
  Result<base::Fd> open_member(const std::string& member);
  Result<std::string> read_text(const std::string& member);
  bool has(const std::string& member);
  Result<Found> find_saved(const std::string& name);
  Result<Found> find_in_layout(const std::string& name, const Platform& platform);

  base::Fd file_;
  bool directory_ = false;
  std::map<std::string, Member> members_{};  // of a tar file
};

}  // namespace containerizer::images
