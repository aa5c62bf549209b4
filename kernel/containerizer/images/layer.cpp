#include "kernel/containerizer/images/layer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <optional>

#include "base/file.hpp"
#include "kernel/containerizer/images/decompress.hpp"
#include "kernel/containerizer/images/digest.hpp"

namespace containerizer::images {

struct LayerWriter::Impl {
  Impl(base::Fd directory, LayerWanted what, UnpackLimits limits)
      : root(std::move(directory)),
        wanted(std::move(what)),
        packed(algorithm_of(wanted.digest)),
        unpacked(algorithm_of(wanted.diff_id)),
        unpacker(root.get(), limits),
        reader(unpacker),
        decompressor([this](std::string_view piece) {
          unpacked.update(piece);
          return reader.feed(piece);
        }) {}

  base::Fd root;
  LayerWanted wanted;
  uint64_t received = 0;
  std::optional<Error> damage;
  Digester packed, unpacked;
  Unpacker unpacker;
  TarReader reader;
  Decompressor decompressor;
};

LayerWriter::LayerWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LayerWriter::~LayerWriter() = default;

Result<std::unique_ptr<LayerWriter>> LayerWriter::open(const std::string& directory,
                                                       LayerWanted wanted, UnpackLimits limits) {
  base::Fd root(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!root) return base::errno_error(directory, errno);
  return std::unique_ptr<LayerWriter>(
      new LayerWriter(std::make_unique<Impl>(std::move(root), std::move(wanted), limits)));
}

Status LayerWriter::write(std::string_view bytes) {
  impl_->received += bytes.size();
  if (!impl_->wanted.digest.empty()) {
    if (impl_->received > impl_->wanted.size)
      return Error{base::Code::Corrupt,
                   "layer " + impl_->wanted.digest + " is longer than the manifest says"};
    impl_->packed.update(bytes);
  }
  if (impl_->damage) return {};
  Status status = impl_->decompressor.feed(bytes);
  if (status || status.error().code != base::Code::Corrupt || impl_->wanted.digest.empty())
    return status;
  // Very likely this is not the content that was asked for; the digest of the whole will tell.
  impl_->damage = status.error();
  return {};
}

Result<UnpackCounts> LayerWriter::finish() {
  Impl& self = *impl_;
  if (!self.wanted.digest.empty()) {
    const std::string digest = self.packed.finish();
    if (digest != self.wanted.digest)
      return Error{base::Code::Corrupt, "wrong digest of a layer: " + self.wanted.digest +
                                            " was asked for, " + digest + " came"};
  }
  if (self.damage) return *self.damage;
  RETURN_IF_ERROR(self.decompressor.finish());
  RETURN_IF_ERROR(self.reader.finish());
  const std::string diff_id = self.unpacked.finish();
  if (diff_id != self.wanted.diff_id)
    return Error{base::Code::Corrupt,
                 "wrong digest of an unpacked layer: the image's configuration has " +
                     self.wanted.diff_id + ", the layer is " + diff_id};
  RETURN_IF_ERROR(self.unpacker.finish());
  return self.unpacker.counts();
}

}  // namespace containerizer::images
