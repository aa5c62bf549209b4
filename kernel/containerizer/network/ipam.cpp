#include "kernel/containerizer/network/ipam.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/file.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace containerizer::network {
namespace {

Result<base::Fd> lock_directory(const std::string& directory) {
  RETURN_IF_ERROR(base::make_directories(directory));
  base::Fd lock(open((directory + "/lock").c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return base::errno_error("cannot open " + directory + "/lock", errno);
  while (flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR) return base::errno_error("cannot lock " + directory, errno);
  return lock;
}

std::string owner_text(const std::string& container, const std::string& interface) {
  return container + "\r\n" + interface;
}

/// False: somebody has it.
Result<bool> try_lease(const std::string& directory, const IpAddress& address, const std::string& owner) {
  const std::string path = directory + "/" + address.text();
  // One without content is of somebody who ended before it could be written: whoever holds the lock may have it.
  struct stat info {};
  const bool left_over = stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && info.st_size == 0;
  const base::Fd file(open(path.c_str(), O_WRONLY | O_CREAT | (left_over ? 0 : O_EXCL) | O_CLOEXEC, 0600));
  if (!file)
    return errno == EEXIST ? Result<bool>(false) : Result<bool>(base::errno_error("cannot make " + path, errno));
  if (write(file.get(), owner.data(), owner.size()) != static_cast<ssize_t>(owner.size())) {
    const int error = errno;
    unlink(path.c_str());
    return base::errno_error("cannot write " + path, error);
  }
  return true;
}

bool in_range(const Range& range, const IpAddress& address) {
  return address.v6 == range.first.v6 && range.first <= address && address <= range.last && address != range.gateway;
}

/// The next free address after the one given out last, so that an address rests as long as can be before it is used
/// again.
Result<Lease> lease_one(const std::string& directory, const std::vector<Range>& set, const std::string& last_file,
                        const std::string& owner) {
  const auto last_text = base::read_file(directory + "/" + last_file, 64);
  const auto last =
      last_text ? IpAddress::parse(std::string(base::trim(*last_text))) : Result<IpAddress>(base::not_found(""));
  size_t start = 0;
  std::optional<IpAddress> after;
  for (size_t i = 0; last && i < set.size(); ++i)
    if (last->v6 == set[i].first.v6 && set[i].first <= *last && *last <= set[i].last) {
      start = i;
      after = *last;
    }
  // Behind the last one, through the other ranges, and in the first one up to where it began.
  for (size_t step = 0; step <= set.size(); ++step) {
    const Range& range = set[(start + step) % set.size()];
    IpAddress at = step == 0 && after ? after->next() : range.first;
    const IpAddress end = step == set.size() && after ? *after : range.last;
    if (step == set.size() && !after) break;
    for (; at <= end && at.v6 == range.first.v6; at = at.next()) {
      if (at == range.gateway) continue;
      ASSIGN_OR_RETURN(const bool ours, try_lease(directory, at, owner));
      if (ours) {
        (void)base::write_file(directory + "/" + last_file, at.text(), 0600);
        return Lease{at, range};
      }
      if (at == range.last) break;
    }
  }
  return base::unavailable("no address is left in " + set.front().subnet.text() + " (see " + directory + ")");
}

Result<Lease> lease_wanted(const std::string& directory, const std::vector<Range>& set, const IpAddress& wanted,
                           const std::string& owner) {
  for (const Range& range : set) {
    if (!in_range(range, wanted)) continue;
    ASSIGN_OR_RETURN(const bool ours, try_lease(directory, wanted, owner));
    if (ours) return Lease{wanted, range};
    return base::conflict("the address " + wanted.text() + " is taken");
  }
  return base::invalid("the address " + wanted.text() + " is in none of the network's ranges");
}

void release_locked(const std::string& directory, const std::string& owner) {
  for (const auto& lease : list_leases(directory))
    if (owner_text(lease.container, lease.interface) == owner) unlink(lease.path.c_str());
}

}  // namespace

IpAddress IpAddress::next() const {
  IpAddress out = *this;
  for (size_t i = size(); i-- > 0;)
    if (++out.bytes[i] != 0) break;
  return out;
}

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN];
  return inet_ntop(v6 ? AF_INET6 : AF_INET, bytes.data(), buffer, sizeof buffer) == nullptr ? "" : buffer;
}

