// dcos-marathon-import: takes over the state that Marathon 1.5 to 1.11 keeps in ZooKeeper.
//
//   dcos-marathon-import --zk=zk://host:2181/marathon                           says what would be taken over
//   dcos-marathon-import --zk=zk://host:2181/marathon --out=marathon.backup
//   dcos-marathon-import --backup=FILE --out=marathon.backup                    from the original's own backup, a tar
//   dcos-marathon --master=... --restore=marathon.backup
//
// It reads only: the original's state stays as it is, and the same state gives the same file.

#include <cstdio>
#include <memory>
#include <optional>

#include "base/file.hpp"
#include "base/flags.hpp"
#include "base/log.hpp"
#include "base/loop.hpp"
#include "base/zk/real.hpp"
#include "marathon/backup.hpp"
#include "marathon/import/backup_tar.hpp"
#include "marathon/import/read.hpp"

namespace {

constexpr uint64_t kMostBytes = uint64_t{1} << 30;  // of a backup
constexpr int kLoses = 3;  // tasks would be ended: nothing is written unless that is accepted

int fail(const std::string& message) {
  std::fprintf(stderr, "dcos-marathon-import: %s\n", message.c_str());
  return 1;
}

base::Result<marathon::original::Stored> read(const base::zk::Url& url) {
  base::Loop loop;
  base::Result<marathon::original::Stored> result = base::unavailable("ZooKeeper cannot be reached within a minute");
  const auto finish = [&](base::Result<marathon::original::Stored> outcome) {
    result = std::move(outcome);
    loop.stop();
  };
  const base::zk::Host host = base::zk::real_host(loop, url);
  std::unique_ptr<base::zk::Client> client;
  bool begun = false;
  client = host.connect({}, [&](base::zk::SessionState state) {
    if (state == base::zk::SessionState::AuthFailed) return finish(base::unavailable("ZooKeeper refuses the credentials"));
    if (state != base::zk::SessionState::Connected || begun) return;
    begun = true;
    marathon::original::read_state(*client, url.path, finish);
  });
  const auto guard = loop.after(base::minutes(1), [&] {
    if (!begun) loop.stop();
  });
  loop.run();
  loop.cancel(guard);
  return result;
}

base::Result<marathon::original::Stored> read_tar(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, base::read_file(path, kMostBytes));
  ASSIGN_OR_RETURN(marathon::original::Nodes nodes, marathon::original::nodes_of_backup(text));
  return marathon::original::Stored{std::move(nodes), false};
}

void tell(const marathon::original::Import& import) {
  std::printf("%zu groups, %zu apps and %zu pods with %zu earlier versions, %zu tasks that go on, %zu reservations\n",
              import.groups, import.apps, import.pods, import.versions, import.instances, import.reservations);
  for (const std::string& line : import.left_out) std::printf("left behind: %s\n", line.c_str());
  for (const std::string& line : import.lost) std::printf("LOST: %s\n", line.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  std::string role = "*";
  std::optional<std::string> zk, backup, out;
  bool accept_losses = false;
  base::FlagTable flags("dcos-marathon-import", "Takes over the state that Marathon 1.5 to 1.11 keeps in ZooKeeper, as a file for "
                        "'dcos-marathon --restore=FILE'. Nothing in ZooKeeper is changed.", "");
  flags.add(&zk, "zk", "What --zk of Marathon was: zk://user:password@host:port,.../path.", {.secret = true});
  flags.add(&backup, "backup",
            "Instead of --zk: a backup that Marathon wrote, a tar. Tasks that it has started since are not in it, and are ended.");
  flags.add(&role, "mesos_role", "What --mesos_role of Marathon was, for apps stored before 1.9.");
  flags.add(&out, "out", "The file to write, which must not exist; left out, what would be taken over is only told.");
  flags.add(&accept_losses, "accept_losses", "Write the file although it lacks tasks, which will be ended.");
  const auto parsed = flags.parse(argc, argv, {}, [](const std::string& path) { return base::read_file(path); });
  if (flags.help_requested()) return std::fputs(flags.help().c_str(), stdout) < 0;
  if (!parsed) return fail(parsed.error().message + "\nTry --help.");
  base::log::set_level(base::log::Level::Warning);
  if (zk.has_value() == backup.has_value()) return fail("give either --zk or --backup\nTry --help.");
  const auto url = base::zk::parse_url(zk.value_or("zk://unused/unused"));
  if (!url) return fail("--zk: " + url.error().message);
  if (out && base::exists(*out)) return fail("--out=" + *out + ": that file exists");
  const auto stored = zk ? read(*url) : read_tar(*backup);
  if (!stored) return fail((backup ? "--backup=" + *backup + ": " : "") + stored.error().message);
  if (stored->in_use && out) return fail("a Marathon still runs on that state: stop all of them first, their tasks go on");
  if (stored->in_use) std::puts("a Marathon runs on that state, which may change while it is read: a rehearsal");
  const auto import = marathon::original::convert(stored->nodes, role);
  if (!import) return fail(import.error().message);
  tell(*import);
  if (!import->lost.empty() && !accept_losses) {
    fail("nothing is written, because tasks would be ended: see the lines marked LOST. Put that right in Marathon first, or give "
         "--accept_losses");
    return kLoses;
  }
  if (!out) return std::puts("nothing is written; give --out=FILE to write it"), 0;
  std::vector<base::StoreEntry> entries;
  for (const auto& [key, value] : import->records) entries.push_back({key, value});
  if (const auto written = base::write_file_atomic(*out, marathon::render_backup(entries), 0600); !written) {
    return fail(written.error().message);
  }
  std::printf("written to %s: start dcos-marathon with --restore=%s\n", out->c_str(), out->c_str());
  return 0;
}
