#include "kernel/containerizer/launch/board.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

namespace containerizer::launch {
namespace {

constexpr long long kStandstill = 30'000;  // milliseconds until an attached reader that takes nothing is cut off
constexpr long long kLastWords = 60'000;   // for the reader of a session to take the end of the output

long long now() {
  timespec value;
  clock_gettime(CLOCK_MONOTONIC, &value);
  return static_cast<long long>(value.tv_sec) * 1000 + value.tv_nsec / 1'000'000;
}

void shut(int& fd) {
  if (fd >= 0) close(fd);
  fd = -1;
}

Failure make_terminal(const Order& order, Board& board) {
  int master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0) master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  int lock = 0;
  if (master < 0 || ioctl(master, TIOCSPTLCK, &lock) != 0) return {"cannot make a terminal", "/dev/ptmx", errno};
  const int slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return {"cannot open the terminal", "", errno};
  if (order.switch_user && fchown(slave, machine_uid(order), static_cast<gid_t>(-1)) != 0)
    return {"cannot give the terminal to the user", "", errno};
  unsigned rows = 0, columns = 0;
  if (sscanf(order.terminal, "%u %u", &rows, &columns) == 2) {
    struct winsize size = {static_cast<unsigned short>(rows), static_cast<unsigned short>(columns), 0, 0};
    ioctl(master, TIOCSWINSZ, &size);
  }
  board.terminal = true;
  board.input = board.output = master;
  board.task_input = board.task_output = board.task_error = slave;
  return {};
}

Failure make_pipes(const Order& order, Board& board) {
  int ends[3][2];
  for (auto& pair : ends)
    if (pipe2(pair, O_CLOEXEC) != 0) return {"cannot make a pipe", "", errno};
  board.task_input = ends[0][0];
  board.input = ends[0][1];
  board.output = ends[1][0];
  board.task_output = ends[1][1];
  board.error = ends[2][0];
  board.task_error = ends[2][1];
  // Programs open /dev/stdout anew, which asks for the right to.
  const int task_ends[] = {board.task_input, board.task_output, board.task_error};
  if (order.switch_user)
    for (const int end : task_ends)
      if (fchown(end, machine_uid(order), machine_gid(order)) != 0) return {"cannot give a pipe to the user", "", errno};
  return {};
}

void drop(Board& board, Board::Peer& peer) {
  if (peer.output && board.session) board.ended = true;
  shut(peer.fd);
  peer.waiting = 0;
}

bool held_up(const Board& board) {
  for (const auto& peer : board.peers)
    if (peer.fd >= 0 && peer.waiting > 0) return true;
  return false;
}

void offer(Board& board, Board::Peer& peer) {
  if (send(peer.fd, peer.packet, peer.waiting, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
    peer.waiting = 0;
  } else if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
    drop(board, peer);
  }
}

/// One packet of the program's output to everybody; false at its end or when nothing is there.
bool carry_output(Board& board, int& source, char kind) {
  char packet[kMaxPacket];
  packet[0] = kind;
  const ssize_t length = read(source, packet + 1, sizeof packet - 1);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (length <= 0) {  // a terminal that nobody has open any more says EIO
    if (source == board.input) board.input = -1;
    shut(source);
    return false;
  }
  if (board.log >= 0) ignore(write(board.log, packet + 1, static_cast<size_t>(length)));
  for (auto& peer : board.peers) {
    if (peer.fd < 0 || !peer.output) continue;
    memcpy(peer.packet, packet, static_cast<size_t>(length) + 1);
    peer.waiting = static_cast<size_t>(length) + 1;
    peer.since = now();
    offer(board, peer);
  }
  return true;
}

void feed(Board& board) {
  if (board.input < 0) {
    board.pending_length = 0;
    return;
  }
  if (board.pending_length > 0) {
    const ssize_t length = write(board.input, board.pending, board.pending_length);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (length < 0) {
      board.pending_length = 0;  // the program does not want it
      if (!board.terminal) shut(board.input);
      return;
    }
    board.pending_length -= static_cast<size_t>(length);
    memmove(board.pending, board.pending + length, board.pending_length);
  }
  if (board.pending_length > 0 || !board.end_of_input) return;
  board.end_of_input = false;
  if (!board.terminal) return shut(board.input);
  constexpr char kEndOfTransmission = 4;
  ignore(write(board.input, &kEndOfTransmission, 1));
}

void take_packet(Board& board, Board::Peer& peer) {
  char packet[kMaxPacket];
  const ssize_t length = recv(peer.fd, packet, sizeof packet, MSG_DONTWAIT);
  if (length < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (length <= 0) return drop(board, peer);
  const size_t data = static_cast<size_t>(length) - 1;
  switch (packet[0]) {
    case kWantOutput:
      peer.output = board.had_reader = true;
      return;
    case kInput:
      memcpy(board.pending, packet + 1, data);
      board.pending_length = data;
      return feed(board);
    case kEndOfInput:
      board.end_of_input = true;
      return feed(board);
    case kWindow: {
      unsigned short sizes[2];
      if (!board.terminal || data != sizeof sizes || board.input < 0) return;
      memcpy(sizes, packet + 1, sizeof sizes);
      struct winsize size = {sizes[0], sizes[1], 0, 0};
      ioctl(board.input, TIOCSWINSZ, &size);
      return;
    }
    default: return drop(board, peer);
  }
}

void welcome(Board& board) {
  const int fd = accept4(board.listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) return;
  for (auto& peer : board.peers) {
    if (peer.fd >= 0) continue;
    peer.fd = fd;
    peer.output = false;
    peer.waiting = 0;
    return;
  }
  close(fd);
}

}  // namespace

Failure open_board(const Order& order, int directory, Board& board) {
  board.session = order.session;
  board.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // By descriptor: the path itself may be longer than an address can be.
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory, kBoardName);
  unlinkat(directory, kBoardName, 0);
  if (board.listener < 0 || bind(board.listener, reinterpret_cast<struct sockaddr*>(&address), sizeof address) != 0 ||
      listen(board.listener, kMaxAttached) != 0)
    return {"cannot listen for those who attach", "", errno};
  if (order.output != nullptr && !order.session) {
    board.log = open(order.output, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (board.log < 0) return {"cannot open the output file", order.output, errno};
  }
  return {};
}

Failure make_ends(const Order& order, Board& board) {
  return order.terminal != nullptr ? make_terminal(order, board) : make_pipes(order, board);
}

Failure take_ends(const Board& board) {
  if (board.terminal && ioctl(board.task_input, TIOCSCTTY, 0) != 0) return {"cannot take the terminal", "", errno};
  if (dup2(board.task_input, STDIN_FILENO) < 0 || dup2(board.task_output, STDOUT_FILENO) < 0 ||
      dup2(board.task_error, STDERR_FILENO) < 0)
    return {"cannot take the terminal", "", errno};
  return {};
}

void keep_ends(Board& board) {
  if (board.terminal) {
    shut(board.task_input);
  } else {
    shut(board.task_input);
    shut(board.task_output);
    shut(board.task_error);
  }
  const int own_ends[] = {board.input, board.output, board.error};
  for (const int fd : own_ends)
    if (fd >= 0) fcntl(fd, F_SETFL, O_NONBLOCK | (fd == board.input && board.terminal ? O_RDWR : 0));
  signal(SIGPIPE, SIG_IGN);
  sigset_t all;
  sigfillset(&all);
  board.signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
}

int step(Board& board) {
  struct pollfd set[kMaxAttached + 5];
  int count = 0;
  const auto add = [&](int fd, short events) {
    if (fd < 0 || events == 0) return -1;
    set[count] = {fd, events, 0};
    return count++;
  };
  const bool blocked = held_up(board) || (board.session && !board.had_reader);
  const int signals = add(board.signals, POLLIN), listener = add(board.listener, POLLIN);
  const int output = blocked ? -1 : add(board.output, POLLIN), error = blocked ? -1 : add(board.error, POLLIN);
  const int input = board.pending_length > 0 ? add(board.input, POLLOUT) : -1;
  int peers[kMaxAttached];
  for (int i = 0; i < kMaxAttached; ++i) {
    const auto& peer = board.peers[i];
    // Input is taken when what came before has gone; a reader is watched for its going.
    const short wanted = static_cast<short>((peer.output || board.pending_length == 0 ? POLLIN : 0) |
                                            (peer.waiting > 0 ? POLLOUT : 0));
    peers[i] = add(peer.fd, wanted);
  }
  const bool waiting = held_up(board);
  const int ready = poll(set, static_cast<nfds_t>(count), waiting ? 1000 : -1);
  if (ready < 0) return 0;
  const auto came = [&](int at) { return at >= 0 && set[at].revents != 0; };

  if (came(input)) feed(board);
  if (came(output)) (void)carry_output(board, board.output, kOutput);
  if (came(error)) (void)carry_output(board, board.error, kErrorOutput);
  for (int i = 0; i < kMaxAttached; ++i) {
    auto& peer = board.peers[i];
    if (peer.fd < 0 || peers[i] < 0) continue;
    const short events = set[peers[i]].revents;
    if ((events & POLLOUT) != 0 && peer.waiting > 0) offer(board, peer);
    // Of two that bring input at once, one waits for its turn.
    const bool its_turn = peer.output || board.pending_length == 0;
    if (peer.fd >= 0 && its_turn && (events & (POLLIN | POLLHUP | POLLERR)) != 0) take_packet(board, peer);
    if (peer.fd >= 0 && peer.waiting > 0 && !board.session && now() - peer.since > kStandstill) drop(board, peer);
  }
  if (came(listener)) welcome(board);
  if (board.ended) {
    board.ended = false;
    return kKillTreeSignal;
  }
  struct signalfd_siginfo info;
  if (came(signals) && read(board.signals, &info, sizeof info) == sizeof info) return static_cast<int>(info.ssi_signo);
  return 0;
}

void finish(Board& board) {
  const long long deadline = now() + kLastWords;
  for (;;) {
    // A session that nobody has come to read yet is waited for a little, too.
    while (!held_up(board) && (!board.session || board.had_reader)) {
      const bool more = (board.output >= 0 && carry_output(board, board.output, kOutput)) ||
                        (board.error >= 0 && carry_output(board, board.error, kErrorOutput));
      if (!more) break;
    }
    const bool unread = board.session && !board.had_reader;
    if ((!held_up(board) && !unread) || now() > deadline) break;
    struct pollfd set[kMaxAttached + 1];
    int count = 0;
    if (unread) set[count++] = {board.listener, POLLIN, 0};
    for (const auto& peer : board.peers)
      if (peer.fd >= 0) set[count++] = {peer.fd, static_cast<short>(POLLIN | (peer.waiting > 0 ? POLLOUT : 0)), 0};
    if (poll(set, static_cast<nfds_t>(count), 1000) < 0) break;
    for (auto& peer : board.peers) {
      if (peer.fd >= 0 && peer.waiting > 0) offer(board, peer);
      if (peer.fd >= 0) take_packet(board, peer);
    }
    if (unread) welcome(board);
    if (board.ended) break;  // it has gone
  }
  for (auto& peer : board.peers) shut(peer.fd);
  shut(board.listener);
}

}  // namespace containerizer::launch
