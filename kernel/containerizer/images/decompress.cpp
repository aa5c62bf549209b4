#include "kernel/containerizer/images/decompress.hpp"

#include <zlib.h>
#include <zstd.h>

#include <vector>

namespace containerizer::images {
namespace {

constexpr size_t kOutput = 256 << 10;
constexpr int kMaxWindowLog = 27;  // 128 MiB: what zstd -19 needs, and no more memory than that

Error damaged(const char* format, const char* why) {
  return Error{base::Code::Corrupt, std::string("the ") + format + " stream is damaged: " + why};
}

}  // namespace

struct Decompressor::Impl {
  enum class Format { Unknown, Plain, Gzip, Zstd };

  Output output;
  Format format = Format::Unknown;
  std::string begin;
  std::vector<char> out = std::vector<char>(kOutput);
  z_stream gzip{};
  bool gzip_open = false, between = true;  // between: at the border of two members or frames
  ZSTD_DStream* zstd = nullptr;

  ~Impl() {
    if (gzip_open) inflateEnd(&gzip);
    ZSTD_freeDStream(zstd);
  }

  Status choose() {
    const auto starts = [this](std::string_view magic) { return begin.starts_with(magic); };
    if (starts(std::string_view("\x1f\x8b", 2))) {
      format = Format::Gzip;
      if (inflateInit2(&gzip, 15 + 16) != Z_OK) return base::internal("zlib cannot start");
      gzip_open = true;
    } else if (starts("\x28\xb5\x2f\xfd") ||
               (begin.size() >= 4 && begin.compare(1, 3, "\x2a\x4d\x18") == 0 &&
                (begin[0] & 0xf0) == 0x50)) {
      format = Format::Zstd;
      zstd = ZSTD_createDStream();
      if (zstd == nullptr) return base::internal("zstd cannot start");
      ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, kMaxWindowLog);
    } else {
      format = Format::Plain;
    }
    return {};
  }

  Status inflate_piece(std::string_view bytes) {
    gzip.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    gzip.avail_in = static_cast<uInt>(bytes.size());
    while (gzip.avail_in > 0) {
      if (between) {
        // Zeros after the last member are padding.
        while (gzip.avail_in > 0 && *gzip.next_in == 0 && gzip.total_in > 0)
          ++gzip.next_in, --gzip.avail_in;
        if (gzip.avail_in == 0) return {};
      }
      between = false;
      gzip.next_out = reinterpret_cast<Bytef*>(out.data());
      gzip.avail_out = static_cast<uInt>(out.size());
      const int code = inflate(&gzip, Z_NO_FLUSH);
      if (code != Z_OK && code != Z_STREAM_END && code != Z_BUF_ERROR)
        return damaged("gzip", gzip.msg != nullptr ? gzip.msg : "no valid data");
      const size_t made = out.size() - gzip.avail_out;
      if (made > 0) RETURN_IF_ERROR(output(std::string_view(out.data(), made)));
      if (code == Z_STREAM_END) {
        between = true;
        // More members may follow; total_in stays positive to tell padding from a new start.
        const auto left = gzip.avail_in;
        auto* next = gzip.next_in;
        inflateReset(&gzip);
        gzip.total_in = 1;
        gzip.next_in = next;
        gzip.avail_in = left;
      }
      if (code == Z_BUF_ERROR && made == 0 && gzip.avail_in > 0)
        return damaged("gzip", "no progress");
    }
    // What fits no more into the output buffer is still inside.
    while (!between && gzip.avail_out == 0) {
      gzip.next_out = reinterpret_cast<Bytef*>(out.data());
      gzip.avail_out = static_cast<uInt>(out.size());
      const int code = inflate(&gzip, Z_NO_FLUSH);
      const size_t made = out.size() - gzip.avail_out;
      if (made > 0) RETURN_IF_ERROR(output(std::string_view(out.data(), made)));
      if (code == Z_STREAM_END) {
        between = true;
        inflateReset(&gzip);
        gzip.total_in = 1;
      } else if (code != Z_OK && code != Z_BUF_ERROR) {
        return damaged("gzip", gzip.msg != nullptr ? gzip.msg : "no valid data");
      }
    }
    return {};
  }

  Status zstd_piece(std::string_view bytes) {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      ZSTD_outBuffer made{out.data(), out.size(), 0};
      const size_t before = in.pos;
      const size_t left = ZSTD_decompressStream(zstd, &made, &in);
      if (ZSTD_isError(left)) return damaged("zstd", ZSTD_getErrorName(left));
      between = left == 0;
      if (made.pos > 0) RETURN_IF_ERROR(output(std::string_view(out.data(), made.pos)));
      if (in.pos == in.size && made.pos < made.size) return {};
      if (in.pos == before && made.pos == 0) return damaged("zstd", "no progress");
    }
  }

  Status run(std::string_view bytes) {
    if (bytes.empty()) return {};
    switch (format) {
      case Format::Gzip:
        return inflate_piece(bytes);
      case Format::Zstd:
        return zstd_piece(bytes);
      default:
        return output(bytes);
    }
  }
};

Decompressor::Decompressor(Output output) : impl_(std::make_unique<Impl>()) {
  impl_->output = std::move(output);
}
Decompressor::~Decompressor() = default;

Status Decompressor::feed(std::string_view bytes) {
  if (impl_->format != Impl::Format::Unknown) return impl_->run(bytes);
  impl_->begin.append(bytes);
  if (impl_->begin.size() < 4) return {};
  RETURN_IF_ERROR(impl_->choose());
  const std::string begin = std::exchange(impl_->begin, {});
  return impl_->run(begin);
}

Status Decompressor::finish() {
  if (impl_->format == Impl::Format::Unknown) {
    RETURN_IF_ERROR(impl_->choose());
    const std::string begin = std::exchange(impl_->begin, {});
    RETURN_IF_ERROR(impl_->run(begin));
  }
  const bool packed = impl_->format == Impl::Format::Gzip || impl_->format == Impl::Format::Zstd;
  if (packed && !impl_->between)
    return damaged(impl_->format == Impl::Format::Gzip ? "gzip" : "zstd", "it is cut off");
  return {};
}

}  // namespace containerizer::images
