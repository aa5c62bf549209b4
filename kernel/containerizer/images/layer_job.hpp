#pragma once

// Brings one layer from a registry into the store: the bytes come on the loop, are unpacked on the
// pool, and the connection is held back when unpacking is slower. A connection that breaks is taken
// up where it ended.

#include <functional>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "base/pool.hpp"
#include "kernel/containerizer/images/layer.hpp"
#include "kernel/containerizer/images/manifest.hpp"
#include "kernel/containerizer/images/registry.hpp"
#include "kernel/containerizer/images/store.hpp"

namespace containerizer::images {

class LayerJob : public std::enable_shared_from_this<LayerJob> {
 public:
  struct Options {
    base::Duration stall_timeout = base::minutes(1);
    UnpackLimits limits{};
  };

  LayerJob(base::Loop& loop, base::Pool& pool, std::shared_ptr<Store> store, Options options);

  /// `done` comes once, unless cancelled before.
  void start(std::shared_ptr<Registry> registry, Descriptor layer, std::string diff_id,
             std::function<void(Result<LayerRecord>)> done);

  void cancel();

  uint64_t received() const { return received_; }

 private:
  void request();
  void on_head(const base::http::Response& head);
  void on_data(std::string_view data);
  void on_end(Status status);
  void watch();
  void pump();
  void complete();
  void fail(Error error);
  void clean_up();

  base::Loop& loop_;
  base::Pool& pool_;
  std::shared_ptr<Store> store_;
  Options options_;
  std::shared_ptr<Registry> registry_{};
  Descriptor layer_{};
  std::string diff_id_{}, path_{}, staging_{};
  std::function<void(Result<LayerRecord>)> done_{};
  std::shared_ptr<LayerWriter> writer_{};
  std::string pending_{};  // came, not yet handed to the writer
  uint64_t received_ = 0;  // of the layer, what is in pending_ included
  uint64_t seen_by_watch_ = 0;
  uint64_t skip_ = 0;  // of an answer that begins before what is missing
  bool busy_ = false;  // the pool has the writer
  bool paused_ = false, all_here_ = false, ended_ = false, stream_over_ = true;
  int breaks_ = 0, breaks_in_all_ = 0;
  base::Loop::TimerId timer_ = 0;
};

}  // namespace containerizer::images
