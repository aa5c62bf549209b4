#include "kernel/containerizer/images/archive.hpp"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>
#include <vector>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/images/digest.hpp"
#include "kernel/containerizer/images/reference.hpp"
#include "kernel/containerizer/images/tar.hpp"

namespace containerizer::images {
namespace {

constexpr uint64_t kMaxText = 8 << 20;
constexpr size_t kMaxMembers = 100'000;
constexpr size_t kChunk = 1 << 20;

std::string clean(std::string_view path) {
  std::vector<std::string> parts;
  for (const auto part : base::tokenize(path, '/'))
    if (part != ".") parts.emplace_back(part);
  return base::join(parts, "/");
}

/// Notes where members are; their data are skipped, not read.
class Lister final : public TarSink {
 public:
  Status on_entry(const TarEntry& entry) override {
    entry_ = entry;
    ++entries;
    return {};
  }
  Status on_data(std::string_view) override { return {}; }
  Status on_entry_end() override { return {}; }
  std::optional<TarEntry> take() { return std::exchange(entry_, std::nullopt); }
  size_t entries = 0;

 private:
  std::optional<TarEntry> entry_{};
};

std::string blob_member(const std::string& digest) {
  return "blobs/" + std::string(algorithm_of(digest)) + "/" + digest.substr(digest.find(':') + 1);
}

bool same_image(const std::string& tag, const std::string& name) {
  const auto a = parse_reference(tag), b = parse_reference(name);
  if (!a || !b) return tag == name;
  return a->repository == b->repository && a->tag == b->tag &&
         (a->registry == b->registry || a->registry.empty() || b->registry.empty());
}

std::optional<boost::json::value> find_annotated(const boost::json::value& index,
                                                 const std::string& name) {
  const auto* entries = base::json::find(index, "/manifests");
  if (name.empty() || entries == nullptr || !entries->is_array()) return std::nullopt;
  const std::string tag =
      name.substr(name.rfind(':') == std::string::npos ? 0 : name.rfind(':') + 1);
  for (const auto& entry : entries->as_array()) {
    const auto* annotations = base::json::find(entry, "/annotations");
    if (annotations == nullptr || !annotations->is_object()) continue;
    for (const char* key : {"io.containerd.image.name", "org.opencontainers.image.ref.name"}) {
      const auto* value = annotations->as_object().if_contains(key);
      if (value == nullptr || !value->is_string()) continue;
      const std::string given(value->as_string());
      if (given == name || given == tag || same_image(given, name)) return entry;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<Archive>> Archive::open(base::Fd file) {
  struct stat info;
  if (fstat(file.get(), &info) != 0) return base::errno_error("the archive", errno);
  if (!S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode))
    return base::invalid("the archive is neither a file nor a directory");
  std::unique_ptr<Archive> archive(new Archive(std::move(file)));
  archive->directory_ = S_ISDIR(info.st_mode);
  if (!archive->directory_) RETURN_IF_ERROR(archive->read_index());
  return archive;
}

Status Archive::read_index() {
  Lister lister;
  std::map<std::string, std::string> links;
  TarReader reader(lister);
  uint64_t offset = 0;
  char block[512];
  for (;;) {
    const ssize_t length = pread(file_.get(), block, sizeof block, static_cast<off_t>(offset));
    if (length < 0) return base::errno_error("reading the archive", errno);
    if (length == 0) break;
    if (offset == 0 && length >= 4 &&
        (std::string_view(block, 2) == "\x1f\x8b" ||
         std::string_view(block, 4) == "\x28\xb5\x2f\xfd"))
      return base::unsupported(
          "the archive is compressed as a whole; give it as a plain tar file (its layers may be "
          "compressed)");
    offset += static_cast<uint64_t>(length);
    RETURN_IF_ERROR(reader.feed(std::string_view(block, static_cast<size_t>(length))));
    const auto entry = lister.take();
    if (!entry) continue;
    if (lister.entries > kMaxMembers)
      return base::invalid("the archive has more than 100000 members");
    const std::string name = clean(entry->path);
    if (entry->type == TarEntry::Type::File) members_[name] = Member{offset, entry->size};
    if (entry->type == TarEntry::Type::SymbolicLink) {
      // Old versions of `docker save` link equal layers to each other: "../<id>/layer.tar".
      std::vector<std::string> parts;
      const auto slash = name.rfind('/');
      const std::string_view folder = std::string_view(name).substr(0, slash == std::string::npos ? 0 : slash);
      for (const auto part : base::tokenize(folder, '/'))
        parts.emplace_back(part);
      for (const auto part : base::tokenize(entry->link, '/')) {
        if (part == "..") {
          if (!parts.empty()) parts.pop_back();
        } else if (part != ".") {
          parts.emplace_back(part);
        }
      }
      links[name] = base::join(parts, "/");
    }
    if (entry->type == TarEntry::Type::HardLink) links[name] = clean(entry->link);
    if (entry->size == 0) continue;
    // The reader is told of the data in one stroke of zeros per piece, without reading the file.
    static const std::string zeros(kChunk, '\0');
    uint64_t left = entry->size + (512 - entry->size % 512) % 512;
    struct stat info;
    if (fstat(file_.get(), &info) == 0 &&
        offset + entry->size > static_cast<uint64_t>(info.st_size))
      return Error{base::Code::Corrupt, "the archive is cut off in " + base::valid_utf8(name)};
    offset += left;
    while (left > 0) {
      const size_t piece = static_cast<size_t>(std::min<uint64_t>(left, zeros.size()));
      RETURN_IF_ERROR(reader.feed(std::string_view(zeros).substr(0, piece)));
      left -= piece;
    }
  }
  RETURN_IF_ERROR(reader.finish());
  for (const auto& [name, target] : links)
    if (const auto found = members_.find(target); found != members_.end())
      members_.emplace(name, found->second);
  return {};
}

Result<base::Fd> Archive::open_member(const std::string& member) {
  struct open_how how {};
  how.flags = O_RDONLY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  base::Fd fd(
      static_cast<int>(syscall(SYS_openat2, file_.get(), member.c_str(), &how, sizeof how)));
  if (!fd) return base::errno_error("the archive's member " + base::valid_utf8(member), errno);
  return fd;
}

bool Archive::has(const std::string& member) {
  return directory_ ? open_member(member).has_value() : members_.contains(member);
}

Result<uint64_t> Archive::size_of(const std::string& member) {
  if (directory_) {
    ASSIGN_OR_RETURN(const base::Fd fd, open_member(member));
    struct stat info;
    if (fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))
      return base::invalid("the archive's member " + member + " is no file");
    return static_cast<uint64_t>(info.st_size);
  }
  const auto found = members_.find(member);
  if (found == members_.end())
    return base::not_found("the archive has no member " + base::valid_utf8(member));
  return found->second.size;
}

Result<std::string> Archive::read_text(const std::string& member) {
  ASSIGN_OR_RETURN(const uint64_t size, size_of(member));
  if (size > kMaxText)
    return Error{base::Code::TooLarge, "the archive's member " + member + " is larger than 8 MiB"};
  base::Fd own;
  if (directory_) {
    ASSIGN_OR_RETURN(own, open_member(member));
  }
  const int fd = directory_ ? own.get() : file_.get();
  uint64_t at = directory_ ? 0 : members_.at(member).offset;
  std::string text(static_cast<size_t>(size), '\0');
  for (size_t done = 0; done < text.size();) {
    const ssize_t length =
        pread(fd, text.data() + done, text.size() - done, static_cast<off_t>(at + done));
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) return base::errno_error("reading the archive", length == 0 ? EIO : errno);
    done += static_cast<size_t>(length);
  }
  return text;
}

Result<Archive::Found> Archive::find(const std::string& name, const Platform& platform) {
  // What `docker save` writes today is both; its manifest.json knows the names.
  if (has("manifest.json")) return find_saved(name);
  if (has("index.json")) return find_in_layout(name, platform);
  if (has("repositories"))
    return base::unsupported(
        "the archive was written by a Docker before 1.10; save the image again with a current "
        "tool");
  return base::invalid(
      "the archive has neither a manifest.json (docker save) nor an index.json (OCI image layout)");
}

Result<Archive::Found> Archive::find_saved(const std::string& name) {
  ASSIGN_OR_RETURN(const std::string text, read_text("manifest.json"));
  ASSIGN_OR_RETURN(const boost::json::value value, base::json::parse(text));
  if (!value.is_array() || value.as_array().empty())
    return base::invalid("the archive's manifest.json has no image");
  const boost::json::value* chosen = nullptr;
  std::string offered;
  for (const auto& image : value.as_array()) {
    const auto* tags = base::json::find(image, "/RepoTags");
    if (tags == nullptr || !tags->is_array()) continue;
    for (const auto& tag : tags->as_array()) {
      if (!tag.is_string()) continue;
      offered += (offered.empty() ? "" : ", ") + std::string(tag.as_string());
      if (!name.empty() && same_image(std::string(tag.as_string()), name)) chosen = &image;
    }
  }
  if (chosen == nullptr && value.as_array().size() == 1) chosen = &value.as_array().front();
  if (chosen == nullptr)
    return base::not_found("the archive has no image " + name + "; it has " +
                           base::valid_utf8(offered.substr(0, 300)));
  Found out;
  ASSIGN_OR_RETURN(const std::string config, base::json::get_string(*chosen, "/Config"));
  ASSIGN_OR_RETURN(out.config, read_text(clean(config)));
  out.id = sha256_of(out.config);
  const auto* layers = base::json::find(*chosen, "/Layers");
  if (layers == nullptr || !layers->is_array())
    return base::invalid("the archive's manifest.json has no Layers");
  for (const auto& layer : layers->as_array()) {
    if (!layer.is_string() || out.members.size() >= 256)
      return base::invalid("the archive's manifest.json has bad Layers");
    out.members.push_back(clean(layer.as_string()));
    out.digests.emplace_back();
  }
  return out;
}

Result<Archive::Found> Archive::find_in_layout(const std::string& name, const Platform& platform) {
  ASSIGN_OR_RETURN(std::string text, read_text("index.json"));
  ASSIGN_OR_RETURN(boost::json::value index, base::json::parse(text));
  // An entry that is annotated with the name is meant; otherwise the platform decides.
  if (auto named = find_annotated(index, name)) {
    named->as_object().erase("platform");
    text = base::json::render(boost::json::object{
        {"schemaVersion", 2}, {"manifests", boost::json::array{std::move(*named)}}});
  }
  std::string media_type = "application/vnd.oci.image.index.v1+json";
  for (int depth = 0; depth < 4; ++depth) {
    auto manifest = decode_manifest(text, media_type, platform);
    if (!manifest) return manifest.error();
    if (!manifest->elsewhere) {
      Found out;
      out.id = sha256_of(text);
      ASSIGN_OR_RETURN(out.config, read_text(blob_member(manifest->config.digest)));
      RETURN_IF_ERROR(verify_digest(out.config, manifest->config.digest));
      for (const auto& layer : manifest->layers) {
        out.members.push_back(blob_member(layer.digest));
        out.digests.push_back(layer.digest);
      }
      return out;
    }
    ASSIGN_OR_RETURN(text, read_text(blob_member(manifest->elsewhere->digest)));
    RETURN_IF_ERROR(verify_digest(text, manifest->elsewhere->digest));
    media_type = manifest->elsewhere->media_type;
  }
  return base::invalid("the archive's index leads from index to index");
}

Status Archive::read_layer(const std::string& member, LayerWriter& writer,
                           const std::function<bool()>& cancelled) {
  base::Fd own;
  uint64_t offset = 0;
  ASSIGN_OR_RETURN(uint64_t left, size_of(member));
  if (directory_) {
    ASSIGN_OR_RETURN(own, open_member(member));
  } else {
    offset = members_.at(member).offset;
  }
  std::vector<char> buffer(kChunk);
  while (left > 0) {
    if (cancelled()) return Error{base::Code::Cancelled, "nobody wants the image any more"};
    const ssize_t length = pread(directory_ ? own.get() : file_.get(), buffer.data(),
                                 static_cast<size_t>(std::min<uint64_t>(left, buffer.size())),
                                 static_cast<off_t>(offset));
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) return base::errno_error("reading the archive", length == 0 ? EIO : errno);
    RETURN_IF_ERROR(writer.write(std::string_view(buffer.data(), static_cast<size_t>(length))));
    offset += static_cast<uint64_t>(length);
    left -= static_cast<uint64_t>(length);
  }
  return {};
}

}  // namespace containerizer::images
