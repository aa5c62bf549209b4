// The built-in profile. Everything that is not named fails with EPERM. What is left out: loading code into the kernel,
// mounting and namespaces, clocks, swapping, rebooting, other processes' memory, keys, io_uring, and sockets to the
// hypervisor (40) and to the kernel's cryptography (38); most of it comes with the capability that the kernel asks for too.

#include "kernel/containerizer/isolators/seccomp_profile.hpp"

namespace containerizer {

std::string_view default_seccomp_profile() {
  static constexpr std::string_view kProfile = R"({
 "defaultAction": "SCMP_ACT_ERRNO",
 "defaultErrnoRet": 1,
 "archMap": [
  {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
  {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]}
 ],
 "syscalls": [
  {"action": "SCMP_ACT_ALLOW", "names": [
   "read", "pread64", "readv", "preadv", "preadv2", "write", "pwrite64", "writev", "pwritev", "pwritev2", "readahead",
   "lseek", "_llseek", "sendfile", "sendfile64", "splice", "tee", "vmsplice", "copy_file_range", "cachestat",
   "open", "openat", "openat2", "creat", "close", "close_range", "dup", "dup2", "dup3", "pipe", "pipe2", "fcntl",
   "fcntl64", "flock", "ioctl", "fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "sync_file_range2",
   "fadvise64", "fadvise64_64", "arm_fadvise64_64", "arm_sync_file_range", "fallocate", "truncate", "truncate64",
   "ftruncate", "ftruncate64"]},
  {"action": "SCMP_ACT_ALLOW", "names": [
   "access", "faccessat", "faccessat2", "stat", "stat64", "lstat", "lstat64", "fstat", "fstat64", "fstatat64",
   "newfstatat", "statx", "statfs", "statfs64", "fstatfs", "fstatfs64", "chdir", "fchdir", "getcwd", "getdents",
   "getdents64", "mkdir", "mkdirat", "rmdir", "link", "linkat", "symlink", "symlinkat", "unlink", "unlinkat", "rename",
   "renameat", "renameat2", "readlink", "readlinkat", "mknod", "mknodat", "chmod", "fchmod", "fchmodat", "fchmodat2",
   "chown", "chown32", "fchown", "fchown32", "lchown", "lchown32", "fchownat", "umask", "utime", "utimes", "utimensat",
   "utimensat_time64", "futimesat", "getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr",
   "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr", "getxattrat", "setxattrat",
   "listxattrat", "removexattrat", "inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
   "fanotify_mark", "name_to_handle_at", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"]},
  {"action": "SCMP_ACT_ALLOW", "names": [
   "brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "mincore", "msync", "mlock", "mlock2", "mlockall",
   "munlock", "munlockall", "remap_file_pages", "memfd_create", "memfd_secret", "membarrier", "pkey_alloc", "pkey_free",
   "pkey_mprotect", "mseal", "map_shadow_stack", "process_mrelease"]},
  {"action": "SCMP_ACT_ALLOW", "names": [
   "fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitid", "waitpid", "getpid", "getppid",
   "gettid", "getpgid", "getpgrp", "getsid", "setpgid", "setsid", "kill", "tkill", "tgkill", "pidfd_open",
   "pidfd_send_signal", "set_tid_address", "set_robust_list", "get_robust_list", "set_thread_area", "get_thread_area",
   "arch_prctl", "prctl", "rseq", "futex", "futex_time64", "futex_waitv", "futex_wait", "futex_wake", "futex_requeue",
   "restart_syscall", "seccomp", "capget", "capset", "getcpu", "modify_ldt", "set_tls", "cacheflush", "breakpoint",
   "ugetrlimit", "getrlimit", "setrlimit", "prlimit64", "getrusage", "times", "getpriority", "setpriority", "nice",
   "ioprio_get", "ioprio_set", "sched_yield", "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity",
   "sched_setaffinity", "sched_getattr", "sched_setattr", "sched_getparam", "sched_setparam", "sched_getscheduler",
   "sched_setscheduler", "sched_rr_get_interval", "sched_rr_get_interval_time64"]},
  {"action": "SCMP_ACT_ALLOW", "names": [
   "getuid", "getuid32", "geteuid", "geteuid32", "getgid", "getgid32", "getegid", "getegid32", "getgroups",
   "getgroups32", "getresuid", "getresuid32", "getresgid", "getresgid32", "setuid", "setuid32", "setgid", "setgid32",
   "setreuid", "setreuid32", "setregid", "setregid32", "setresuid", "setresuid32", "setresgid", "setresgid32",
   "setgroups", "setgroups32", "setfsuid", "setfsuid32", "setfsgid", "setfsgid32", "uname", "sysinfo", "getrandom"]},
  {"action": "SCMP_ACT_ALLOW", "names": [
   "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend",
   "rt_sigtimedwait", "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sigaction", "signal", "sigpending", "sigprocmask",
   "sigreturn", "sigsuspend", "sigaltstack", "signalfd", "signalfd4", "pause", "alarm", "getitimer", "setitimer",
   "time", "gettimeofday", "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64",
   "clock_nanosleep", "clock_nanosleep_time64", "nanosleep", "adjtimex", "clock_adjtime", "clock_adjtime64",
   "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime",
   "timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64", "timerfd_settime",
   "timerfd_settime64"]},
  {"action": "SCMP_ACT_ALLOW", "names": [
   "select", "_newselect", "pselect6", "pselect6_time64", "poll", "ppoll", "ppoll_time64", "epoll_create",
   "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_wait", "epoll_wait_old", "epoll_pwait", "epoll_pwait2",
   "eventfd", "eventfd2", "io_setup", "io_submit", "io_cancel", "io_getevents", "io_pgetevents",
   "io_pgetevents_time64", "io_destroy"]},
  {"action": "SCMP_ACT_ALLOW", "names": [
   "socketpair", "bind", "listen", "accept", "accept4", "connect", "shutdown", "getsockname", "getpeername",
   "getsockopt", "setsockopt", "send", "sendto", "sendmsg", "sendmmsg", "recv", "recvfrom", "recvmsg", "recvmmsg",
   "recvmmsg_time64", "ipc", "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop",
   "semtimedop_time64", "shmat", "shmctl", "shmdt", "shmget", "mq_open", "mq_unlink", "mq_notify", "mq_getsetattr",
   "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend", "mq_timedsend_time64"]},
  {"action": "SCMP_ACT_ALLOW", "names": ["socket"], "args": [{"index": 0, "value": 38, "op": "SCMP_CMP_LT"}]},
  {"action": "SCMP_ACT_ALLOW", "names": ["socket"], "args": [{"index": 0, "value": 39, "op": "SCMP_CMP_EQ"}]},
  {"action": "SCMP_ACT_ALLOW", "names": ["socket"], "args": [{"index": 0, "value": 40, "op": "SCMP_CMP_GT"}]},
  {"action": "SCMP_ACT_ALLOW", "names": ["personality"], "args": [{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}]},
  {"action": "SCMP_ACT_ALLOW", "names": ["personality"], "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]},
  {"action": "SCMP_ACT_ALLOW", "names": ["personality"], "args": [{"index": 0, "value": 131072, "op": "SCMP_CMP_EQ"}]},
  {"action": "SCMP_ACT_ALLOW", "names": ["personality"], "args": [{"index": 0, "value": 131080, "op": "SCMP_CMP_EQ"}]},
  {"action": "SCMP_ACT_ALLOW", "names": ["personality"], "args": [{"index": 0, "value": 4294967295, "op": "SCMP_CMP_EQ"}]},
  {"action": "SCMP_ACT_ALLOW", "names": ["clone"],
   "args": [{"index": 0, "value": 2114060288, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
   "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
  {"action": "SCMP_ACT_ERRNO", "errnoRet": 38, "names": ["clone3"], "excludes": {"caps": ["CAP_SYS_ADMIN"]}},
  {"action": "SCMP_ACT_ALLOW", "names": ["ptrace", "process_vm_readv", "process_vm_writev"],
   "includes": {"minKernel": "4.8"}},
  {"action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_ADMIN"]}, "names": [
   "bpf", "clone", "clone3", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick", "lookup_dcookie", "mount",
   "mount_setattr", "move_mount", "open_tree", "perf_event_open", "quotactl", "quotactl_fd", "setdomainname",
   "sethostname", "setns", "syslog", "umount", "umount2", "unshare", "listmount", "statmount"]},
  {"action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_DAC_READ_SEARCH"]}, "names": ["open_by_handle_at"]},
  {"action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_BOOT"]}, "names": ["reboot"]},
  {"action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_CHROOT"]}, "names": ["chroot"]},
  {"action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_MODULE"]},
   "names": ["delete_module", "init_module", "finit_module"]},
  {"action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_PACCT"]}, "names": ["acct"]},
  {"action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_PTRACE"]},
   "names": ["kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace"]},
  {"action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_RAWIO"]}, "names": ["ioperm", "iopl"]},
  {"action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_TIME"]},
   "names": ["settimeofday", "stime", "clock_settime", "clock_settime64"]},
  {"action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_TTY_CONFIG"]}, "names": ["vhangup"]},
  {"action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYS_NICE"]},
   "names": ["get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node", "migrate_pages", "move_pages"]},
  {"action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_SYSLOG"]}, "names": ["syslog"]},
  {"action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_BPF"]}, "names": ["bpf"]},
  {"action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_PERFMON"]}, "names": ["perf_event_open"]}
 ]
})";
  return kProfile;
}

}  // namespace containerizer
