#pragma once

// The order sheet that the agent hands to dcos-launch: a list of (one-byte key, text ending in NUL) entries in a memory
// file on descriptor 3. Text cannot contain NUL, which the agent checks. Shared by both sides; plain C so that the
// helper stays small. A helper of an older build that meets an unknown key refuses, so that nothing is left out silently.

namespace containerizer::launch {

/// Descriptors of the helper at its start.
constexpr int kSpecFd = 3;
constexpr int kSyncFd = 4;  // failure text of a step, or end of file when the task's exec succeeded

/// Where it keeps the user namespace of its container, if that has one: those who join look there.
constexpr int kUserSpaceFd = 5;

enum class Key : char {
  Program = 'x',         // looked up in the container's PATH; absent: the first argument
  Argument = 'a',        // repeated: argv, argv[0] included
  Variable = 'e',        // repeated: NAME=value
  Directory = 'd',       // the task's working directory
  User = 'u',            // decimal uid
  Group = 'g',           // decimal gid
  ExtraGroup = 'G',      // repeated: decimal gid
  Output = 'o',          // file for stdout, made when missing, appended to
  ErrorOutput = 'E',     // the same for stderr
  OutputLimit = '1',     // "<bytes> <old files>": stdout is turned over
  ErrorLimit = '2',      // the same for stderr
  StatusFile = 's',      // gets the raw wait status of the task's process
  PidFile = 'p',         // gets "<pid> <start time> <boot id>" of the helper
  Cgroup = 'c',          // repeated: a cgroup.procs file to enter
  Limit = 'r',           // repeated: "<resource number> <soft> <hard>", "-" for unlimited
  Mount = 'm',           // repeated: "<ro|rw>[,nofollow][,asis] <type> <target>"; type "bind", a file system, or
                         // "none": the directory is only made; asis: with the machine's ids, in any case
  MountSource = 'M',     // path of the mount source for the Mount entry that follows, or the file system's options
  Join = 'j',            // "<pid> <kinds>": namespaces of that process, CLONE_NEW* in hexadecimal, that are entered
  Borrow = 'b',          // repeated: "/proc" or "/dev/shm": shown as the joined process sees it
  Network = 'q',         // file that holds the network namespace to run in; absent: the machine's
  Sysctl = '3',          // repeated: "net/core/somaxconn=1024", of the container's own namespaces
  HostName = 'h',        // the name of the machine as the container sees it, in a namespace of its own
  PrivateMounts = 'n',   // "1": this process has a mount namespace of its own
  PrivatePids = 'P',     // "1": this process is the first of a pid namespace
  PrivateIpc = 'i',      // "1": ipc namespace of its own, with its own /dev/shm
  TermFirstOnly = 't',   // "1": SIGTERM goes to the first process only, not to the whole tree
  Root = 'R',            // directory that becomes the container's root; targets and directory are seen from there
  RootLayer = 'L',       // repeated, top first: directories that overlayfs shows at Root; none: Root holds the files itself
  RootWritable = 'U',    // directory with upper/ and work/ for overlayfs
  VolumeLayer = 'l',     // repeated, top first, before VolumeWritable and VolumeFiles
  VolumeWritable = 'X',  // as RootWritable
  VolumeFiles = 'V',     // repeated: directory where overlayfs shows the layers before it; a mount has it as its source
  RootReadOnly = 'W',    // "1": the root itself cannot be written to
  Privileged = 'v',      // "1": all devices, nothing of /proc and /sys masked or read-only
  ShmSize = 'S',         // bytes of /dev/shm
  FirstId = 'I',         // decimal: the container's ids 0 to 65535 are the machine's from this one on; with Join of the mount
                         // namespace: as the joined container has it
  UserName = 'N',        // "user[:group]" in names or numbers of the container's files; User and Group are for names that
                         // are not found there
  GroupName = 'A',       // repeated: one more group, in the container's names or numbers
  Owned = 'O',           // directory that is given to the user
  Capabilities = 'C',    // hexadecimal mask of those that can be had; absent: all
  NoNewPrivileges = 'w', // "1": setuid programs have no effect
  EffectiveCapabilities = 'f',  // hexadecimal mask of those that the task has; absent: what its user has
  Filter = 'F',          // hexadecimal: the array of struct sock_filter that decides about system calls
  SecretStage = 'Y',     // directory of the agent's, where memory for secrets is mounted while they are put in place
  SecretContent = 'k',   // hexadecimal, for the Secret entry that follows
  Secret = 'K',          // repeated: path of a file of the user's with that content, on memory
  OomScore = 'B',        // decimal: the task's oom_score_adj; absent: 0
  Terminal = 'y',        // "<rows> <columns>" or "-": the task gets a terminal; others may attach to it
  Session = 'z',         // "1": its input and output are those of whoever attached first, and it ends when that one goes
  End = '.',             // the last entry; a sheet without it is refused
};

/// Those who attach connect to a socket of packets of this name beside the status file. The first byte of a packet tells
/// what it is; the rest is data. A connection either wants output or brings input.
constexpr const char* kBoardName = "io";
constexpr unsigned kMaxPacket = 8192;
constexpr char kWantOutput = 'r';    // to the helper: output comes from now on
constexpr char kInput = 'i';         // to the helper: for the task's standard input
constexpr char kEndOfInput = 'e';    // to the helper
constexpr char kWindow = 'w';        // to the helper: rows and columns of the terminal, two unsigned shorts
constexpr char kOutput = '1';        // from the helper
constexpr char kErrorOutput = '2';   // from the helper

/// Sent to the helper: kill everything below you. Unlike SIGKILL to the helper itself it lets the helper tell how the
/// task ended, and works without namespaces and cgroups too.
constexpr int kKillTreeSignal = 64;

}  // namespace containerizer::launch
