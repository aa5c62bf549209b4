// Users and groups as the container's own files have them. Those files come with the image: nothing
// in them is trusted.

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/containerizer/launch/steps.hpp"

namespace containerizer::launch {
namespace {

constexpr off_t kMaxFile = 4 << 20;

/// A whole file below the root as text; null when there is none that can be read.
char* read_inside(int root, const char* path) {
  const int fd = open_inside(root, path, O_RDONLY | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return nullptr;
  struct stat info;
  char* text = nullptr;
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_size <= kMaxFile)
    text = static_cast<char*>(malloc(static_cast<size_t>(info.st_size) + 1));
  size_t length = 0;
  while (text != nullptr && length < static_cast<size_t>(info.st_size)) {
    const ssize_t piece = read(fd, text + length, static_cast<size_t>(info.st_size) - length);
    if (piece < 0 && errno == EINTR) continue;
    if (piece <= 0) break;
    length += static_cast<size_t>(piece);
  }
  if (text != nullptr) text[length] = '\0';
  close(fd);
  return text;
}

bool parse_id(const char* text, unsigned long& id) {
  char* end = nullptr;
  errno = 0;
  id = strtoul(text, &end, 10);
  return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && id < 0xffffffffUL;
}

constexpr int kFields = 7;

/// Calls `take` with the fields of each line (pieces of `text`, which is changed) until it says
/// that it has enough.
template <class Take>
void each_line(char* text, Take take) {
  char* rest = text;
  while (rest != nullptr) {
    char* line = strsep(&rest, "\n");
    char* fields[kFields] = {};
    int count = 0;
    while (line != nullptr && count < kFields) fields[count++] = strsep(&line, ":");
    if (count >= 3 && take(fields, count)) return;
  }
}

struct Account {
  bool found = false, has_group = false;
  unsigned long uid = 0, gid = 0;
};

Account find_account(int root, const char* wanted, char* name, size_t name_size, char* home,
                     size_t home_size) {
  Account account;
  unsigned long number = 0;
  const bool numeric = parse_id(wanted, number);
  char* text = read_inside(root, "/etc/passwd");
  if (text != nullptr) {
    each_line(text, [&](char** fields, int count) {
      unsigned long uid = 0, gid = 0;
      if (count < 4 || !parse_id(fields[2], uid) || !parse_id(fields[3], gid)) return false;
      if (strcmp(fields[0], wanted) != 0 && !(numeric && uid == number)) return false;
      account = {true, true, uid, gid};
      snprintf(name, name_size, "%s", fields[0]);
      if (count >= 6 && fields[5] != nullptr && fields[5][0] == '/' &&
          strlen(fields[5]) < home_size)
        snprintf(home, home_size, "%s", fields[5]);
      return true;
    });
    free(text);
  }
  if (!account.found && numeric) account = {true, false, number, 0};
  return account;
}

bool find_group(int root, const char* wanted, unsigned long& gid) {
  bool found = false;
  char* text = read_inside(root, "/etc/group");
  if (text != nullptr) {
    each_line(text, [&](char** fields, int) {
      found = strcmp(fields[0], wanted) == 0 && parse_id(fields[2], gid);
      return found;
    });
    free(text);
  }
  return found || parse_id(wanted, gid);
}

bool lists(char* members, const char* name) {
  while (char* member = strsep(&members, ","))
    if (strcmp(member, name) == 0) return true;
  return false;
}

void add_group(Order& order, unsigned long gid) {
  for (size_t i = 0; i < order.group_count; ++i)
    if (order.groups[i] == gid) return;
  if (order.group_count < kMaxGroups) order.groups[order.group_count++] = static_cast<gid_t>(gid);
}

void add_memberships(int root, Order& order, const char* name) {
  char* text = read_inside(root, "/etc/group");
  if (text == nullptr || name[0] == '\0') return free(text);
  each_line(text, [&](char** fields, int count) {
    unsigned long gid = 0;
    if (count >= 4 && fields[3] != nullptr && parse_id(fields[2], gid) && lists(fields[3], name))
      add_group(order, gid);
    return false;
  });
  free(text);
}

Failure resolve(int root, Order& order) {
  char wanted[256], name[256] = "";
  if (snprintf(wanted, sizeof wanted, "%s", order.user_name) >= static_cast<int>(sizeof wanted))
    return {"the user's name is too long", order.user_name, 0};
  char* group = strchr(wanted, ':');
  if (group != nullptr) *group++ = '\0';
  const Account account = find_account(root, wanted[0] == '\0' ? "0" : wanted, name, sizeof name,
                                       order.home, sizeof order.home);
  if (!account.found) {
    // A name of the machine's: the agent sent its numbers along.
    if (order.switch_user) return {};
    return {"the image has no user", order.user_name, 0};
  }
  order.switch_user = true;
  order.uid = static_cast<uid_t>(account.uid);
  order.gid = static_cast<gid_t>(account.gid);
  order.group_count = 0;
  if (group != nullptr && group[0] != '\0') {
    unsigned long gid = 0;
    if (!find_group(root, group, gid)) return {"the image has no group", order.user_name, 0};
    order.gid = static_cast<gid_t>(gid);
  } else {
    add_memberships(root, order, name);
  }
  add_group(order, order.gid);
  if (order.home[0] == '\0') snprintf(order.home, sizeof order.home, "/");
  return {};
}

}  // namespace

Failure resolve_user(Order& order) {
  if (order.user_name == nullptr && order.group_name_count == 0) return {};
  const int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return {"cannot open the root", "", errno};
  Failure failure;
  if (order.user_name != nullptr) failure = resolve(root, order);
  for (int i = 0; failure.step == nullptr && i < order.group_name_count; ++i) {
    unsigned long gid = 0;
    if (find_group(root, order.group_names[i], gid))
      add_group(order, gid);
    else
      failure = {"the image has no group", order.group_names[i], 0};
  }
  close(root);
  return failure;
}

Failure give_to_user(const Order& order, int owned) {
  if (order.user_name == nullptr || !order.switch_user) return {};
  if (owned >= 0 && fchownat(owned, "", order.uid, order.gid, AT_EMPTY_PATH) != 0)
    return {"cannot give away the sandbox", order.owned, errno};
  if (order.output != nullptr && fchown(STDOUT_FILENO, order.uid, order.gid) != 0)
    return {"cannot give away the output file", order.output, errno};
  if (order.error_output != nullptr && fchown(STDERR_FILENO, order.uid, order.gid) != 0)
    return {"cannot give away the output file", order.error_output, errno};
  return {};
}

}  // namespace containerizer::launch
