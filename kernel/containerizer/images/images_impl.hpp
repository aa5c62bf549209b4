#pragma once

// What images.cpp (life of images) and pull.cpp (life of a pull) share. Private to them.

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "base/http/client.hpp"
#include "kernel/containerizer/images/images.hpp"
#include "kernel/containerizer/images/registry.hpp"
#include "kernel/containerizer/images/store.hpp"

namespace containerizer::images {

class Pull;

/// Begins to bring a layer; the answer ends that.
using LayerDone = std::function<void(Result<LayerRecord>)>;
using LayerStart = std::function<std::function<void()>(LayerDone)>;

struct Images::Impl : std::enable_shared_from_this<Images::Impl> {
  Impl(base::Loop& l, base::Pool& p, ImageOptions o);

  /// One layer that pulls wait for. It comes by the means of the first of them; should that fail,
  /// by the next one's.
  struct LayerTask {
    struct Waiter {
      Pull* pull;
      LayerStart start;
      std::function<void(Status)> done;
    };
    std::deque<Waiter> waiters;
    std::function<void()> cancel;  // empty: waits for its turn
  };

  void want_layer(Pull* pull, const std::string& diff_id, LayerStart start,
                  std::function<void(Status)> done);
  void leave_layers(Pull* pull);
  void start_layers();
  void layer_ended(const std::string& diff_id, Result<LayerRecord> record);

  /// Known and complete, else absent.
  const ImageRecord* find(const std::string& name) const;
  Result<ImagePtr> make_image(const ImageRecord& record) const;
  Result<ImagePtr> take(const std::string& holder, const std::string& id);
  void touch(ImageRecord& record);

  /// Everything of the image is in the store: record it under the name.
  void add(ImageRecord record, const std::string& name,
           std::function<void(Result<std::string>)> done);
  void finish(const std::shared_ptr<Pull>& pull, Result<std::string> id);

  void collect(bool all, const std::set<std::string>& kept, std::function<void()> done);
  void schedule_collection();

  base::http::Client& client_for(const Endpoint& endpoint) {
    return endpoint.verify_tls ? *secure : *insecure;
  }

  base::Loop& loop;
  base::Pool& pool;
  ImageOptions options;
  std::shared_ptr<Store> store;
  Store::Content content;
  std::map<std::string, std::string> names;    // canonical name -> id
  std::map<std::string, std::string> holders;  // container -> id
  std::map<std::string, std::shared_ptr<Pull>> pulls;
  std::map<std::string, LayerTask> tasks;  // by diff id
  std::deque<std::string> queue;           // of tasks that have not begun
  size_t running = 0;
  std::unique_ptr<base::http::Client> secure, insecure;
  base::Loop::TimerId collection_timer = 0;
  bool stopped = false, collecting = false;
  std::vector<std::function<void()>>
      after_collection;  // what may not happen while files are being removed
  ImageCounts counted;
};

/// One image on its way, for everybody who wants it.
class Pull : public std::enable_shared_from_this<Pull> {
 public:
  struct Waiter {
    std::string holder;
    std::function<void(Result<ImagePtr>)> done;
  };

  Pull(Images::Impl& owner, std::string key, std::string name)
      : owner_(owner), key_(std::move(key)), name_(std::move(name)) {}

  void from_registry(Reference reference, const Credentials& credentials);
  void from_archive(std::string path, std::string root, std::string image);
  void cancel();

  const std::string& key() const { return key_; }
  const std::string& name() const { return name_; }
  PullProgress progress() const {
    const size_t layers = record_.layers.size();
    return {layers, layers - std::min(layers, layers_left_), bytes_};
  }
  const std::set<std::string>& pinned() const { return pinned_; }
  std::vector<Waiter> waiters{};

 private:
  friend struct Images::Impl;

  void next_endpoint();
  void get_manifest(const std::string& wanted, int depth);
  void take_manifest(const std::string& wanted, const base::http::Response& answer, int depth);
  void get_config();
  void take_config(const std::string& text);
  void get_layers();
  void layer_done(Status status);
  void fail_endpoint(const Error& error);
  void fail(Error error);

  Images::Impl& owner_;
  std::string key_, name_;
  Reference reference_{};
  Credentials credentials_{};
  std::vector<Endpoint> endpoints_{};
  size_t next_endpoint_ = 0;
  std::shared_ptr<Registry> registry_{};
  std::string messages_{};
  Manifest manifest_{};
  ImageRecord record_{};
  std::function<LayerStart(size_t index, const std::string& diff_id)> layer_start_{};
  std::set<std::string> pinned_{};
  size_t layers_left_ = 0, layers_new_ = 0;
  uint64_t bytes_ = 0;
  base::Instant began_{};
  bool ended_ = false;
};

}  // namespace containerizer::images
