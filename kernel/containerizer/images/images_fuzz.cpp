// Fuzz entry points: what comes from registries and archives.

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>

#include "base/check.hpp"
#include "base/file.hpp"
#include "base/testing/temporary_directory.hpp"
#include "kernel/containerizer/images/credentials.hpp"
#include "kernel/containerizer/images/decompress.hpp"
#include "kernel/containerizer/images/manifest.hpp"
#include "kernel/containerizer/images/reference.hpp"
#include "kernel/containerizer/images/unpack.hpp"

using namespace containerizer::images;

int fuzz_image_text(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto reference = parse_reference(text)) {
    const auto again = parse_reference(reference->render());
    CHECK(again && *again == *reference);
    CHECK(!plan_endpoints(*reference, {}).empty());
  }
  (void)decode_manifest(text, "", Platform::own());
  (void)decode_config(text);
  (void)Credentials::parse(text);
  (void)parse_challenge(text);
  return 0;
}

namespace {

/// Data come only between an entry and its end, and never more than it said.
class CheckingSink final : public TarSink {
 public:
  containerizer::Status on_entry(const TarEntry& entry) override {
    CHECK(!open_);
    open_ = true;
    left_ = entry.size;
    return {};
  }
  containerizer::Status on_data(std::string_view piece) override {
    CHECK(open_ && piece.size() <= left_);
    left_ -= piece.size();
    return {};
  }
  containerizer::Status on_entry_end() override {
    CHECK(open_ && left_ == 0);
    open_ = false;
    return {};
  }

 private:
  bool open_ = false;
  uint64_t left_ = 0;
};

}  // namespace

int fuzz_image_tar(const uint8_t* data, size_t size) {
  CheckingSink sink;
  TarReader reader(sink);
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  bool good = true;
  for (size_t i = 0; i < size && good; i += 100)
    good = reader.feed(bytes.substr(i, 100)).has_value();
  if (good) (void)reader.finish();
  return 0;
}

int fuzz_image_layer(const uint8_t* data, size_t size) {
  const base::testing::TemporaryDirectory top;
  const std::string root = top.path() + "/fs";
  CHECK(base::make_directories(root).has_value());
  const base::Fd fd(open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Unpacker unpacker(fd.get(), {.max_bytes = 1 << 20, .max_entries = 1000});
  TarReader reader(unpacker);
  Decompressor decompressor([&reader](std::string_view piece) { return reader.feed(piece); });
  if (decompressor.feed(std::string_view(reinterpret_cast<const char*>(data), size)) &&
      decompressor.finish() && reader.finish())
    (void)unpacker.finish();
  const auto names = base::list_directory(top.path());
  CHECK(names && names->size() == 1);  // nothing came to be beside it
  return 0;
}
