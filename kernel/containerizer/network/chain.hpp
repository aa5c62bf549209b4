#pragma once

// Carries a container's interface through the plugins of a network: ADD in their order, DEL in reverse, CHECK. Programs
// on the plugins' path, or what is built in under a plugin's name. Blocks; any thread, one call per container at a
// time.

#include <map>
#include <memory>
#include <string>

#include "base/time.hpp"
#include "kernel/containerizer/network/config.hpp"
#include "kernel/containerizer/network/request.hpp"
#include "kernel/containerizer/network/result.hpp"

namespace containerizer::network {

/// One network of one container.
struct Link {
  std::string container, interface;  // "eth0"
  std::string network_file;          // of its namespace; empty when that is gone
  Wish wish;
  NetworkConfig config;
  std::string result{};  // what the last plugin of ADD printed; empty: none yet
};

/// Where a call can be ended from outside, and what the programs hold open.
struct CallContext {
  int cancel_fd = -1, held_fd = -1;
};

/// A plugin that lives in this process. `input` is what a program would read. Thread-safe.
class Builtin {
 public:
  virtual ~Builtin() = default;
  /// The result as a program would print it.
  virtual Result<std::string> add(const Link& link, const std::string& input, const CallContext& context) = 0;
  /// Works when ADD did not happen, did half or was undone already.
  virtual Status del(const Link& link, const std::string& input, const CallContext& context) = 0;
  virtual Status check(const Link& link, const std::string& input, const CallContext& context) = 0;
};

/// What a plugin reads: its configuration, the network's name and version, the result of the plugin before it, what it
/// wants to be told by its capabilities, and the NetworkInfo under args/org.apache.mesos.
std::string render_plugin_input(const Link& link, const PluginConfig& plugin, const std::string& previous);

struct ChainOptions {
  std::string search_path;                    // directories, separated by ':'
  base::Duration timeout = base::minutes(1);  // of each call of a program
};

class Chain {
 public:
  explicit Chain(ChainOptions options) : options_(std::move(options)) {}

  void add_builtin(const std::string& type, std::shared_ptr<Builtin> builtin) { builtins_[type] = std::move(builtin); }

  /// NotFound names a plugin that is neither built in nor on the path.
  Status find_plugins(const NetworkConfig& config) const;

  /// Sets link.result. After an error del() is due: some plugins have done their part.
  Result<CniResult> add(Link& link, const CallContext& context);

  /// All plugins are called, whatever the others say; the first error is told.
  Status del(const Link& link, const CallContext& context);

  /// Nothing for networks of versions without CHECK, or that do not want it.
  Status check(const Link& link, const CallContext& context);

  /// Calls a program with `input`, for built-in plugins that delegate. `verb`: ADD, DEL or CHECK.
  Result<std::string> call_program(const char* verb, const std::string& type, const Link& link,
                                   const std::string& input, const CallContext& context) const;

 private:
  Result<std::string> call(const char* verb, const PluginConfig& plugin, const Link& link, const std::string& previous,
                           const CallContext& context);
  std::string find_program(const std::string& type) const;

  ChainOptions options_;
  std::map<std::string, std::shared_ptr<Builtin>> builtins_;
};

}  // namespace containerizer::network
