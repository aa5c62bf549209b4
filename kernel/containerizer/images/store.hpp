#pragma once

// Images on disk. One agent owns a store (lock). What is there is complete: layers are unpacked in
// staging/ and renamed into layers/; images/ has one record per image. After a crash staging/ is
// swept, and layers that were not written out before the machine itself stopped are given up.
// Blocking; safe to use from several threads (each call names its own files).
//
//   lock
//   staging/<number>/{fs/,record}     being unpacked
//   layers/<digest>/{fs/,record,durable}
//   images/<digest>.json
//   trash/<number>                    on its way out

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "kernel/containerizer/images/unpack.hpp"

namespace containerizer::images {

struct ImageRecord {
  std::string id{};  // digest of the manifest; of the configuration for a `docker save` archive
  std::vector<std::string> names{};   // that led here
  std::vector<std::string> layers{};  // diff ids, lowest first
  std::string config{};               // as the image has it
  double pulled = 0, last_used = 0;   // seconds
};

struct LayerRecord {
  std::string diff_id{};
  uint64_t bytes = 0, entries = 0;
  double made = 0;
};

class Store {
 public:
  struct Content {
    std::map<std::string, ImageRecord> images{};  // by id; only those whose layers are all there
    std::map<std::string, LayerRecord> layers{};  // by diff id
  };

  /// What lies there, good or not. Changes nothing.
  struct Survey {
    struct Bad {
      std::string path, why;
      bool image = false;  // its record; else a layer's directory
    };
    Content content{};
    std::vector<Bad> bad{};             // layers and records that the next start gives up
    std::vector<std::string> staging{}, trash{};  // names
  };
  static Result<Survey> survey(const std::string& directory);

  /// Takes the lock, sweeps, loads. The sweep renames; empty_trash() does the long work.
  static Result<std::unique_ptr<Store>> open(const std::string& directory, Content& content);

  /// Another agent may have it.
  void unlock() { lock_.reset(); }

  const std::string& directory() const { return directory_; }

  /// A new directory with an empty directory fs/ in it.
  Result<std::string> make_staging();

  /// Makes what was unpacked into `staging` the layer. That it exists already is success.
  Status commit_layer(const std::string& staging, const LayerRecord& record);

  /// Writes layers out to the disk, so that they survive a power failure.
  Status make_durable(const std::vector<std::string>& diff_ids);

  Status save_image(const ImageRecord& record);
  Status remove_image(const std::string& id);

  /// Gone at once for everybody; the space comes back with empty_trash().
  Status discard_layer(const std::string& diff_id);
  Status discard_staging(const std::string& staging);
  Status empty_trash();

  std::string layer_path(const std::string& diff_id) const;

  /// Part of the file system that is used, by blocks or inodes.
  double used_fraction() const;

 private:
  explicit Store(std::string directory) : directory_(std::move(directory)) {}
  Status discard(const std::string& path);
  Status load(Content& content);
  std::string next_name();

  std::string directory_, boot_id_;
  base::Fd lock_{};
  std::atomic<uint64_t> counter_{0};
};

}  // namespace containerizer::images
