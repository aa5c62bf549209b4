#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/store/backends.hpp"
#include "base/store/look.hpp"

namespace base {

namespace {

constexpr size_t kMaxQueued = 100'000;  // batches waiting for the writer
constexpr size_t kMaxGroup = 1'000;     // batches sharing one sync

struct Closer {
  void operator()(sqlite3* database) const { ::sqlite3_close(database); }
  void operator()(sqlite3_stmt* statement) const { ::sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, Closer>;
using Statement = std::unique_ptr<sqlite3_stmt, Closer>;

Error sqlite_error(sqlite3* database, int code, const std::string& path) {
  std::string reason = database ? ::sqlite3_errmsg(database) : ::sqlite3_errstr(code);
  int system = database ? ::sqlite3_system_errno(database) : 0;
  switch (code & 0xff) {
    case SQLITE_FULL:
      return {Code::NoSpace, "cannot write the store " + path + ": the disk is full"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {Code::Corrupt,
              "the store " + path + " is damaged (" + reason +
                  "): restore the file from a backup, or move it away (with its -wal and -shm "
                  "files) to start empty"};
    case SQLITE_IOERR:
      if (system == ENOSPC || system == EDQUOT) {
        return {Code::NoSpace, "cannot write the store " + path + ": the disk is full"};
      }
      return {Code::Io, "cannot use the store " + path + ": " + reason +
                            (system != 0 ? " (" + std::string(strerror(system)) + ")" : "")};
    default:
      return {Code::Io, "cannot use the store " + path + ": " + reason};
  }
}

/// One connection to the file.
class Connection {
 public:
  Status open(const std::string& path) {
    path_ = path;
    sqlite3* raw = nullptr;
    int code = ::sqlite3_open_v2(
        path.c_str(), &raw,
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
        nullptr);
    database_.reset(raw);
    if (code != SQLITE_OK) return error(code);
    ::sqlite3_busy_timeout(raw, 10'000);
    RETURN_IF_ERROR(run("PRAGMA journal_mode=WAL"));
    RETURN_IF_ERROR(run("PRAGMA synchronous=FULL"));
    RETURN_IF_ERROR(run("PRAGMA journal_size_limit=67108864"));
    return {};
  }

  /// Without a -wal file nobody writes, and nothing is made beside the file for the sake of a look.
  Status open_to_look(const std::string& path) {
    path_ = path;
    std::string name = "file:";
    for (const char c : path) name += c == '%' ? "%25" : c == '?' ? "%3f" : c == '#' ? "%23" : std::string(1, c);
    if (!exists(path + "-wal")) name += "?immutable=1";
    sqlite3* raw = nullptr;
    const int code = ::sqlite3_open_v2(
        name.c_str(), &raw, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
    database_.reset(raw);
    if (code != SQLITE_OK) return error(code);
    ::sqlite3_busy_timeout(raw, 10'000);
    return {};
  }

  Status run(const char* sql) {
    int code = ::sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error(code);
    return {};
  }

  Result<Statement> prepare(const char* sql) {
    sqlite3_stmt* raw = nullptr;
    int code = ::sqlite3_prepare_v2(database_.get(), sql, -1, &raw, nullptr);
    if (code != SQLITE_OK) return error(code);
    return Statement(raw);
  }

  Error error(int code) { return sqlite_error(database_.get(), code, path_); }

  bool in_transaction() { return ::sqlite3_get_autocommit(database_.get()) == 0; }

 private:
  std::string path_;
  Database database_;
};

void bind_blob(sqlite3_stmt* statement, int index, std::string_view bytes) {
  // An empty blob is not NULL: the pointer must not be null.
  ::sqlite3_bind_blob64(statement, index, bytes.empty() ? "" : bytes.data(), bytes.size(),
                        SQLITE_STATIC);
}

std::string column(sqlite3_stmt* statement, int index) {
  const void* data = ::sqlite3_column_blob(statement, index);
  auto size = static_cast<size_t>(::sqlite3_column_bytes(statement, index));
  return data ? std::string(static_cast<const char*>(data), size) : std::string();
}

/// The first key after all that begin with `prefix`; empty when there is none.
std::string after_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) ++prefix.back();
  return prefix;
}

class SqliteStore : public Store {
 public:
  explicit SqliteStore(Loop& loop) : loop_(loop) {}

  ~SqliteStore() override {
    *alive_ = false;
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
  }

  Status open(const std::string& path) {
    size_t slash = path.find_last_of('/');
    std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    RETURN_IF_ERROR(make_directories(directory, 0755));
    RETURN_IF_ERROR(lock(path));
    RETURN_IF_ERROR(writer_.open(path));
    RETURN_IF_ERROR(check(path));
    RETURN_IF_ERROR(writer_.run(
        "CREATE TABLE IF NOT EXISTS kv (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"));
    ASSIGN_OR_RETURN(put_, writer_.prepare("INSERT OR REPLACE INTO kv (key, value) VALUES (?1, ?2)"));
    ASSIGN_OR_RETURN(erase_, writer_.prepare("DELETE FROM kv WHERE key = ?1"));
    RETURN_IF_ERROR(reader_.open(path));
    ASSIGN_OR_RETURN(get_, reader_.prepare("SELECT value FROM kv WHERE key = ?1"));
    ASSIGN_OR_RETURN(scan_, reader_.prepare(
        "SELECT key, value FROM kv WHERE key >= ?1 AND (?2 = x'' OR key < ?2) ORDER BY key"));
    Fd parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!parent || ::fsync(parent.get()) != 0) return errno_error("cannot sync " + directory, errno);
    thread_ = std::thread([this] { write_all(); });
    return {};
  }

  void commit(StoreBatch batch, Done done) override {
    {
      std::lock_guard lock(mutex_);
      if (queue_.size() < kMaxQueued) {
        queue_.push_back({std::move(batch), std::move(done)});
        wake_.notify_one();
        return;
      }
    }
    loop_.post([alive = alive_, done = std::move(done)] {
      if (*alive && done) done(unavailable("too many commits wait for the disk"));
    });
  }

  Result<std::vector<StoreEntry>> scan(const std::string& prefix) override {
    std::string end = after_prefix(prefix);
    bind_blob(scan_.get(), 1, prefix);
    bind_blob(scan_.get(), 2, end);
    std::vector<StoreEntry> found;
    int code = 0;
    while ((code = ::sqlite3_step(scan_.get())) == SQLITE_ROW) {
      found.push_back({column(scan_.get(), 0), column(scan_.get(), 1)});
    }
    Error error = reader_.error(code);
    ::sqlite3_reset(scan_.get());
    if (code != SQLITE_DONE) return error;
    return found;
  }

  Result<std::optional<std::string>> get(const std::string& key) override {
    bind_blob(get_.get(), 1, key);
    int code = ::sqlite3_step(get_.get());
    std::optional<std::string> value;
    if (code == SQLITE_ROW) value = column(get_.get(), 0);
    Error error = reader_.error(code);
    ::sqlite3_reset(get_.get());
    if (code != SQLITE_ROW && code != SQLITE_DONE) return error;
    return value;
  }

 private:
  struct Pending {
    StoreBatch batch;
    Done done;
    Status outcome{};
  };

  /// Two processes on one file would each believe to be the only writer.
  Status lock(const std::string& path) {
    std::string name = path + ".lock";
    lock_ = Fd(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!lock_) return errno_error("cannot open " + name, errno);
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
      return conflict("the store " + path + " is in use by another process (see: fuser " + name + ")");
    }
    return {};
  }

  Status check(const std::string& path) {
    ASSIGN_OR_RETURN(Statement statement, writer_.prepare("PRAGMA quick_check(1)"));
    int code = ::sqlite3_step(statement.get());
    if (code != SQLITE_ROW) return writer_.error(code);
    std::string verdict = column(statement.get(), 0);
    if (verdict == "ok") return {};
    return Error{Code::Corrupt,
                 "the store " + path + " is damaged (" + verdict +
                     "): restore the file from a backup, or move it away (with its -wal and -shm "
                     "files) to start empty"};
  }

  // The writer's thread.

  void write_all() {
    for (;;) {
      auto group = std::make_shared<std::vector<Pending>>();
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        while (!queue_.empty() && group->size() < kMaxGroup) {
          group->push_back(std::move(queue_.front()));
          queue_.pop_front();
        }
      }
      Status all = write_group(*group, 0, group->size());
      if (!all && group->size() > 1) {
        // One of them may be what does not fit: each on its own.
        for (size_t i = 0; i < group->size(); ++i) (*group)[i].outcome = write_group(*group, i, i + 1);
      } else {
        for (Pending& pending : *group) pending.outcome = all;
      }
      loop_.post([alive = alive_, group] {
        for (Pending& pending : *group) {
          if (!*alive) return;
          if (pending.done) pending.done(std::move(pending.outcome));
        }
      });
    }
  }

  Status write_group(const std::vector<Pending>& group, size_t first, size_t last) {
    Status written = writer_.run("BEGIN IMMEDIATE");
    for (size_t i = first; i < last && written; ++i) {
      for (const auto& write : group[i].batch.writes) {
        written = apply(write);
        if (!written) break;
      }
    }
    if (written) written = writer_.run("COMMIT");
    if (!written) {
      LOG_ERROR("{}", written.error().message);
      if (writer_.in_transaction()) (void)writer_.run("ROLLBACK").has_value();
    }
    return written;
  }

  Status apply(const StoreBatch::Write& write) {
    sqlite3_stmt* statement = write.value ? put_.get() : erase_.get();
    bind_blob(statement, 1, write.key);
    if (write.value) bind_blob(statement, 2, *write.value);
    int code = ::sqlite3_step(statement);
    Error error = writer_.error(code);
    ::sqlite3_reset(statement);
    if (code != SQLITE_DONE) return error;
    return {};
  }

  Loop& loop_;
  Fd lock_;
  Connection writer_;  // of the writer's thread once it runs
  Statement put_, erase_;
  Connection reader_;  // of the loop's thread
  Statement get_, scan_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Pending> queue_;
  bool stopping_ = false;
  std::thread thread_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(Loop& loop, const std::string& path) {
  auto store = std::make_unique<SqliteStore>(loop);
  RETURN_IF_ERROR(store->open(path));
  return std::unique_ptr<Store>(std::move(store));
}

Result<std::vector<StoreEntry>> look_into_sqlite(const std::string& path) {
  if (!exists(path)) return not_found("there is no store " + path);
  Connection connection;
  RETURN_IF_ERROR(connection.open_to_look(path));
  ASSIGN_OR_RETURN(Statement all, connection.prepare("SELECT key, value FROM kv ORDER BY key"));
  std::vector<StoreEntry> found;
  int code = 0;
  while ((code = ::sqlite3_step(all.get())) == SQLITE_ROW) found.push_back({column(all.get(), 0), column(all.get(), 1)});
  if (code != SQLITE_DONE) return connection.error(code);
  return found;
}

}  // namespace base
