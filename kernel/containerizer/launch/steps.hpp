#pragma once

// The steps of setting a container up, in the order in which main.cpp takes them. Each returns what failed.

#include "kernel/containerizer/launch/order.hpp"

namespace containerizer::launch {

struct Failure {
  const char* step = nullptr;  // null: no failure
  const char* detail = "";
  int error = 0;
};

/// "step 'detail': reason" into `text`; returns its length.
size_t describe_failure(char* text, size_t capacity, const char* step, const char* detail, int error);

/// Standard input from /dev/null, output and error to the sandbox's files.
Failure open_output(const Order& order);

/// How soon the kernel ends this process, and what it starts, for want of memory. The helper's is -1000: it must outlive a
/// task that runs out of memory, to tell how it ended. Without the privilege to lower it, it stays as it is.
void set_oom_score(const char* score);

Failure write_pid_file(const Order& order);
Failure enter_cgroups(const Order& order);

/// The user namespace of a container with ids of its own, made or, in one that is joined, found. Before anything else is
/// opened and before namespaces hide the host's /proc.
Failure have_ids(Order& order);

/// From here on, what this process makes is the container's root's (or again the machine's); its powers stay.
Failure make_as_container_root(const Order& order, bool on);

/// Low ports and ping for everybody in a network of the container's own. After enter_network().
Failure open_network_to_all(const Order& order);

/// Settings of the kernel that belong to the namespaces entered so far, through the machine's /proc.
Failure write_sysctls(const Order& order);

/// Refuses users and groups that the container has no number for. After resolve_user().
Failure check_ids(const Order& order);

/// In the task's process: the machine's powers are gone after this.
Failure enter_ids(const Order& order);

/// The output files once more, by the sandbox as the container sees it: programs open /dev/stdout anew, which asks for
/// the right to.
Failure reopen_output(const Order& order);
Failure join_namespaces(const Order& order);

/// The network that the order names, and a host name. Before mounts: what is mounted of /sys shows this network.
Failure enter_network(const Order& order);
/// Takes copies of the joined process's mounts, to be shown in this container's own mount namespace.
Failure borrow_mounts(Order& order);

/// Shows a mount that is attached nowhere at `target`, a descriptor. Closes `mount`.
bool attach(int mount, int target);

/// Opened before mounts change: the status file is written relative to it.
Failure open_status_directory(const Order& order, int* fd);

Failure set_up_mounts(Order& order);

/// Mounts the image's files, what a program expects to find in a root, and the volumes; then makes that the root.
Failure set_up_root(Order& order);

/// Opens `path` as if `root` were the root directory, whatever links it has; -1 with errno. Flags as for open().
int open_inside(int root, const char* path, int flags, int mode = 0);

/// Whether the entry shows something of the machine's.
bool is_bind(const MountOrder& mount_order);

/// Puts the layers of volumes together where mounts have their sources.
Failure mount_volume_layers(const Order& order);

/// Opens what bind mounts show, all before the first is made: what a mount hides is still there for the others.
Failure open_sources(Order& order);

/// A mount of what the descriptor leads to, with the container's ids, at `target`, another descriptor. `path` is for people.
Failure show_mapped(const Order& order, int source, int target, const char* path, unsigned long long flags);

/// Mounts one entry of the order below `root` (-1: paths are the machine's own), after open_sources().
Failure mount_one(const Order& order, const MountOrder& mount_order, int root);

/// Names of users and groups into numbers, by /etc/passwd and /etc/group as they are after set_up_root().
Failure resolve_user(Order& order);

/// The sandbox and the output files to the user that was resolved. `owned`: descriptor, or -1.
Failure give_to_user(const Order& order, int owned);

/// Files of secrets below `root` (-1: paths are the machine's own), on memory that only this mount namespace has.
Failure put_secrets(Order& order, int root);

/// Their owner, once resolve_user() knows it.
Failure give_secrets(Order& order);

/// Opens or makes the directory or file `path` as open_inside() finds it; descriptor without access, or -1 with errno.
int make_inside(int root, const char* path, bool directory);

/// A path of the machine's without any link on the way, as a descriptor without access; -1 with errno.
int open_on_machine(const char* path);

/// In place; the number of bytes, or -1 when `text` is not hexadecimal.
long decode_hexadecimal(char* text);

/// Memory that suits every type; null when there is none.
void* aligned_copy(const void* bytes, size_t count);

Failure set_limits(const Order& order);

/// The user, and what root's powers the task may keep: bounding and effective capabilities, no_new_privs, and last the
/// filter of system calls.
Failure take_identity(const Order& order);

/// Returns only on failure.
Failure execute(const Order& order);

/// Atomic and durable; there is nobody to tell when it fails.
void write_status(const Order& order, int directory, int status);

}  // namespace containerizer::launch
