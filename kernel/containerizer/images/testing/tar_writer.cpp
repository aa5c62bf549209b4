#include "kernel/containerizer/images/testing/tar_writer.hpp"

#include <zlib.h>
#include <zstd.h>

#include <cstdio>
#include <cstring>

namespace containerizer::images::testing {

TarWriter& TarWriter::header(const std::string& name, char kind, uint64_t size, int mode,
                             const std::string& link, int uid, int gid) {
  if (name.size() > 100) {
    const std::string text = name + '\0';
    header("././@LongLink", 'L', text.size());
    raw(text);
    bytes_.append((512 - text.size() % 512) % 512, '\0');
  }
  char block[512] = {};
  memcpy(block, name.data(), std::min<size_t>(name.size(), 100));
  snprintf(block + 100, 8, "%07o", mode);
  snprintf(block + 108, 8, "%07o", uid);
  snprintf(block + 116, 8, "%07o", gid);
  if (size < (uint64_t{1} << 33)) {
    snprintf(block + 124, 12, "%011llo", static_cast<unsigned long long>(size));
  } else {
    block[124] = static_cast<char>(0x80);
    for (int i = 0; i < 8; ++i) block[135 - i] = static_cast<char>(size >> (8 * i));
  }
  snprintf(block + 136, 12, "%011o", 1'500'000'000);
  block[156] = kind;
  memcpy(block + 157, link.data(), std::min<size_t>(link.size(), 100));
  memcpy(block + 257, "ustar\00000", 8);
  memset(block + 148, ' ', 8);
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  snprintf(block + 148, 8, "%06o", sum);
  bytes_.append(block, sizeof block);
  return *this;
}

TarWriter& TarWriter::raw(std::string_view bytes) {
  bytes_.append(bytes);
  return *this;
}

TarWriter& TarWriter::file(const std::string& name, std::string_view content, int mode, int uid,
                           int gid) {
  header(name, '0', content.size(), mode, "", uid, gid);
  bytes_.append(content);
  bytes_.append((512 - content.size() % 512) % 512, '\0');
  return *this;
}

TarWriter& TarWriter::directory(const std::string& name, int mode) {
  return header(name + "/", '5', 0, mode);
}
TarWriter& TarWriter::symlink(const std::string& name, const std::string& target) {
  return header(name, '2', 0, 0777, target);
}
TarWriter& TarWriter::hard_link(const std::string& name, const std::string& target) {
  return header(name, '1', 0, 0644, target);
}
TarWriter& TarWriter::device(const std::string& name, char kind) {
  return header(name, kind, 0, 0666);
}

TarWriter& TarWriter::pax(const std::string& key, const std::string& value) {
  const std::string body = " " + key + "=" + value + "\n";
  size_t length = body.size() + 1;
  while (std::to_string(length).size() + body.size() != length) ++length;
  const std::string record = std::to_string(length) + body;
  header("pax", 'x', record.size());
  bytes_.append(record);
  bytes_.append((512 - record.size() % 512) % 512, '\0');
  return *this;
}

std::string gzip(std::string_view bytes) {
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

}  // namespace containerizer::images::testing
