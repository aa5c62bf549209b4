#pragma once

// Secrets: what tasks may know and nobody else. A secret comes by value, inside the task, or by reference to a store.

#include <memory>
#include <string>

#include "base/time.hpp"
#include "kernel/api/mesos/v1/values.pb.h"
#include "kernel/containerizer/types.hpp"

namespace containerizer::secrets {

constexpr uint64_t kMaxSecret = 1 << 20;  // bytes

/// A store of secrets. Thread-safe; may block.
class Resolver {
 public:
  virtual ~Resolver() = default;

  /// The secret's bytes. Errors name the secret and never contain any of it.
  virtual Result<std::string> find(const mesos::v1::Secret::Reference& reference) const = 0;
};

/// `--secret_dir`: the secret "a/b" is the file a/b below the directory, with a key "k" the file a/b/k. Directory and files
/// must belong to the agent's user and be closed to all others; links are not followed.
Result<std::shared_ptr<const Resolver>> open_directory(const std::string& path);

/// `--secret_command`: a program that gets "a/b" or "a/b/k" as a line on its standard input and answers with the secret's
/// bytes, all of them, on its standard output. Anything but exit code 0, more than 1 MiB, or no end within `limit` is an error;
/// then it is killed with what it started. It has PATH and nothing else of the agent's environment; its standard error is the
/// agent's.
Result<std::shared_ptr<const Resolver>> open_command(const std::string& program, base::Duration limit = base::seconds(10));

/// "a/b" or "a/b/k".
Result<std::string> path_of(const mesos::v1::Secret::Reference& reference);

/// Can this secret be looked up at all? `resolver` may be null.
Status check(const mesos::v1::Secret& secret, const Resolver* resolver);

/// The value, or what the reference leads to.
Result<std::string> resolve(const mesos::v1::Secret& secret, const Resolver* resolver);

}  // namespace containerizer::secrets
