#pragma once

// Signals to everything below the helper.

namespace containerizer::launch {

/// `number` to every descendant: by one system call inside a pid namespace, else by walking /proc.
void signal_tree(bool private_pids, int number);

/// Kills and buries every descendant; returns when none is left.
void end_tree(bool private_pids);

}  // namespace containerizer::launch
