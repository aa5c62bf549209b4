// Layers to files: what comes out, and what a hostile archive cannot do.

#include "kernel/containerizer/images/unpack.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/testing/temporary_directory.hpp"
#include "kernel/containerizer/images/decompress.hpp"
#include "kernel/containerizer/images/digest.hpp"
#include "kernel/containerizer/images/layer.hpp"
#include "kernel/containerizer/images/testing/tar_writer.hpp"

namespace containerizer::images {
namespace {

using testing::TarWriter;

class Unpacking : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "owners and overlayfs attributes need root";
    ASSERT_TRUE(base::make_directories(root()));
  }

  std::string root() const { return top_.path() + "/outer/fs"; }
  std::string at(const std::string& name) const { return root() + "/" + name; }

  Status unpack(const std::string& tar, UnpackLimits limits = {}, size_t piece = 777) {
    const base::Fd fd(open(root().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    Unpacker unpacker(fd.get(), limits);
    TarReader reader(unpacker);
    for (size_t i = 0; i < tar.size(); i += piece)
      RETURN_IF_ERROR(reader.feed(std::string_view(tar).substr(i, piece)));
    RETURN_IF_ERROR(reader.finish());
    RETURN_IF_ERROR(unpacker.finish());
    counts_ = unpacker.counts();
    return {};
  }

  struct stat info(const std::string& name) {
    struct stat out {};
    EXPECT_EQ(lstat(at(name).c_str(), &out), 0) << name;
    return out;
  }

  bool is_whiteout(const std::string& name) {
    struct stat out {};
    return lstat(at(name).c_str(), &out) == 0 && S_ISCHR(out.st_mode) && out.st_rdev == 0;
  }

  bool is_opaque(const std::string& name) {
    char value[8];
    return lgetxattr(at(name).c_str(), "trusted.overlay.opaque", value, sizeof value) == 1 &&
           value[0] == 'y';
  }

  base::testing::TemporaryDirectory top_;
  UnpackCounts counts_;
};

TEST_F(Unpacking, keeps_contents_owners_modes_times_and_links) {
  const std::string long_name = "d/" + std::string(120, 'n') + "/" + std::string(90, 'm');
  ASSERT_TRUE(unpack(TarWriter()
                         .directory(".", 0751)
                         .directory("d", 01777)
                         .file("d/f", "content", 04755, 12, 34)
                         .symlink("d/s", "/etc/passwd")
                         .hard_link("d/h", "d/f")
                         .file(long_name, "long")
                         .file("implied/parents/x", "1")
                         .pax("path", "pax-name")
                         .pax("mtime", "1600000000.25")
                         .pax("SCHILY.xattr.user.note", "n")
                         .pax("SCHILY.xattr.trusted.overlay.opaque", "y")
                         .pax("SCHILY.xattr.user.overlay.opaque", "y")
                         .file("ignored", "pax")
                         .finish()));
  EXPECT_EQ(*base::read_file(at("d/f")), "content");
  EXPECT_EQ(info("d/f").st_mode & 07777, 04755u);
  EXPECT_EQ(info("d/f").st_uid, 12u);
  EXPECT_EQ(info("d/f").st_gid, 34u);
  EXPECT_EQ(info("d/f").st_mtim.tv_sec, 1'500'000'000);
  EXPECT_EQ(info("d/f").st_ino, info("d/h").st_ino);
  EXPECT_EQ(info("d").st_mode & 07777, 01777u);
  EXPECT_EQ(info("d").st_mtim.tv_sec, 1'500'000'000);
  EXPECT_EQ(info(".").st_mode & 07777, 0751u);
  EXPECT_TRUE(S_ISLNK(info("d/s").st_mode));
  EXPECT_EQ(*base::read_file(at(long_name)), "long");
  EXPECT_EQ(*base::read_file(at("implied/parents/x")), "1");
  EXPECT_EQ(*base::read_file(at("pax-name")), "pax");
  EXPECT_EQ(info("pax-name").st_mtim.tv_nsec, 250'000'000);
  char value[8];
  EXPECT_EQ(getxattr(at("pax-name").c_str(), "trusted.overlay.opaque", value, sizeof value), -1);
  EXPECT_EQ(getxattr(at("pax-name").c_str(), "user.overlay.opaque", value, sizeof value), -1);
}

TEST_F(Unpacking, turns_whiteouts_into_overlayfs_form_in_any_order) {
  ASSERT_TRUE(unpack(TarWriter()
                         .file("a/.wh.gone", "")
                         .file("b/.wh..wh..opq", "")
                         .file("b/kept", "1")
                         .file("c/kept", "1")
                         .file("c/.wh..wh..opq", "")
                         .file(".wh.d", "")
                         .directory("d")
                         .file("d/new", "1")
                         .directory("e")
                         .file("e/new", "1")
                         .file(".wh.e", "")
                         .file("f", "new")
                         .file(".wh.f", "")
                         .file(".wh.g", "")
                         .file("g", "new")
                         .file(".wh..wh.plnk", "")
                         .file(".wh..wh.aufs", "")
                         .finish()));
  EXPECT_TRUE(is_whiteout("a/gone"));
  EXPECT_FALSE(base::exists(at("a/.wh.gone")));
  for (const char* directory : {"b", "c", "d", "e"}) EXPECT_TRUE(is_opaque(directory)) << directory;
  EXPECT_FALSE(is_opaque("a"));
  EXPECT_EQ(*base::read_file(at("b/kept")), "1");
  EXPECT_EQ(*base::read_file(at("c/kept")), "1");
  EXPECT_EQ(*base::read_file(at("d/new")), "1");
  EXPECT_EQ(*base::read_file(at("e/new")), "1");
  EXPECT_EQ(*base::read_file(at("f")), "new");
  EXPECT_EQ(*base::read_file(at("g")), "new");
  EXPECT_EQ(*base::list_directory(root()),
            (std::vector<std::string>{"a", "b", "c", "d", "e", "f", "g"}));
}

TEST_F(Unpacking, makes_no_devices) {
  ASSERT_TRUE(unpack(TarWriter().device("null").device("disk", '4').device("whiteout").finish()));
  EXPECT_EQ(counts_.devices_skipped, 3u);
  EXPECT_TRUE(base::list_directory(root())->empty());
}

TEST_F(Unpacking, later_entries_replace_earlier_ones_of_any_kind) {
  ASSERT_TRUE(unpack(TarWriter()
                         .file("x", "1")
                         .directory("x")
                         .file("x/y", "2")
                         .file("x", "3")
                         .symlink("x", "z")
                         .file("x", "4")
                         .symlink("l", "t")
                         .directory("t")
                         .file("l", "file")
                         .finish()));
  EXPECT_EQ(*base::read_file(at("x")), "4");
  EXPECT_EQ(*base::read_file(at("l")), "file");
}

TEST_F(Unpacking, nothing_leaves_the_directory) {
  const std::string outside = top_.path() + "/outer";
  ASSERT_TRUE(base::write_file(outside + "/victim", "unharmed"));
  ASSERT_TRUE(base::write_file(top_.path() + "/victim", "unharmed"));
  const std::string archives[] = {
      TarWriter().file("../victim", "x").finish(),
      TarWriter().file("a/../../victim", "x").finish(),
      TarWriter().directory("a").file("a/..", "x").finish(),
      TarWriter().file("/../victim", "x").finish(),
      TarWriter().symlink("out", "..").file("out/victim", "x").finish(),
      TarWriter().symlink("out", outside).file("out/victim", "x").finish(),
      TarWriter().symlink("out", "../../outer").file("out/victim", "x").finish(),
      TarWriter().symlink("a", "b").symlink("b", "a").file("a/x", "x").finish(),
      TarWriter().symlink("victim", outside + "/victim").file("victim", "x").finish(),
      TarWriter().hard_link("h", "../victim").finish(),
      TarWriter().hard_link("h", outside + "/victim").finish(),
      TarWriter().symlink("out", "..").hard_link("h", "out/victim").file("h", "x").finish(),
      TarWriter().symlink("out", "..").file("out/.wh.victim", "").finish(),
      TarWriter().symlink("out", "..").file("out/.wh..wh..opq", "").finish(),
      TarWriter().file(".wh...", "").finish(),
      TarWriter().file(".wh..", "").finish(),
      TarWriter().file("d/.wh...", "").finish(),
      TarWriter().symlink("p", "/proc/self/root").file("p/victim", "x").finish(),
      TarWriter().symlink("proc", "/proc/self/cwd").file("proc/victim", "x").finish(),
      TarWriter().directory("d").symlink("d/l", "/").file("d/l/victim", "in here").finish(),
  };
  for (const auto& archive : archives) {
    (void)unpack(archive);
    EXPECT_EQ(*base::read_file(outside + "/victim"), "unharmed");
    EXPECT_EQ(*base::read_file(top_.path() + "/victim"), "unharmed");
    EXPECT_EQ(*base::list_directory(outside), (std::vector<std::string>{"fs", "victim"}));
    EXPECT_FALSE(is_opaque(".."));
    EXPECT_FALSE(base::exists("/victim"));
    ASSERT_TRUE(base::remove_tree(root()));
    ASSERT_TRUE(base::make_directories(root()));
  }
}

TEST_F(Unpacking, absolute_names_and_links_mean_the_layers_own_root) {
  ASSERT_TRUE(unpack(TarWriter()
                         .file("/etc/x", "1")
                         .symlink("lib", "/usr/lib")
                         .directory("usr/lib")
                         .file("lib/y", "2")
                         .finish()));
  EXPECT_EQ(*base::read_file(at("etc/x")), "1");
  EXPECT_EQ(*base::read_file(at("usr/lib/y")), "2");
}

TEST_F(Unpacking, refuses_what_is_damaged_or_too_large) {
  const std::string whole = TarWriter().file("a", std::string(2000, 'x')).finish();
  EXPECT_FALSE(unpack(whole.substr(0, 1500)));
  EXPECT_FALSE(unpack(whole.substr(0, 300)));
  EXPECT_TRUE(unpack(whole.substr(0, 512 + 2048)));  // without the blocks of zeros at the end
  const std::pair<std::string, const char*> cases[] = {
      {TarWriter().header("huge", '0', uint64_t{1} << 62).unfinished(), "larger than"},
      {TarWriter().header("huge", '0', UINT64_MAX).unfinished(), "too large"},
      {TarWriter().header("huge", '0', uint64_t{1} << 37).unfinished(), "larger than"},
      {TarWriter().header("sparse", 'S', 0).unfinished(), "sparse"},
      {TarWriter().header("odd", 'Q', 0).unfinished(), "unknown kind"},
      {TarWriter().header("pax", 'x', 5 << 20).unfinished(), "1 MiB"},
      {TarWriter()
           .header("pax", 'x', 4)
           .raw("99 a")
           .raw(std::string(508, '\0'))
           .file("a", "")
           .finish(),
       "pax"},
      {TarWriter()
           .header("pax", 'x', 4)
           .raw("4 a\n")
           .raw(std::string(508, '\0'))
           .file("a", "")
           .finish(),
       "'='"},
      {TarWriter().hard_link("h", "missing").finish(), "does not contain"},
      {TarWriter().directory("d").hard_link("h", "d").finish(), "directory"},
      {TarWriter().file(std::string(5000, 'a'), "").finish(), "4096"},
      {TarWriter().file(std::string(300, 'a'), "").finish(), "255"},
      {TarWriter().pax("uid", "99999999999").file("a", "").finish(), "too large"},
      {std::string(512, 'x'), "checksum"},
      {TarWriter().file(".", "x").finish(), "root"},
  };
  for (const auto& [archive, words] : cases) {
    const Status status = unpack(archive);
    ASSERT_FALSE(status) << words;
    EXPECT_NE(status.error().message.find(words), std::string::npos) << status.error().message;
  }
  EXPECT_FALSE(
      unpack(TarWriter().file("a", std::string(100, 'x')).file("b", std::string(100, 'x')).finish(),
             {.max_bytes = 150}));
  EXPECT_FALSE(unpack(TarWriter().directory("a").directory("b").finish(),
                      {.max_bytes = 150, .max_entries = 1}));
}

TEST_F(Unpacking, pieces_of_any_size_give_the_same) {
  const std::string tar =
      TarWriter().file("a", "12345").pax("path", "b").file("x", std::string(1000, 'y')).finish();
  for (const size_t piece : {size_t{1}, size_t{511}, size_t{512}, size_t{513}, size_t{100'000}}) {
    ASSERT_TRUE(unpack(tar, {}, piece));
    EXPECT_EQ(*base::read_file(at("a")), "12345");
    EXPECT_EQ(base::read_file(at("b"))->size(), 1000u);
  }
}

std::string decompressed(std::string_view bytes, size_t piece, bool& complete) {
  std::string out;
  Decompressor decompressor([&out](std::string_view made) {
    out += made;
    return Status();
  });
  for (size_t i = 0; i < bytes.size(); i += piece)
    if (!decompressor.feed(bytes.substr(i, piece))) {
      complete = false;
      return out;
    }
  complete = decompressor.finish().has_value();
  return out;
}

TEST(Decompression, recognises_its_format_and_its_end) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += std::to_string(i * 7919);
  for (const auto& packed :
       {testing::gzip(text), testing::zstd(text), text, testing::gzip(text) + testing::gzip(text),
        testing::zstd(text) + testing::zstd(text), testing::gzip(text) + std::string(2000, '\0')}) {
    for (const size_t piece : {size_t{1000}, size_t{65536}, packed.size()}) {
      bool complete = false;
      const std::string out = decompressed(packed, piece, complete);
      EXPECT_TRUE(complete);
      EXPECT_TRUE(out == text || out == text + text);
    }
  }
  for (const auto& packed : {testing::gzip(text), testing::zstd(text)}) {
    bool complete = true;
    decompressed(std::string_view(packed).substr(0, packed.size() - 3), 5000, complete);
    EXPECT_FALSE(complete);
    std::string damaged = packed;
    damaged[packed.size() / 2] = static_cast<char>(damaged[packed.size() / 2] ^ 0x55);
    decompressed(damaged, 5000, complete);
    EXPECT_FALSE(complete && decompressed(damaged, 5000, complete) == text);
  }
  bool complete = false;
  EXPECT_EQ(decompressed("", 1, complete), "");
  EXPECT_TRUE(complete);
}

TEST_F(Unpacking, a_layer_is_only_good_with_both_digests) {
  const std::string tar = TarWriter().file("a", "1").finish();
  const std::string packed = testing::gzip(tar);
  const auto write = [&](const LayerWanted& wanted, std::string_view bytes) -> Status {
    EXPECT_TRUE(base::remove_tree(root()));
    EXPECT_TRUE(base::make_directories(root()));
    auto writer = LayerWriter::open(root(), wanted, {});
    if (!writer) return writer.error();
    RETURN_IF_ERROR((*writer)->write(bytes));
    const auto counts = (*writer)->finish();
    return counts ? Status() : Status(counts.error());
  };
  const LayerWanted right{sha256_of(packed), sha256_of(tar), packed.size()};
  EXPECT_TRUE(write(right, packed));
  EXPECT_FALSE(write({sha256_of("x"), sha256_of(tar), packed.size()}, packed));
  EXPECT_FALSE(write({sha256_of(packed), sha256_of("x"), packed.size()}, packed));
  EXPECT_FALSE(write(right, packed + "x"));
  EXPECT_FALSE(write(right, packed.substr(0, packed.size() - 1)));
  EXPECT_TRUE(write({"", sha256_of(tar), 0}, tar));
}

}  // namespace
}  // namespace containerizer::images
