#pragma once

// Secrets: what tasks may know and nobody else. A secret comes by value, inside the task, or by reference to a store.

#include <memory>
#include <string>

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

/// Can this secret be looked up at all? `resolver` may be null.
Status check(const mesos::v1::Secret& secret, const Resolver* resolver);

/// The value, or what the reference leads to.
Result<std::string> resolve(const mesos::v1::Secret& secret, const Resolver* resolver);

}  // namespace containerizer::secrets
