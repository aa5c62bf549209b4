#pragma once

// Makes tar archives and layers for tests, hostile ones too.

#include <string>
#include <string_view>

namespace containerizer::images::testing {

class TarWriter {
 public:
  TarWriter& file(const std::string& name, std::string_view content, int mode = 0644, int uid = 0,
                  int gid = 0);
  TarWriter& directory(const std::string& name, int mode = 0755);
  TarWriter& symlink(const std::string& name, const std::string& target);
  TarWriter& hard_link(const std::string& name, const std::string& target);
  TarWriter& device(const std::string& name, char kind = '3');
  TarWriter& pax(const std::string& key, const std::string& value);  // for the next entry

  /// A header alone: `size` may lie.
  TarWriter& header(const std::string& name, char kind, uint64_t size, int mode = 0644,
                    const std::string& link = "", int uid = 0, int gid = 0);
  TarWriter& raw(std::string_view bytes);

  std::string finish() const { return bytes_ + std::string(1024, '\0'); }
  const std::string& unfinished() const { return bytes_; }

 private:
  std::string bytes_;
};

std::string gzip(std::string_view bytes);
std::string zstd(std::string_view bytes);

}  // namespace containerizer::images::testing
