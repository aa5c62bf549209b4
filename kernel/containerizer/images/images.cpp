#include "kernel/containerizer/images/images.hpp"

#include <sys/statvfs.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/images/images_impl.hpp"

namespace containerizer::images {
namespace {

constexpr double kTouchSeconds = 60;

/// "file:///images/app.tar#name:tag" -> path and name.
struct FileName {
  std::string path, image;
};

Result<FileName> parse_file_name(const std::string& name) {
  FileName out;
  std::string rest = name.substr(7);
  if (rest.starts_with("localhost/")) rest = rest.substr(9);
  if (const size_t hash = rest.find('#'); hash != std::string::npos) {
    out.image = rest.substr(hash + 1);
    rest = rest.substr(0, hash);
  }
  if (rest.empty() || rest[0] != '/')
    return base::invalid("'" + base::valid_utf8(name) + "' has no absolute path");
  for (const auto part : base::tokenize(rest, '/')) {
    if (part == "..") return base::invalid("'" + base::valid_utf8(name) + "' contains '..'");
    if (part != ".") out.path += "/" + std::string(part);
  }
  return out;
}

/// Where an image comes from, and the name that it is kept under.
struct Place {
  std::string name{};
  Reference reference{};                     // of a registry's
  std::string root{}, path{}, image{};       // of an archive: a directory, a file below it, which of those in it
};

Result<Place> locate(const std::string& wanted, const ImageOptions& options) {
  Place place;
  if (wanted.starts_with("file://")) {
    ASSIGN_OR_RETURN(const auto parsed, parse_file_name(wanted));
    for (const auto& directory : options.archive_directories)
      if (parsed.path.starts_with(directory + "/")) place.root = directory;
    if (place.root.empty())
      return base::forbidden("image '" + base::valid_utf8(wanted) +
                             "': archives may be in the directories of --docker_archive_directories only" +
                             (options.archive_directories.empty() ? ", and none is given" : ""));
    place.path = parsed.path.substr(place.root.size() + 1);
    place.image = parsed.image;
    place.name = "file://" + parsed.path + (place.image.empty() ? "" : "#" + place.image);
    return place;
  }
  ASSIGN_OR_RETURN(place.reference, parse_reference(wanted));
  place.name = canonical_name(place.reference, options.registries);
  if (options.archives.empty()) return place;
  if (!place.reference.digest.empty())
    return base::invalid("image '" + wanted + "': archives are found by tag, not by digest");
  place.root = options.archives;
  place.image = place.reference.render();
  place.path = place.image + ".tar";
  place.name = "file://" + place.root + "/" + place.path;
  return place;
}

}  // namespace

Images::Impl::Impl(base::Loop& l, base::Pool& p, ImageOptions o)
    : loop(l), pool(p), options(std::move(o)) {
  base::http::ClientOptions checked;
  checked.max_connections_per_host = 16;
  base::http::ClientOptions unchecked = checked;
  unchecked.verify_tls = false;
  secure = std::make_unique<base::http::Client>(loop, checked);
  insecure = std::make_unique<base::http::Client>(loop, unchecked);
}

// --- layers ---

void Images::Impl::want_layer(Pull* pull, const std::string& diff_id, LayerStart start,
                              std::function<void(Status)> done) {
  if (content.layers.contains(diff_id)) return loop.post([done] { done({}); });
  auto [task, fresh] = tasks.try_emplace(diff_id);
  task->second.waiters.push_back({pull, std::move(start), std::move(done)});
  if (!fresh) return;
  queue.push_back(diff_id);
  start_layers();
}

void Images::Impl::start_layers() {
  while (running < options.max_parallel_layers && !queue.empty() && !collecting) {
    const std::string diff_id = queue.front();
    queue.pop_front();
    const auto task = tasks.find(diff_id);
    if (task == tasks.end() || task->second.cancel) continue;
    ++running;
    task->second.cancel = [] {};
    auto cancel = task->second.waiters.front().start(
        [weak = weak_from_this(), diff_id](Result<LayerRecord> record) {
          if (const auto self = weak.lock()) self->layer_ended(diff_id, std::move(record));
        });
    if (const auto still = tasks.find(diff_id); still != tasks.end())
      still->second.cancel = std::move(cancel);
  }
}

void Images::Impl::layer_ended(const std::string& diff_id, Result<LayerRecord> record) {
  const auto found = tasks.find(diff_id);
  if (found == tasks.end() || stopped) return;
  --running;
  if (record) {
    content.layers[diff_id] = *record;
    auto task = std::move(found->second);
    tasks.erase(found);
    for (auto& waiter : task.waiters) waiter.done({});
  } else {
    // One pull's login or registry may fail where another's does not.
    auto waiter = std::move(found->second.waiters.front());
    found->second.waiters.pop_front();
    found->second.cancel = nullptr;
    if (found->second.waiters.empty())
      tasks.erase(found);
    else
      queue.push_back(diff_id);
    waiter.done(record.error());
  }
  start_layers();
}

void Images::Impl::leave_layers(Pull* pull) {
  for (auto task = tasks.begin(); task != tasks.end();) {
    auto& waiters = task->second.waiters;
    const bool leads = task->second.cancel && !waiters.empty() && waiters.front().pull == pull;
    std::erase_if(waiters, [pull](const auto& waiter) { return waiter.pull == pull; });
    if (leads) {
      std::exchange(task->second.cancel, nullptr)();
      --running;
      if (!waiters.empty()) queue.push_back(task->first);
    }
    task = waiters.empty() ? tasks.erase(task) : std::next(task);
  }
  if (!stopped)
    loop.post([self = shared_from_this()] {
      if (!self->stopped) self->start_layers();
    });
}

// --- images ---

const ImageRecord* Images::Impl::find(const std::string& name) const {
  const auto id = names.find(name);
  if (id == names.end()) return nullptr;
  const auto record = content.images.find(id->second);
  return record == content.images.end() ? nullptr : &record->second;
}

Result<ImagePtr> Images::Impl::make_image(const ImageRecord& record) const {
  auto image = std::make_shared<Image>();
  image->id = record.id;
  ASSIGN_OR_RETURN(image->config, decode_config(record.config));
  for (const auto& layer : record.layers) image->layers.push_back(store->layer_path(layer));
  return ImagePtr(image);
}

void Images::Impl::touch(ImageRecord& record) {
  const double now = loop.now().time.seconds();
  const bool old = now - record.last_used > kTouchSeconds;
  record.last_used = now;
  if (old) (void)pool.run([kept = store, record] { (void)kept->save_image(record); }, [] {});
}

Result<ImagePtr> Images::Impl::take(const std::string& holder, const std::string& id) {
  const auto record = content.images.find(id);
  if (record == content.images.end())
    return base::not_found("the image " + id + " is not in the store");
  ASSIGN_OR_RETURN(ImagePtr image, make_image(record->second));
  if (!holder.empty()) holders[holder] = id;
  touch(record->second);
  return image;
}

void Images::Impl::add(ImageRecord record, const std::string& name,
                       std::function<void(Result<std::string>)> done) {
  if (collecting) {
    after_collection.push_back([this, record, name, done] { add(record, name, done); });
    return;
  }
  const double now = loop.now().time.seconds();
  if (record.pulled == 0) record.pulled = now;
  record.last_used = now;
  std::vector<ImageRecord> changed;
  // The name led to another image before: a tag that moved.
  if (const auto before = names.find(name); before != names.end() && before->second != record.id)
    if (const auto other = content.images.find(before->second); other != content.images.end()) {
      std::erase(other->second.names, name);
      changed.push_back(other->second);
    }
  if (std::find(record.names.begin(), record.names.end(), name) == record.names.end())
    record.names.push_back(name);
  changed.insert(changed.begin(), record);
  const bool taken = pool.run_for(
      [kept = store, changed]() -> Status {
        for (const auto& one : changed) RETURN_IF_ERROR(kept->save_image(one));
        return {};
      },
      [self = shared_from_this(), record, name, done](Status status) {
        if (self->stopped) return;
        if (!status) return done(status.error());
        self->names[name] = record.id;
        self->content.images[record.id] = record;
        // Now it is usable; that it also survives a power failure is seen to without anybody
        // waiting.
        (void)self->pool.run(
            [kept = self->store, layers = record.layers] {
              if (Status durable = kept->make_durable(layers); !durable)
                LOG_WARNING("{}", durable.error().message);
            },
            [] {});
        done(record.id);
      });
  if (!taken) loop.post([done] { done(base::unavailable("too much work waits on this agent")); });
}

void Images::Impl::finish(const std::shared_ptr<Pull>& pull, Result<std::string> id) {
  pulls.erase(pull->key());
  ++(id ? counted.pulled : counted.failed);
  for (auto& waiter : std::exchange(pull->waiters, {})) {
    if (!id) {
      waiter.done(id.error().with_context("image '" + pull->name() + "'"));
      continue;
    }
    waiter.done(take(waiter.holder, *id));
  }
}

// --- collection ---

void Images::Impl::collect(bool all, const std::set<std::string>& kept, std::function<void()> done) {
  if (collecting) {
    after_collection.push_back([this, all, kept, done] { collect(all, kept, done); });
    return;
  }
  collecting = true;
  struct Disk {
    double used = 0;
    uint64_t total = 0;
  };
  const bool taken = pool.run_for(
      [on_disk = store] {
        struct statvfs info {};
        statvfs(on_disk->directory().c_str(), &info);
        return Disk{on_disk->used_fraction(), static_cast<uint64_t>(info.f_blocks) * info.f_frsize};
      },
      [self = shared_from_this(), all, kept, done](Disk disk) {
        if (self->stopped) return;
        CollectionPolicy policy = self->options.collection;
        if (all) policy.max_age = base::Duration(-1);
        policy.excluded.insert(kept.begin(), kept.end());
        const double over = disk.used - (1 - policy.disk_headroom);
        std::set<std::string> in_use, pinned;
        for (const auto& [holder, id] : self->holders) in_use.insert(id);
        for (const auto& [key, pull] : self->pulls)
          pinned.insert(pull->pinned().begin(), pull->pinned().end());
        for (const auto& [diff_id, task] : self->tasks) pinned.insert(diff_id);
        const auto plan = plan_collection(
            self->content, in_use, pinned, policy, self->loop.now().time.seconds(),
            over > 0 ? static_cast<uint64_t>(over * static_cast<double>(disk.total)) : 0);
        for (const auto& id : plan.images) {
          LOG_INFO("Removing the image {} ({})", id,
                   base::join(self->content.images[id].names, ", "));
          self->content.images.erase(id);
          std::erase_if(self->names, [&id](const auto& entry) { return entry.second == id; });
        }
        for (const auto& layer : plan.layers) self->content.layers.erase(layer);
        (void)self->pool.run(
            [on_disk = self->store, plan] {
              // Records first: a layer without image is rubbish, an image without layer would be a
              // lie.
              for (const auto& id : plan.images)
                if (Status gone = on_disk->remove_image(id); !gone)
                  LOG_WARNING("{}", gone.error().message);
              for (const auto& layer : plan.layers)
                if (Status gone = on_disk->discard_layer(layer); !gone)
                  LOG_WARNING("{}", gone.error().message);
            },
            [self, done] {
              if (self->stopped) return;
              self->collecting = false;
              (void)self->pool.run(
                  [on_disk = self->store] {
                    if (Status gone = on_disk->empty_trash(); !gone)
                      LOG_WARNING("{}", gone.error().message);
                  },
                  [] {});
              for (auto& waiting : std::exchange(self->after_collection, {})) waiting();
              self->start_layers();
              if (done) done();
            });
      });
  if (taken) return;
  collecting = false;
  if (done) loop.post(done);
}

void Images::Impl::schedule_collection() {
  if (!options.collection.enabled || collection_timer != 0) return;
  collection_timer = loop.every(options.collection.interval, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->collect(false, {}, nullptr);
  });
}

