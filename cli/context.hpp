#pragma once

// What a command may use: the environment, input and output, the configuration and the cluster.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cli/client.hpp"
#include "cli/config_store.hpp"

namespace cli {

using Environment = std::map<std::string, std::string>;

struct Io {
  std::function<void(std::string_view)> out;
  std::function<void(std::string_view)> err;
  std::function<base::Result<std::string>()> read_input;
  std::function<base::Result<std::string>()> read_secret{};  // a line that is not shown
  bool input_is_terminal = true;
};

/// What core.ssl_verify of the cluster says: true, false, or a file of authorities.
void set_tls(const Cluster& cluster, ClientSettings& settings);

class Context {
 public:
  Context(Environment environment, Io io);
  ~Context();

  void out(std::string_view text) { io_.out(text); }
  void line(std::string_view text);  // out, with a line feed
  void note(std::string_view text);  // to the error stream, with a line feed
  void prompt(std::string_view text) { io_.err(text); }
  const Io& io() const { return io_; }

  /// The variable, or "".
  std::string env(const std::string& name) const;

  ConfigStore& store() { return store_; }

  /// The cluster commands work on: DCOS_CLUSTER, the only one, or the attached one. DCOS_URL alone
  /// makes one without configuration. Error: how to get one.
  base::Result<Cluster> cluster();

  /// Requests to that cluster.
  base::Result<Client*> client();

  /// One to another address; not kept.
  std::unique_ptr<Client> client_for(const std::string& url, const std::string& token);

  /// Requests to a cluster as somebody else, or nobody (""); not kept.
  std::unique_ptr<Client> client_for(const Cluster& cluster, const std::string& token,
                                     base::Duration timeout = base::seconds(180));

  int verbosity = 0;

 private:
  Environment environment_;
  Io io_;
  ConfigStore store_;
  std::unique_ptr<Client> client_;
};

}  // namespace cli
