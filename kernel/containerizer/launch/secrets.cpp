// Secrets as files: on memory that is mounted nowhere but in the container.

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/containerizer/launch/steps.hpp"

namespace containerizer::launch {

long decode_hexadecimal(char* text) {
  const auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  long count = 0;
  for (const char* at = text; *at != '\0'; at += 2) {
    const int high = digit(at[0]), low = at[0] == '\0' ? -1 : digit(at[1]);
    if (high < 0 || low < 0) return -1;
    text[count++] = static_cast<char>(high << 4 | low);
  }
  return count;
}

void* aligned_copy(const void* bytes, size_t count) {
  void* copy = malloc(count);
  if (copy != nullptr) memcpy(copy, bytes, count);
  return copy;
}

namespace {

Failure put_one(SecretOrder& secret, int stage, int number, int root) {
  char name[16], from[64], onto[64];
  snprintf(name, sizeof name, "%d", number);
  const long length = decode_hexadecimal(secret.content);
  if (length < 0) return {"a secret is damaged", secret.target, 0};
  const int file = openat(stage, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return {"cannot make a secret's file", secret.target, errno};
  for (long done = 0; done < length;) {
    const ssize_t written = write(file, secret.content + done, static_cast<size_t>(length - done));
    if (written < 0) return {"cannot write a secret", secret.target, errno};
    done += written;
  }
  explicit_bzero(secret.content, static_cast<size_t>(length) * 2);
  const int target = root >= 0 ? make_inside(root, secret.target, false) : open_on_machine(secret.target);
  if (target < 0) return {"cannot open the secret's path", secret.target, errno};
  snprintf(from, sizeof from, "/proc/self/fd/%d", file);
  snprintf(onto, sizeof onto, "/proc/self/fd/%d", target);
  if (mount(from, onto, nullptr, MS_BIND, nullptr) != 0) return {"cannot show the secret", secret.target, errno};
  close(target);
  // Stays open until its user is known.
  secret.file = file;
  return {};
}

}  // namespace

Failure put_secrets(Order& order, int root) {
  if (order.secret_count == 0) return {};
  constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  // Memory that is never swapped out, where the kernel can (6.4).
  if (mount("secrets", order.secret_stage, "tmpfs", kFlags, "mode=700,noswap") != 0 &&
      mount("secrets", order.secret_stage, "tmpfs", kFlags, "mode=700") != 0)
    return {"cannot mount memory for secrets on", order.secret_stage, errno};
  const int stage = open(order.secret_stage, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (stage < 0) return {"cannot open", order.secret_stage, errno};
  for (int i = 0; i < order.secret_count; ++i) {
    const Failure failure = put_one(order.secrets[i], stage, i, root);
    if (failure.step != nullptr) return failure;
  }
  close(stage);
  if (umount2(order.secret_stage, MNT_DETACH) != 0) return {"cannot unmount", order.secret_stage, errno};
  return {};
}

Failure give_secrets(Order& order) {
  for (int i = 0; i < order.secret_count; ++i) {
    const int file = order.secrets[i].file;
    if (order.switch_user && fchown(file, machine_uid(order), machine_gid(order)) != 0)
      return {"cannot give away the secret", order.secrets[i].target, errno};
    close(file);
  }
  return {};
}

}  // namespace containerizer::launch
