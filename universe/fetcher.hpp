#pragma once

// Gets the index of a repository: over HTTP, from a file or a directory tree, or the copy that is kept on disk. What
// comes is parsed on a thread of its own, so that nothing waits for a large repository.

#include <functional>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "universe/events.hpp"

namespace universe {

struct FetcherOptions {
  std::string kept_dir;     // copies on disk
  std::string bundled_dir;  // of the bundled catalog
  base::Duration timeout = base::seconds(60);
  IndexLimits limits{};
};

class Fetcher {
 public:
  using Done = std::function<void(FetchOutcome)>;

  Fetcher(base::Loop& loop, FetcherOptions options);
  ~Fetcher();

  /// `done` runs on the loop. A fresh index is kept on disk first.
  void fetch(const Fetch& wanted, Done done);

  /// The copy on disk, or for a local repository what is there now. Blocking: for the start.
  FetchOutcome load_kept(const std::string& uri) const;

  /// Removes the copy on disk.
  void forget(const std::string& uri) const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// A repository in its source form: <dir>[/repo]/packages/<LETTER>/<name>/<release>/*.json. Errors only when there is
/// nothing of the kind. `etag` changes with any file.
FetchOutcome read_tree(const std::string& dir, const std::string& known_etag, const IndexLimits& limits);

}  // namespace universe
