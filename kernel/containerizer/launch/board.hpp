#pragma once

// The ends of a program's input and output that others may attach to while it runs: a terminal, or three pipes. The helper
// holds them, so that they live as long as the program and whatever happens to the agent. Whoever attaches connects to
// a socket of packets in the container's runtime directory (format.hpp says what they hold).
//
// Nothing is kept beyond one packet per reader: a reader that is slow slows the program, one that stands still is cut off.

#include "kernel/containerizer/launch/order.hpp"
#include "kernel/containerizer/launch/steps.hpp"

namespace containerizer::launch {

constexpr int kMaxAttached = 8;

struct Board {
  struct Peer {
    int fd = -1;
    bool output = false;                  // wants output; else it brings input
    size_t waiting = 0;                   // bytes of `packet` that it did not take yet
    long long since = 0;                  // milliseconds: since when
    char packet[kMaxPacket];
  };

  int listener = -1, signals = -1;
  int input = -1, output = -1, error = -1;            // our ends; of a terminal input and output are one
  int task_input = -1, task_output = -1, task_error = -1;
  int log = -1;                                        // file that gets the output too
  bool terminal = false, session = false, had_reader = false, ended = false;
  char pending[kMaxPacket];                            // input that the program did not take yet
  size_t pending_length = 0;
  bool end_of_input = false;                           // to come after `pending`
  Peer peers[kMaxAttached];
};

/// The socket, in the directory that the status file is written to. Before mounts change.
Failure open_board(const Order& order, int directory, Board& board);

/// Terminal or pipes, as the container sees them. After the user is known.
Failure make_ends(const Order& order, Board& board);

/// In the task's process, after setsid(): they become its standard input and output, and its terminal.
Failure take_ends(const Board& board);

/// In the helper, after the fork. From now on signals come by step().
void keep_ends(Board& board);

/// Waits for something and carries it on. Returns the number of a signal that came, kKillTreeSignal when the reader of a
/// session has gone, or 0.
int step(Board& board);

/// The program has ended: hands what it wrote last to those who read, and lets them go.
void finish(Board& board);

}  // namespace containerizer::launch