// --- the interface ---

Images::Images(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Images::~Images() {
  impl_->stopped = true;
  impl_->loop.cancel(impl_->collection_timer);
  for (auto& [key, pull] : std::exchange(impl_->pulls, {})) {
    pull->waiters.clear();
    pull->cancel();
  }
  impl_->tasks.clear();
  impl_->secure.reset();
  impl_->insecure.reset();
  impl_->store->unlock();
}

Result<std::unique_ptr<Images>> Images::open(base::Loop& loop, base::Pool& pool,
                                             ImageOptions options) {
  std::set<std::string> excluded;
  for (const auto& name : options.collection.excluded) {
    ASSIGN_OR_RETURN(const Place place, locate(name, options));
    excluded.insert(place.name);
  }
  options.collection.excluded = std::move(excluded);
  auto impl = std::make_shared<Impl>(loop, pool, std::move(options));
  ASSIGN_OR_RETURN(auto store, Store::open(impl->options.directory, impl->content));
  impl->store = std::move(store);
  std::map<std::string, double> pulled;  // of two records that claim a name, the younger is right
  for (const auto& [id, record] : impl->content.images)
    for (const auto& name : record.names)
      if (const auto at = pulled.find(name); at == pulled.end() || at->second < record.pulled) {
        pulled[name] = record.pulled;
        impl->names[name] = id;
      }
  (void)pool.run([kept = impl->store] { (void)kept->empty_trash(); }, [] {});
  return std::unique_ptr<Images>(new Images(std::move(impl)));
}

void Images::pull(PullRequest request, std::function<void(Result<ImagePtr>)> done) {
  Impl& self = *impl_;
  const auto refuse = [&self, &done](Error error) {
    self.loop.post([done, error = std::move(error)] { done(error); });
  };
  auto place = locate(request.name, self.options);
  if (!place) return refuse(place.error());
  const std::string& name = place->name;
  if (!request.force)
    if (const auto* known = self.find(name)) {
      ++self.counted.cached;
      auto taken = self.take(request.holder, known->id);
      return self.loop.post([done, taken] { done(taken); });
    }
  Credentials credentials = self.options.credentials;
  if (!request.credentials.empty()) {
    const auto own = Credentials::parse(request.credentials);
    if (!own) return refuse(own.error().with_context("image '" + name + "'"));
    credentials.merge(*own);
  }
  const std::string key = name + "\n" + credentials.fingerprint();
  auto& pull = self.pulls[key];
  const bool fresh = pull == nullptr;
  if (fresh) pull = std::make_shared<Pull>(self, key, name);
  pull->waiters.push_back({request.holder, std::move(done)});
  if (!fresh) return;
  const auto begun = pull;
  if (place->root.empty())
    begun->from_registry(std::move(place->reference), credentials);
  else
    begun->from_archive(place->path, place->root, place->image);
}

void Images::cancel(const std::string& holder) {
  for (const auto& [key, pull] : impl_->pulls) {
    const auto found =
        std::find_if(pull->waiters.begin(), pull->waiters.end(),
                     [&holder](const auto& waiter) { return waiter.holder == holder; });
    if (found == pull->waiters.end()) continue;
    impl_->loop.post([done = std::move(found->done)] {
      done(Error{base::Code::Cancelled, "nobody wants the image any more"});
    });
    pull->waiters.erase(found);
    if (!pull->waiters.empty()) return;
    const auto kept = pull;
    kept->cancel();
    impl_->pulls.erase(kept->key());
    return;
  }
}

Result<ImagePtr> Images::hold(const std::string& holder, const std::string& id) {
  return impl_->take(holder, id);
}

void Images::release(const std::string& holder) {
  const auto found = impl_->holders.find(holder);
  if (found == impl_->holders.end()) return;
  if (const auto record = impl_->content.images.find(found->second);
      record != impl_->content.images.end())
    impl_->touch(record->second);
  impl_->holders.erase(found);
}

void Images::start_collection() {
  impl_->schedule_collection();
}

void Images::collect(bool all, std::function<void()> done) {
  impl_->collect(all, {}, std::move(done));
}

Status Images::prune(const std::vector<std::string>& kept, std::function<void()> done) {
  std::set<std::string> names;
  for (const auto& name : kept) {
    const auto place = locate(name, impl_->options);
    if (!place) return place.error().with_context("'" + base::valid_utf8(name) + "'");
    names.insert(place->name);
  }
  impl_->collect(true, names, std::move(done));
  return {};
}

std::optional<PullProgress> Images::progress(const std::string& holder) const {
  for (const auto& [key, pull] : impl_->pulls)
    for (const auto& waiter : pull->waiters)
      if (waiter.holder == holder) return pull->progress();
  return std::nullopt;
}

ImageCounts Images::counts() const {
  ImageCounts out = impl_->counted;
  out.images = impl_->content.images.size();
  out.layers = impl_->content.layers.size();
  return out;
}

}  // namespace containerizer::images