Result<IpAddress> IpAddress::parse(const std::string& text) {
  IpAddress out;
  out.v6 = text.find(':') != std::string::npos;
  if (inet_pton(out.v6 ? AF_INET6 : AF_INET, text.c_str(), out.bytes.data()) != 1)
    return base::invalid("'" + base::valid_utf8(text) + "' is no address");
  return out;
}

bool Subnet::contains(const IpAddress& address) const {
  if (address.v6 != network.v6) return false;
  for (unsigned bit = 0; bit < prefix; ++bit)
    if (((address.bytes[bit / 8] ^ network.bytes[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  return true;
}

IpAddress Subnet::last() const {
  IpAddress out = network;
  for (unsigned bit = prefix; bit < network.size() * 8; ++bit)
    out.bytes[bit / 8] |= static_cast<uint8_t>(1 << (7 - bit % 8));
  return out;
}

std::string Subnet::text() const { return network.text() + "/" + std::to_string(prefix); }

Result<Subnet> Subnet::parse(const std::string& text) {
  const size_t slash = text.find('/');
  Subnet out;
  ASSIGN_OR_RETURN(out.network, IpAddress::parse(text.substr(0, slash)));
  const auto bits = base::parse_uint(slash == std::string::npos ? "" : text.substr(slash + 1));
  if (!bits || *bits > out.network.size() * 8) return base::invalid("'" + text + "' is no network such as 10.1.0.0/16");
  out.prefix = static_cast<unsigned>(*bits);
  for (unsigned bit = out.prefix; bit < out.network.size() * 8; ++bit)
    if ((out.network.bytes[bit / 8] >> (7 - bit % 8) & 1) != 0)
      return base::invalid("'" + text + "' is an address in a network and not the network's own");
  return out;
}

Result<std::vector<Lease>> lease_addresses(const IpamConfig& config, const std::string& container,
                                           const std::string& interface, const std::vector<IpAddress>& wanted) {
  ASSIGN_OR_RETURN(const base::Fd lock, lock_directory(config.directory));
  const std::string owner = owner_text(container, interface);
  std::vector<Lease> out;
  std::vector<IpAddress> open = wanted;
  for (size_t i = 0; i < config.sets.size(); ++i) {
    const auto& set = config.sets[i];
    const auto asked = std::find_if(open.begin(), open.end(),
                                    [&set](const IpAddress& address) { return set.front().subnet.contains(address); });
    auto lease = asked != open.end() ? lease_wanted(config.directory, set, *asked, owner)
                                     : lease_one(config.directory, set, "last_reserved_ip." + std::to_string(i), owner);
    if (asked != open.end()) open.erase(asked);
    if (!lease) {
      release_locked(config.directory, owner);
      return lease.error();
    }
    out.push_back(*lease);
  }
  if (!open.empty()) {
    release_locked(config.directory, owner);
    return base::invalid("the address " + open.front().text() + " is in none of the network's ranges");
  }
  return out;
}

std::vector<HeldLease> list_leases(const std::string& directory) {
  std::vector<HeldLease> out;
  for (const auto& name : base::list_directory(directory).value_or({})) {
    if (!IpAddress::parse(name)) continue;
    const std::string text(base::trim(base::read_file(directory + "/" + name, 4096).value_or("")));
    const size_t end = text.find("\r\n");
    if (end != std::string::npos) out.push_back({directory + "/" + name, text.substr(0, end), text.substr(end + 2)});
  }
  return out;
}

Status release_addresses(const std::string& directory, const std::string& container, const std::string& interface) {
  if (!base::exists(directory)) return {};
  ASSIGN_OR_RETURN(const base::Fd lock, lock_directory(directory));
  release_locked(directory, owner_text(container, interface));
  return {};
}

}  // namespace containerizer::network
