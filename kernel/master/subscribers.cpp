#include "kernel/master/subscribers.hpp"

#include <google/protobuf/arena.h>

#include <algorithm>

#include "base/log.hpp"
#include "kernel/master/render.hpp"

namespace master {

using OperatorEvent = mesos::v1::master::Event;

Subscribers::Subscribers(base::Loop& loop, base::Pool& pool, Options options) : loop_(loop), pool_(pool), options_(options) {}

Subscribers::~Subscribers() {
  for (const auto& [id, reader] : readers_) loop_.cancel(reader.heartbeat);
}

void Subscribers::open(base::http::Stream stream, api::ContentType type, Visibility visibility,
                       const TakePicture& take_picture) {
  while (readers_.size() >= std::max<size_t>(1, options_.most_streams)) {
    cut(readers_.begin()->first, "newer subscribers take its place");
  }
  flush();  // what waits is in the picture already
  const uint64_t id = ++last_id_;
  stream.on_disconnect([this, id, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) forget(id);
  });
  Reader& reader = readers_[id];
  reader.stream = std::move(stream);
  reader.type = type;
  if (visibility.everything()) {
    Feed& own = feed(type);
    ++own.readers;
    if (own.drawing) {  // a picture that is being drawn, and all that came after it
      reader.drawing = own.drawing;
      own.drawing->readers.push_back(id);
      return;
    }
    own.drawing = std::make_shared<Drawing>();
    reader.drawing = own.drawing;
  } else {
    reader.limited = std::make_shared<Visibility>(std::move(visibility));
    reader.drawing = std::make_shared<Drawing>();
  }
  auto picture = take_picture();
  if (reader.limited) reader.limited->learn(*picture);
  reader.drawing->readers.push_back(id);
  draw(std::shared_ptr<Drawing>(reader.drawing), type, std::shared_ptr<Visibility>(reader.limited), std::move(picture));
}

void Subscribers::draw(const std::shared_ptr<Drawing>& drawing, api::ContentType type,
                       const std::shared_ptr<Visibility>& limited, std::shared_ptr<const Snapshot> picture) {
  // A copy: it learns while the picture is drawn.
  const auto visible = limited ? std::make_shared<const Visibility>(*limited) : nullptr;
  const double heartbeat = std::chrono::duration<double>(options_.heartbeat).count();
  const auto work = [picture = std::move(picture), type, visible, heartbeat] {
    google::protobuf::Arena arena;
    auto* event = google::protobuf::Arena::CreateMessage<OperatorEvent>(&arena);
    event->set_type(OperatorEvent::SUBSCRIBED);
    event->mutable_subscribed()->set_heartbeat_interval_seconds(heartbeat);
    auto* state = event->mutable_subscribed()->mutable_get_state();
    visible ? render_state(visible->filter(*picture), state) : render_state(*picture, state);
    return std::make_shared<const std::string>(api::encode_record(type, *event));
  };
  const auto done = [this, drawing, alive = std::weak_ptr<bool>(alive_)](Shared record) {
    if (!alive.expired()) drawn(drawing, record);
  };
  if (pool_.run_for(work, done)) return;
  for (const uint64_t id : std::vector<uint64_t>(drawing->readers)) cut(id, "too many renderings wait");
  for (Feed& each : feeds_) {
    if (each.drawing == drawing) each.drawing.reset();
  }
}

void Subscribers::drawn(const std::shared_ptr<Drawing>& drawing, const Shared& record) {
  flush();  // so that `since` is complete, and its readers are where all others are
  for (Feed& each : feeds_) {
    if (each.drawing == drawing) each.drawing.reset();
  }
  for (const uint64_t id : drawing->readers) {
    const auto found = readers_.find(id);
    if (found == readers_.end()) continue;
    Reader& reader = found->second;
    reader.drawing.reset();
    reader.picture_bytes = record->size();
    reader.stream.write(record);
    beat(id);
    for (const Shared& batch : drawing->since) send(id, batch);
  }
}

