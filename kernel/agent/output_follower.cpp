#include "kernel/agent/output_follower.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

#include "kernel/containerizer/fd_watch.hpp"

namespace agent {
namespace {

constexpr size_t kPiece = 16 << 10;
constexpr int kPiecesPerTurn = 16;
constexpr base::Duration kLookAgain = base::milliseconds(100);  // for a file that is being turned over
constexpr uint32_t kChanges = IN_MODIFY | IN_MOVE_SELF | IN_ATTRIB;

struct File {
  const char* name;
  base::Fd fd{};
  uint64_t offset = 0;
  int watch = -1;
};

}  // namespace

struct OutputFollower::Impl : std::enable_shared_from_this<Impl> {
  Impl(base::Loop& l, Data d, std::function<void()> e) : loop(l), data(std::move(d)), end(std::move(e)) {}

  /// The file of that name now, from `offset` on. The directory is the task's: no link is followed, no pipe waited for.
  bool open_file(File& file, bool from_end) {
    base::Fd fd(openat(directory.get(), file.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    struct stat info {};
    if (!fd || fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
    file.fd = std::move(fd);
    file.offset = from_end ? static_cast<uint64_t>(info.st_size) : 0;
    if (file.watch >= 0) inotify_rm_watch(changes->fd(), file.watch);
    file.watch = inotify_add_watch(changes->fd(), ("/proc/self/fd/" + std::to_string(file.fd.get())).c_str(), kChanges);
    return true;
  }

  /// Reads one piece; false: there is nothing more now.
  bool read_piece(File& file) {
    if (!file.fd && !open_file(file, false)) return false;
    std::array<char, kPiece> piece;
    const ssize_t length = pread(file.fd.get(), piece.data(), piece.size(), static_cast<off_t>(file.offset));
    if (length > 0) {
      file.offset += static_cast<uint64_t>(length);
      data(&file == &files[1], {piece.data(), static_cast<size_t>(length)});
      return true;
    }
    struct stat now {}, held {};
    if (fstat(file.fd.get(), &held) != 0) return false;
    if (static_cast<uint64_t>(held.st_size) < file.offset) {  // it was emptied
      file.offset = 0;
      return held.st_size > 0;
    }
    const bool there = fstatat(directory.get(), file.name, &now, AT_SYMLINK_NOFOLLOW) == 0;
    if (there && now.st_ino == held.st_ino && now.st_dev == held.st_dev) return false;
    // Turned over: this one was read to its end, the next begins.
    if (there && open_file(file, false)) return true;
    if (timer == 0 && !ended)
      timer = loop.after(kLookAgain, [self = shared_from_this()] {
        self->timer = 0;
        self->pump();
      });
    return false;
  }

  void pump() {
    const auto self = shared_from_this();  // a call may destroy the follower
    bool more = false;
    for (File& file : files) {
      int pieces = 0;
      while (!paused && !over && pieces < kPiecesPerTurn && read_piece(file)) ++pieces;
      more = more || pieces == kPiecesPerTurn;
    }
    if (paused || over) return;
    if (more) return loop.post([self] { self->pump(); });
    if (!ended) return;
    over = true;
    if (const auto told = std::move(end)) told();
  }

  void stop() {
    over = true;
    changes.reset();
    process.reset();
    loop.cancel(timer);
  }

  base::Loop& loop;
  Data data;
  std::function<void()> end;
  base::Fd directory;
  std::unique_ptr<containerizer::FdWatch> changes, process;
  std::array<File, 2> files{File{"stdout"}, File{"stderr"}};
  base::Loop::TimerId timer = 0;
  bool paused = false, ended = false, over = false;
};

OutputFollower::OutputFollower(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

OutputFollower::~OutputFollower() { impl_->stop(); }

base::Result<std::unique_ptr<OutputFollower>> OutputFollower::begin(base::Loop& loop, containerizer::Outputs outputs, Data data,
                                                                    std::function<void()> end) {
  auto impl = std::make_shared<Impl>(loop, std::move(data), std::move(end));
  impl->directory = base::Fd(open(outputs.directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!impl->directory) return base::errno_error("cannot follow the output in " + outputs.directory, errno);
  base::Fd changes(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!changes) return base::errno_error("cannot watch the output in " + outputs.directory, errno);
  const std::weak_ptr<Impl> weak = impl;
  impl->changes = std::make_unique<containerizer::FdWatch>(loop, std::move(changes), [weak] {
    const auto held = weak.lock();
    if (!held || !held->changes) return;
    std::array<char, 4096> ignored;
    while (read(held->changes->fd(), ignored.data(), ignored.size()) > 0) {
    }
    held->pump();
  });
  for (File& file : impl->files) impl->open_file(file, true);
  impl->process = std::make_unique<containerizer::FdWatch>(loop, std::move(outputs.process), [weak] {
    const auto held = weak.lock();
    if (!held) return;
    held->process.reset();
    held->ended = true;
    held->pump();
  });
  return std::unique_ptr<OutputFollower>(new OutputFollower(std::move(impl)));
}

void OutputFollower::pause(bool pause) {
  impl_->paused = pause;
  if (!pause) impl_->loop.post([weak = std::weak_ptr<Impl>(impl_)] {
    if (const auto held = weak.lock()) held->pump();
  });
}

}  // namespace agent
