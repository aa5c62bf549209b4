// The life of one pull: manifest, configuration, missing layers, record.

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "base/log.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/images/archive.hpp"
#include "kernel/containerizer/images/digest.hpp"
#include "kernel/containerizer/images/images_impl.hpp"
#include "kernel/containerizer/images/layer_job.hpp"

namespace containerizer::images {
namespace {

constexpr size_t kMaxManifest = 4 << 20;
constexpr size_t kMaxConfig = 8 << 20;

}  // namespace

void Pull::from_registry(Reference reference, const Credentials& credentials) {
  reference_ = std::move(reference);
  credentials_ = credentials;
  endpoints_ = plan_endpoints(reference_, owner_.options.registries);
  began_ = owner_.loop.now().instant;
  next_endpoint();
}

void Pull::next_endpoint() {
  const Endpoint& endpoint = endpoints_[next_endpoint_++];
  registry_ = std::make_shared<Registry>(
      owner_.loop, owner_.client_for(endpoint), endpoint, credentials_.find(endpoint.registry),
      Registry::Options{.stall_timeout = owner_.options.stall_timeout});
  LOG_INFO("Pulling the image {} from {}", name_, endpoint.url);
  get_manifest(reference_.wanted(), 0);
}

void Pull::get_manifest(const std::string& wanted, int depth) {
  registry_->get("/manifests/" + wanted, kManifestTypes, kMaxManifest,
                 [self = shared_from_this(), wanted, depth](Result<base::http::Response> answer) {
                   if (self->ended_) return;
                   if (!answer) return self->fail_endpoint(answer.error());
                   self->take_manifest(wanted, *answer, depth);
                 });
}

void Pull::take_manifest(const std::string& wanted, const base::http::Response& answer, int depth) {
  if (is_digest(wanted))
    if (Status same = verify_digest(answer.body, wanted); !same)
      return fail_endpoint(same.error().with_context("the manifest"));
  auto manifest =
      decode_manifest(answer.body, answer.headers.get_or("Content-Type", ""), Platform::own());
  if (!manifest) return fail_endpoint(manifest.error());
  if (manifest->elsewhere) {
    if (depth > 2) return fail(base::invalid("the image's index leads from index to index"));
    return get_manifest(manifest->elsewhere->digest, depth + 1);
  }
  manifest_ = std::move(*manifest);
  record_.id =
      is_digest(wanted) && algorithm_of(wanted) == "sha256" ? wanted : sha256_of(answer.body);
  if (const auto known = owner_.content.images.find(record_.id);
      known != owner_.content.images.end()) {
    record_ = known->second;
    layers_left_ = 1;
    return layer_done({});
  }
  get_config();
}

void Pull::get_config() {
  if (manifest_.config.size > kMaxConfig)
    return fail(base::invalid("the image's configuration is larger than 8 MiB"));
  registry_->get(
      "/blobs/" + manifest_.config.digest, "", kMaxConfig,
      [self = shared_from_this()](Result<base::http::Response> answer) {
        if (self->ended_) return;
        if (!answer) return self->fail_endpoint(answer.error());
        if (Status same = verify_digest(answer->body, self->manifest_.config.digest); !same)
          return self->fail_endpoint(same.error().with_context("the image's configuration"));
        self->layer_start_ = [self](size_t index, const std::string& diff_id) -> LayerStart {
          return [self, index, diff_id](LayerDone done) -> std::function<void()> {
            auto job = std::make_shared<LayerJob>(
                self->owner_.loop, self->owner_.pool, self->owner_.store,
                LayerJob::Options{self->owner_.options.stall_timeout, self->owner_.options.limits});
            job->start(self->registry_, self->manifest_.layers[index], diff_id, std::move(done));
            return [job] { job->cancel(); };
          };
        };
        self->take_config(answer->body);
      });
}

void Pull::take_config(const std::string& text) {
  const auto config = decode_config(text);
  if (!config) return fail(config.error());
  if (config->diff_ids.size() != manifest_.layers.size())
    return fail(base::invalid("the image's configuration names " +
                              std::to_string(config->diff_ids.size()) + " layers, its manifest " +
                              std::to_string(manifest_.layers.size())));
  record_.config = text;
  record_.layers = config->diff_ids;
  get_layers();
}

void Pull::get_layers() {
  std::map<std::string, size_t> missing;  // diff id -> index
  for (size_t i = 0; i < record_.layers.size(); ++i) {
    pinned_.insert(record_.layers[i]);
    if (!owner_.content.layers.contains(record_.layers[i]))
      missing.try_emplace(record_.layers[i], i);
  }
  layers_new_ = missing.size();
  layers_left_ = missing.size() + 1;
  // The largest first: then none is left over to be waited for alone at the end.
  std::vector<std::pair<std::string, size_t>> order(missing.begin(), missing.end());
  std::sort(order.begin(), order.end(), [this](const auto& a, const auto& b) {
    return std::pair(manifest_.layers[b.second].size, a.second) <
           std::pair(manifest_.layers[a.second].size, b.second);
  });
  for (const auto& [diff_id, index] : order) {
    bytes_ += manifest_.layers[index].size;
    owner_.want_layer(
        this, diff_id, layer_start_(index, diff_id),
        [self = shared_from_this()](Status status) { self->layer_done(std::move(status)); });
  }
  layer_done({});
}

void Pull::layer_done(Status status) {
  if (ended_) return;
  if (!status && next_endpoint_ < endpoints_.size()) {
    owner_.leave_layers(this);
    return fail_endpoint(status.error());
  }
  if (!status) return fail(status.error());
  if (--layers_left_ > 0) return;
  owner_.add(record_, name_, [self = shared_from_this()](Result<std::string> id) {
    if (self->ended_) return;
    if (!id) return self->fail(id.error());
    self->ended_ = true;
    const double seconds =
        std::chrono::duration<double>(self->owner_.loop.now().instant - self->began_).count();
    LOG_INFO("The image {} is here: {}, {} layers, {} of them new, {} bytes in {:.2f} s",
             self->name_, *id, self->record_.layers.size(), self->layers_new_, self->bytes_,
             seconds);
    self->owner_.counted.bytes += self->bytes_;
    self->registry_.reset();
    self->layer_start_ = nullptr;
    self->owner_.finish(self, std::move(id));
  });
}

/// This place does not have it, or cannot be spoken to: the next one may.
void Pull::fail_endpoint(const Error& error) {
  const std::string& place = endpoints_[next_endpoint_ - 1].url;
  const std::string message =
      error.message.find(place) == std::string::npos ? place + ": " + error.message : error.message;
  messages_ += (messages_.empty() ? "" : "; ") + message;
  registry_->cancel();
  if (next_endpoint_ < endpoints_.size()) return next_endpoint();
  fail(Error{error.code, messages_});
}

void Pull::fail(Error error) {
  if (ended_) return;
  const auto self = shared_from_this();
  cancel();
  LOG_WARNING("The image {} cannot be pulled: {}", name_, error.message);
  owner_.finish(self, std::move(error));
}

void Pull::cancel() {
  ended_ = true;
  owner_.leave_layers(this);
  if (registry_) registry_->cancel();
  registry_.reset();
  layer_start_ = nullptr;
}

// --- archives ---

namespace {

struct ReadArchive {
  std::shared_ptr<Archive> archive;
  Archive::Found found;
};

Result<ReadArchive> read_archive(const std::string& path, const std::string& root,
                                 const std::string& image) {
  // Below the operator's directory, whatever links are in there.
  const base::Fd top(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top) return base::errno_error("the directory of image archives " + root, errno);
  struct open_how how {};
  how.flags = O_RDONLY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  base::Fd file(static_cast<int>(syscall(SYS_openat2, top.get(), path.c_str(), &how, sizeof how)));
  if (!file) return base::errno_error("the image archive " + root + "/" + path, errno);
  ASSIGN_OR_RETURN(auto archive, Archive::open(std::move(file)));
  ASSIGN_OR_RETURN(auto found, archive->find(image, Platform::own()));
  return ReadArchive{std::move(archive), std::move(found)};
}

}  // namespace

void Pull::from_archive(std::string path, std::string root, std::string image) {
  began_ = owner_.loop.now().instant;
  LOG_INFO("Reading the image {} from the archive {}/{}", name_, root, path);
  const bool taken = owner_.pool.run_for(
      [path, root, image] { return read_archive(path, root, image); },
      [self = shared_from_this(), owner = owner_.shared_from_this()](Result<ReadArchive> read) {
        if (self->ended_) return;
        if (!read) return self->fail(read.error());
        self->record_.id = read->found.id;
        if (const auto known = owner->content.images.find(self->record_.id);
            known != owner->content.images.end()) {
          self->record_ = known->second;
          self->layers_left_ = 1;
          return self->layer_done({});
        }
        for (const auto& member : read->found.members) {
          const auto size = read->archive->size_of(member);
          if (!size) return self->fail(size.error());
          self->manifest_.layers.push_back(Descriptor{"", "", *size});
        }
        const std::string config = read->found.config;
        self->layer_start_ = [self, read = std::make_shared<ReadArchive>(std::move(*read))](
                                 size_t index, const std::string& diff_id) -> LayerStart {
          return [self, read, index, diff_id](LayerDone done) -> std::function<void()> {
            auto cancelled = std::make_shared<std::atomic<bool>>(false);
            const double now = self->owner_.loop.now().time.seconds();
            const bool begun = self->owner_.pool.run_for(
                [read, index, diff_id, cancelled, now, store = self->owner_.store,
                 limits = self->owner_.options.limits,
                 size = self->manifest_.layers[index].size]() -> Result<LayerRecord> {
                  ASSIGN_OR_RETURN(const std::string staging, store->make_staging());
                  const auto unpack = [&]() -> Result<LayerRecord> {
                    ASSIGN_OR_RETURN(
                        auto writer,
                        LayerWriter::open(staging + "/fs",
                                          {read->found.digests[index], diff_id, size}, limits));
                    RETURN_IF_ERROR(
                        read->archive->read_layer(read->found.members[index], *writer,
                                                  [cancelled] { return cancelled->load(); }));
                    ASSIGN_OR_RETURN(const UnpackCounts counts, writer->finish());
                    const LayerRecord record{diff_id, counts.bytes, counts.entries, now};
                    RETURN_IF_ERROR(store->commit_layer(staging, record));
                    return record;
                  };
                  auto record = unpack();
                  if (!record) (void)store->discard_staging(staging);
                  return record;
                },
                [cancelled, done](Result<LayerRecord> record) {
                  if (!*cancelled) done(std::move(record));
                });
            if (!begun)
              self->owner_.loop.post(
                  [done] { done(base::unavailable("too much work waits on this agent")); });
            return [cancelled] { *cancelled = true; };
          };
        };
        self->take_config(config);
      });
  if (!taken)
    owner_.loop.post([self = shared_from_this()] {
      self->fail(base::unavailable("too much work waits on this agent"));
    });
}

}  // namespace containerizer::images
