#pragma once

// The streams of operators (SUBSCRIBE): each gets a picture of the state and every later event, none missing and none
// twice. Made for a thousand readers: pictures and events are encoded once and shared, events leave in batches, and a
// reader that does not read is cut off before it costs anybody anything. On the loop's thread; pictures are drawn on the
// pool.

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/http/server.hpp"
#include "base/loop.hpp"
#include "base/pool.hpp"
#include "kernel/api/content.hpp"
#include "kernel/master/snapshot.hpp"
#include "kernel/master/visibility.hpp"

namespace master {

class Subscribers {
 public:
  struct Options {
    size_t most_streams = 1000;                         // the oldest gives way
    size_t most_queued_bytes = size_t{16} << 20;        // of events that a stream has not taken; its picture comes on top
    base::Duration heartbeat = base::seconds(15);
    base::Duration pause_per_stream = base::microseconds(50);  // between batches: a single reader waits for nothing
    base::Duration longest_pause = base::milliseconds(100);
  };
  using TakePicture = std::function<std::shared_ptr<const Snapshot>()>;

  Subscribers(base::Loop& loop, base::Pool& pool, Options options);
  ~Subscribers();
  Subscribers(const Subscribers&) = delete;
  Subscribers& operator=(const Subscribers&) = delete;

  void open(base::http::Stream stream, api::ContentType type, Visibility visibility, const TakePicture& take_picture);
  /// `user`: of the task that an update is about, empty: its framework's.
  void publish(const mesos::v1::master::Event& event, const std::string& user = {});

  /// Ends the streams after what is queued.
  void close_all();

  bool empty() const { return readers_.empty(); }
  size_t size() const { return readers_.size(); }

  /// Streams that were cut because they did not read, or made room for newer ones.
  uint64_t cut() const { return cut_; }

 private:
  using Shared = std::shared_ptr<const std::string>;

  /// A picture on its way, and what happened since it was taken.
  struct Drawing {
    std::vector<uint64_t> readers;
    std::vector<Shared> since;
    size_t since_bytes = 0;
  };

  struct Reader {
    base::http::Stream stream;
    api::ContentType type;
    std::shared_ptr<Visibility> limited;  // null: sees everything
    std::shared_ptr<Drawing> drawing;     // null: it has its picture
    std::string pending;                  // of a limited one: records since the last batch
    size_t picture_bytes = 0;             // may be queued beside the events; 0 once they are taken
    base::Loop::TimerId heartbeat = 0;
  };

  /// Those of one type that see everything have the same position in the same stream.
  struct Feed {
    size_t readers = 0;
    std::string pending;
    std::shared_ptr<Drawing> drawing;  // may still be joined
  };

  Feed& feed(api::ContentType type) { return feeds_[static_cast<size_t>(type)]; }
  void draw(const std::shared_ptr<Drawing>& drawing, api::ContentType type, const std::shared_ptr<Visibility>& limited,
            std::shared_ptr<const Snapshot> picture);
  void drawn(const std::shared_ptr<Drawing>& drawing, const Shared& record);
  void want_flush();
  void flush();
  void note(Drawing& drawing, const Shared& batch);
  void send(uint64_t id, const Shared& batch);
  void beat(uint64_t id);
  void cut(uint64_t id, const char* why);
  void forget(uint64_t id);
  void post(base::Duration delay, void (Subscribers::*call)());

  base::Loop& loop_;
  base::Pool& pool_;
  Options options_;
  std::map<uint64_t, Reader> readers_;
  std::array<Feed, 2> feeds_;
  uint64_t last_id_ = 0, cut_ = 0;
  bool flush_wanted_ = false;
  base::Instant next_flush_{};
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace master