void Subscribers::publish(const OperatorEvent& event, const std::string& user) {
  if (readers_.empty()) return;
  std::array<std::string, 2> records;  // one encoding per type, whatever the number of readers
  const auto encoded = [&](api::ContentType type) -> const std::string& {
    std::string& record = records[static_cast<size_t>(type)];
    if (record.empty()) record = api::encode_record(type, event);
    return record;
  };
  size_t limited = readers_.size();
  for (const auto type : {api::ContentType::Json, api::ContentType::Protobuf}) {
    Feed& each = feed(type);
    limited -= each.readers;
    if (each.readers > 0) each.pending += encoded(type);
  }
  if (limited > 0) {
    for (auto& [id, reader] : readers_) {
      if (!reader.limited) continue;
      reader.limited->learn(event);
      if (!reader.limited->shows(event, user)) continue;
      if (const auto part = reader.limited->without_hidden(event)) {
        reader.pending += api::encode_record(reader.type, *part);
      } else {
        reader.pending += encoded(reader.type);
      }
    }
  }
  want_flush();
}

void Subscribers::post(base::Duration delay, void (Subscribers::*call)()) {
  auto run = [this, call, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) (this->*call)();
  };
  delay > base::Duration(0) ? void(loop_.after(delay, std::move(run))) : loop_.post(std::move(run));
}

/// Once per turn; with many readers less often, since each batch costs a system call for each of them.
void Subscribers::want_flush() {
  if (std::exchange(flush_wanted_, true)) return;
  post(next_flush_ - loop_.now().instant, &Subscribers::flush);
}

void Subscribers::flush() {
  flush_wanted_ = false;
  std::array<Shared, 2> batches;
  bool any = false;
  for (size_t i = 0; i < feeds_.size(); ++i) {
    Feed& each = feeds_[i];
    if (each.pending.empty()) continue;
    any = true;
    batches[i] = std::make_shared<const std::string>(std::exchange(each.pending, {}));
    if (each.drawing) note(*each.drawing, batches[i]);
  }
  // Ids first: a stream that is cut leaves the map.
  std::vector<std::pair<uint64_t, Shared>> out;
  out.reserve(readers_.size());
  for (auto& [id, reader] : readers_) {
    Shared batch = reader.limited ? nullptr : batches[static_cast<size_t>(reader.type)];
    if (!reader.pending.empty()) {
      any = true;
      batch = std::make_shared<const std::string>(std::exchange(reader.pending, {}));
      if (reader.drawing) note(*reader.drawing, batch);
    }
    if (batch && !reader.drawing) out.emplace_back(id, std::move(batch));
  }
  for (const auto& [id, batch] : out) send(id, batch);
  if (!any) return;
  next_flush_ = loop_.now().instant +
                std::min(options_.longest_pause, options_.pause_per_stream * static_cast<int64_t>(readers_.size()));
}

void Subscribers::note(Drawing& drawing, const Shared& batch) {
  drawing.since.push_back(batch);
  drawing.since_bytes += batch->size();
}

void Subscribers::send(uint64_t id, const Shared& batch) {
  const auto found = readers_.find(id);
  if (found == readers_.end()) return;
  Reader& reader = found->second;
  const size_t queued = reader.stream.queued_bytes();
  if (queued == 0) reader.picture_bytes = 0;
  if (queued > options_.most_queued_bytes + reader.picture_bytes) return cut(id, "it does not read its events");
  reader.stream.write(batch);
}

void Subscribers::beat(uint64_t id) {
  const auto found = readers_.find(id);
  if (found == readers_.end()) return;
  found->second.heartbeat = loop_.after(options_.heartbeat, [this, id] { beat(id); });
  OperatorEvent event;
  event.set_type(OperatorEvent::HEARTBEAT);
  send(id, std::make_shared<const std::string>(api::encode_record(found->second.type, event)));
}

void Subscribers::cut(uint64_t id, const char* why) {
  const auto found = readers_.find(id);
  if (found == readers_.end()) return;
  LOG_WARNING("closing the event stream of an operator: {}", why);
  ++cut_;
  const base::http::Stream stream = found->second.stream;
  forget(id);
  stream.abort();
}

void Subscribers::forget(uint64_t id) {
  const auto found = readers_.find(id);
  if (found == readers_.end()) return;
  if (!found->second.limited) --feed(found->second.type).readers;
  loop_.cancel(found->second.heartbeat);
  readers_.erase(found);
}

void Subscribers::close_all() {
  flush();
  for (auto& [id, reader] : readers_) reader.stream.close();
}

}  // namespace master
