#include "base/http/gzip.hpp"

#include <zlib.h>

#include <algorithm>

#include "base/check.hpp"
#include "base/strings.hpp"

namespace base::http {

namespace {

constexpr int kGzipWindow = 15 + 16;  // the largest window, with gzip's header

}  // namespace

std::string gzip(std::string_view text) {
  z_stream stream{};
  CHECK(::deflateInit2(&stream, 1, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(::deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  CHECK(::deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

Result<std::string> gunzip(std::string_view bytes, size_t max_bytes) {
  z_stream stream{};
  CHECK(::inflateInit2(&stream, kGzipWindow) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::string out;
  int state = Z_OK;
  while (state == Z_OK && out.size() <= max_bytes) {
    size_t have = out.size();
    out.resize(have + std::max<size_t>(4096, std::min<size_t>(have, 1 << 20)));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + have);
    stream.avail_out = static_cast<uInt>(out.size() - have);
    state = ::inflate(&stream, Z_NO_FLUSH);
    out.resize(out.size() - stream.avail_out);
  }
  ::inflateEnd(&stream);
  if (out.size() > max_bytes) return Error{Code::TooLarge, "the unpacked body exceeds the limit"};
  if (state != Z_STREAM_END) return invalid("the body is not gzip");
  return out;
}

bool accepts_gzip(std::string_view accept_encoding) {
  bool any = false;
  for (std::string_view item : split(accept_encoding, ',')) {
    size_t semicolon = item.find(';');
    std::string_view name = trim(item.substr(0, semicolon));
    bool named = iequals(name, "gzip") || iequals(name, "x-gzip");
    if (!named && name != "*") continue;
    bool refused = false;
    if (semicolon != std::string_view::npos) {
      std::string_view quality = trim(item.substr(semicolon + 1));
      refused = quality.starts_with("q=0") && quality.find_first_not_of("0.", 3) == std::string_view::npos;
    }
    if (named) return !refused;
    any = !refused;
  }
  return any;
}

}  // namespace base::http
