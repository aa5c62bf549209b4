#include "admin-router/sources.hpp"

#include <fmt/format.h>

#include "admin-router/feeds.hpp"
#include "base/log.hpp"
#include "kernel/client/detector.hpp"

namespace admin_router {
namespace {

base::http::Url url_of(const Address& address, std::string target) {
  base::http::Url url;
  url.scheme = address.tls ? "https" : "http";
  url.host = address.host;
  url.port = address.port;
  url.target = std::move(target);
  return url;
}

}  // namespace

Sources::Sources(base::Loop& loop, Table& table, Options options, std::function<void()> changed)
    : loop_(loop),
      table_(table),
      options_(std::move(options)),
      changed_(std::move(changed)),
      client_(loop, options_.client) {}

Sources::~Sources() {
  for (auto timer : {master_timer_, marathon_timer_, settle_timer_, silence_timer_})
    if (timer != 0) loop_.cancel(timer);
}

void Sources::start() {
  if (options_.zookeeper) {
    detect();
  } else {
    connect_master();
  }
  follow_marathon();
  silence_timer_ = loop_.every(base::seconds(5), [this] { watch_silence(); });
}

void Sources::feed(const Event& event) {
  table_.on(event, loop_.now());
  changed_();
}

// ZooKeeper says who leads; while nobody is known to, the stream that there is may go on.
void Sources::detect() {
  detector_ = std::make_unique<client::Detector>(
      loop_, *options_.zookeeper, [this](const std::optional<std::string>& leader) {
        if (!leader) return LOG_INFO("ZooKeeper knows of no leading master");
        auto url = ServiceUrl::parse("http://" + *leader);
        if (!url) return LOG_ERROR("the leading master cannot be made out: {}", *leader);
        options_.masters = {url->address};
        hinted_.reset();
        ++master_number_;
        master_call_.cancel();
        if (master_timer_ != 0) loop_.cancel(master_timer_);
        connect_master();
      });
  detector_->start();
}

void Sources::connect_master() {
  master_timer_ = 0;
  if (options_.masters.empty()) return;
  master_ = hinted_ ? *hinted_ : options_.masters[next_master_++ % options_.masters.size()];
  hinted_.reset();
  master_.tls = options_.tls;
  records_ = base::RecordDecoder();
  uint64_t call = ++master_number_;
  base::http::ClientRequest request;
  request.method = "POST";
  request.url = url_of(master_, "/api/v1");
  request.headers.set("Content-Type", "application/json");
  request.headers.set("Accept", "application/json");
  if (!options_.authorization.empty()) request.headers.set("Authorization", options_.authorization);
  request.body = R"({"type":"SUBSCRIBE"})";
  request.timeout = base::seconds(10);
  base::http::StreamCallbacks calls;
  calls.on_head = [this, call](const base::http::Response& head) { on_master_head(call, head); };
  calls.on_data = [this, call](std::string_view data) { on_master_data(call, data); };
  calls.on_end = [this, call](base::Status end) {
    lose_master(call, end ? "the master closed the event stream" : end.error().message);
  };
  master_call_ = client_.stream(std::move(request), std::move(calls));
}

void Sources::on_master_head(uint64_t call, const base::http::Response& head) {
  if (call != master_number_) return;
  if (head.status == 200) {
    master_open_ = true;
    master_heard_ = loop_.now().instant;
    LOG_INFO("following the master at {}", master_.text());
    return feed(MasterConnected{master_});
  }
  if (head.status == 307) {
    std::string location(head.headers.get_or("Location", ""));
    if (location.starts_with("//")) location = (options_.tls ? "https:" : "http:") + location;
    if (auto leader = ServiceUrl::parse(location); leader && leader->address != master_)
      hinted_ = leader->address;
  }
  lose_master(call, fmt::format("{} answers {} to SUBSCRIBE", master_.text(), head.status));
}

void Sources::on_master_data(uint64_t call, std::string_view data) {
  if (call != master_number_ || !master_open_) return;
  master_heard_ = loop_.now().instant;
  std::vector<std::string> records;
  if (auto status = records_.feed(data, records); !status)
    return lose_master(call, status.error().message);
  for (const std::string& text : records) {
    auto record = read_master_record(text);
    if (!record) {
      LOG_WARNING("an event of the master cannot be read and is left out: {}",
                  record.error().message);
      continue;
    }
    for (const Event& event : record->events) feed(event);
  }
  follow_marathon();
}

void Sources::lose_master(uint64_t call, const std::string& reason) {
  if (call != master_number_) return;
  ++master_number_;
  master_call_.cancel();
  if (master_open_ || table_.master_source().reason != reason)
    LOG_WARNING("no events from the master: {}; routes stay as they were", reason);
  master_open_ = false;
  feed(MasterLost{reason});
  base::Duration delay = hinted_ ? base::Duration(0) : options_.retry;
  master_timer_ = loop_.after(delay, [this] { connect_master(); });
}

// Marathon may move: its address comes from the framework's registration unless it was given.
void Sources::follow_marathon() {
  auto now = table_.marathon();
  if (!now || (now->address == marathon_.address && now->base == marathon_.base)) return;
  marathon_ = *now;
  ++marathon_number_;
  marathon_call_.cancel();
  if (marathon_timer_ != 0) loop_.cancel(marathon_timer_);
  connect_marathon();
}

void Sources::connect_marathon() {
  marathon_timer_ = 0;
  marathon_open_ = false;
  events_ = base::http::SseDecoder();
  uint64_t call = ++marathon_number_;
  base::http::ClientRequest request;
  request.url = url_of(marathon_.address, marathon_.base + "/v2/events");
  request.headers.set("Accept", "text/event-stream");
  request.timeout = base::seconds(10);
  base::http::StreamCallbacks calls;
  calls.on_head = [this, call](const base::http::Response& head) {
    if (call != marathon_number_) return;
    if (head.status != 200)
      return lose_marathon(call, fmt::format("it answers {} to /v2/events", head.status));
    marathon_open_ = true;
    marathon_heard_ = loop_.now().instant;
    read_apps_now();  // after the subscription, so that no change falls between the two
  };
  calls.on_data = [this, call](std::string_view data) { on_marathon_data(call, data); };
  calls.on_end = [this, call](base::Status end) {
    lose_marathon(call, end ? "it closed the event stream" : end.error().message);
  };
  marathon_call_ = client_.stream(std::move(request), std::move(calls));
}

void Sources::on_marathon_data(uint64_t call, std::string_view data) {
  if (call != marathon_number_ || !marathon_open_) return;
  marathon_heard_ = loop_.now().instant;
  std::vector<base::http::SseEvent> events;
  events_.feed(data, events);
  for (const auto& event : events) {
    auto read = read_marathon_event(event.event, event.data);
    if (!read) {
      LOG_WARNING("an event of Marathon cannot be read and is left out: {}", read.error().message);
      continue;
    }
    for (const Event& change : read->events) feed(change);
    if (read->reload) read_apps_soon();
  }
}

void Sources::lose_marathon(uint64_t call, const std::string& reason) {
  if (call != marathon_number_) return;
  ++marathon_number_;
  marathon_call_.cancel();
  if (marathon_open_ || table_.marathon_source().reason != reason)
    LOG_WARNING("no events from Marathon at {}: {}; routes stay as they were",
                marathon_.address.text(), reason);
  marathon_open_ = false;
  feed(MarathonLost{reason});
  marathon_timer_ = loop_.after(options_.retry, [this] { connect_marathon(); });
}

void Sources::read_apps_soon() {
  if (settle_timer_ != 0) return;
  settle_timer_ = loop_.after(options_.settle, [this] {
    settle_timer_ = 0;
    read_apps_now();
  });
}

void Sources::read_apps_now() {
  if (!marathon_open_) return;
  apps_outdated_ = reading_apps_;
  if (reading_apps_) return;  // asked again when the answer has come
  reading_apps_ = true;
  uint64_t call = marathon_number_;
  base::http::ClientRequest request;
  request.url = url_of(marathon_.address,
                       marathon_.base + "/v2/apps?embed=apps.tasks&label=DCOS_SERVICE_NAME");
  request.headers.set("Accept", "application/json");
  client_.request(std::move(request), [this, call](base::Result<base::http::Response> response) {
    reading_apps_ = false;
    if (call != marathon_number_) return read_apps_now();
    if (!response) return lose_marathon(call, response.error().message);
    if (response->status != 200)
      return lose_marathon(call, fmt::format("/v2/apps answers {}", response->status));
    auto apps = read_apps(response->body);
    if (!apps) return lose_marathon(call, apps.error().message);
    feed(*std::move(apps));
    if (apps_outdated_) read_apps_soon();
  });
}

void Sources::watch_silence() {
  base::Instant now = loop_.now().instant;
  if (master_open_ && now - master_heard_ > options_.silence)
    lose_master(master_number_, "the master has been silent for too long");
}

}  // namespace admin_router
