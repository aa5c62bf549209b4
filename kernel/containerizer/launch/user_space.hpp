#pragma once

// Ids of a container's own: a user namespace in which 65536 of the machine's ids have the numbers from 0 on, and mounts that
// show files with them: what belongs to X on the disk belongs to the container's X. Of libc alone: the helper makes
// containers with it, the agent asks at its start whether this machine can.

#include <sys/types.h>

namespace containerizer::launch {

/// How many ids a container has.
constexpr unsigned kIdsOfContainer = 65536;

/// A descriptor of a new user namespace; -1 with errno. Needs root and the machine's /proc. `holder`: a child that has been
/// killed and is to be waited for, or -1.
int make_user_space(unsigned first_id, pid_t* holder);

/// A mount of its own, attached nowhere, of what the descriptor `source` leads to and of what is mounted below it, whose
/// files have the ids of `user_space`. `flags` are MOUNT_ATTR_*. -1 with errno.
int map_tree(int source, int user_space, unsigned long long flags);

/// Why map_tree() failed with `error`, with the name of the file system; the text is overwritten by the next call.
const char* describe_unmapped(int source, int error);

}  // namespace containerizer::launch
