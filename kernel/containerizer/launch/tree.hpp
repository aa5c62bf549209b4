#pragma once

// Signals to everything below the helper.

namespace containerizer::launch {

struct Tree {
  bool private_pids = false;  // we are the first process of a pid namespace
  int proc = -1;              // otherwise: the /proc in which our own pid means us, also after entering a container
};

/// `number` to every descendant: by one system call inside a pid namespace, else by walking /proc.
void signal_tree(const Tree& tree, int number);

/// Kills and buries every descendant; returns when none is left.
void end_tree(const Tree& tree);

}  // namespace containerizer::launch
