#include "kernel/containerizer/launch/logs.hpp"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace containerizer::launch {
namespace {

char block[64 << 10];

Failure begin_stream(LogStream& stream, int target, const char* path, const char* limit) {
  stream.target = target;
  if (path == nullptr || limit == nullptr) return {};
  if (sscanf(limit, "%llu %ld", &stream.limit, &stream.keep) != 2 || stream.limit == 0)
    return {"the limit of an output file is unusable", limit, 0};
  char copy[4096];
  if (snprintf(copy, sizeof copy, "%s", path) >= static_cast<int>(sizeof copy))
    return {"the path is too long", path, 0};
  const char* slash = strrchr(path, '/');
  snprintf(stream.name, sizeof stream.name, "%s", slash == nullptr ? path : slash + 1);
  stream.directory = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  stream.file = fcntl(target, F_DUPFD_CLOEXEC, 5);
  struct stat info;
  int ends[2];
  if (stream.directory < 0 || stream.file < 0 || fstat(stream.file, &info) != 0 || pipe2(ends, O_CLOEXEC) != 0)
    return {"cannot redirect output to", path, errno};
  stream.reader = ends[0];
  stream.writer = ends[1];
  fcntl(stream.reader, F_SETFL, O_NONBLOCK);
  stream.size = static_cast<unsigned long long>(info.st_size);
  return {};
}

/// The file under a name with a number behind; 0: none.
void numbered(char (&text)[128], const LogStream& stream, long number) {
  if (number == 0)
    snprintf(text, sizeof text, "%s", stream.name);
  else
    snprintf(text, sizeof text, "%s.%ld", stream.name, number);
}

/// Begins a new file. The directory belongs to the task's user: whatever is put in the way there, the old file is
/// emptied then, and the limit holds.
void turn_over(Logs& logs, LogStream& stream) {
  char from[128], to[128];
  for (long i = stream.keep; i > 0; --i) {
    numbered(from, stream, i - 1);
    numbered(to, stream, i);
    ignore(renameat(stream.directory, from, stream.directory, to));
  }
  const int fresh = openat(stream.directory, stream.name,
                           O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fresh >= 0 && (!logs.give || fchown(fresh, logs.uid, logs.gid) == 0)) {
    close(stream.file);
    stream.file = fresh;
  } else {
    if (fresh >= 0) close(fresh);
    ignore(ftruncate(stream.file, 0));
  }
  stream.size = 0;
}

/// What cannot be written (the disk is full) is lost: a task must not stand still because of its log.
void put(Logs& logs, LogStream& stream, const char* data, size_t length) {
  while (length > 0) {
    if (stream.size >= stream.limit) turn_over(logs, stream);
    const unsigned long long room = stream.limit - stream.size;
    size_t piece = length;
    if (piece > room) {
      piece = static_cast<size_t>(room);
      // Lines stay whole where one ends in this piece.
      const char* end = static_cast<const char*>(memrchr(data, '\n', piece));
      if (end != nullptr) piece = static_cast<size_t>(end - data) + 1;
      else if (stream.size > 0 && memchr(data, '\n', length) != nullptr) {
        turn_over(logs, stream);
        continue;
      }
    }
    const ssize_t written = write(stream.file, data, piece);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;
    stream.size += static_cast<unsigned long long>(written);
    data += written;
    length -= static_cast<size_t>(written);
    if (length > 0 && static_cast<size_t>(written) == piece && piece < room) turn_over(logs, stream);
  }
}

/// False: nothing more now.
bool move(Logs& logs, LogStream& stream) {
  const ssize_t length = read(stream.reader, block, sizeof block);
  if (length > 0) {
    put(logs, stream, block, static_cast<size_t>(length));
    return true;
  }
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  close(stream.reader);  // nobody can write any more
  stream.reader = -1;
  return false;
}

}  // namespace

Failure begin_logs(const Order& order, Logs& logs) {
  Failure failure = begin_stream(logs.streams[0], STDOUT_FILENO, order.output, order.output_limit);
  if (failure.step == nullptr)
    failure = begin_stream(logs.streams[1], STDERR_FILENO, order.error_output, order.error_limit);
  return failure;
}

void own_logs(const Order& order, Logs& logs) {
  logs.give = order.switch_user;
  logs.uid = order.uid;
  logs.gid = order.gid;
  if (!logs.give) return;
  for (const LogStream& stream : logs.streams)
    if (stream.writer >= 0) ignore(fchown(stream.writer, machine_uid(order), machine_gid(order)));
}

Failure enter_logs(const Logs& logs) {
  for (const LogStream& stream : logs.streams)
    if (stream.writer >= 0 && dup2(stream.writer, stream.target) < 0) return {"cannot redirect output", "", errno};
  return {};
}

void leave_writers(Logs& logs) {
  for (LogStream& stream : logs.streams) {
    if (stream.writer >= 0) close(stream.writer);
    stream.writer = -1;
  }
}

int wait_for_signal(Logs& logs, const sigset_t& set) {
  siginfo_t info;
  for (;;) {
    if (logs.streams[0].reader < 0 && logs.streams[1].reader < 0) return sigwaitinfo(&set, &info);
    if (logs.signals < 0) logs.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (logs.signals < 0) return sigwaitinfo(&set, &info);
    pollfd wait[3] = {{logs.signals, POLLIN, 0},
                      {logs.streams[0].reader, POLLIN, 0},
                      {logs.streams[1].reader, POLLIN, 0}};
    if (poll(wait, 3, -1) <= 0) continue;
    for (int i = 0; i < 2; ++i)
      if (wait[i + 1].revents != 0) move(logs, logs.streams[i]);
    signalfd_siginfo got;
    if (wait[0].revents != 0 && read(logs.signals, &got, sizeof got) == static_cast<ssize_t>(sizeof got))
      return static_cast<int>(got.ssi_signo);
  }
}

void drain_logs(Logs& logs) {
  for (LogStream& stream : logs.streams)
    while (stream.reader >= 0 && move(logs, stream)) {
    }
}

}  // namespace containerizer::launch
