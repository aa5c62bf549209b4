// /files/*: sandboxes for people and log viewers.

#include <sys/stat.h>
#include <unistd.h>

#include "base/json/writer.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/agent/api/routes.hpp"

namespace agent {
namespace {

using base::http::Request;
using base::http::Responder;
using base::http::Response;

constexpr size_t kPieceBytes = 256 << 10;
constexpr const char* kNoPath = "Expecting 'path=value' in query.\n";

Response refusal(const base::Error& error) {
  const int status = error.code == base::Code::NotFound ? 404 : error.code == base::Code::InvalidArgument ? 400 : 500;
  return Response::text(status, error.message + (error.message.ends_with('\n') ? "" : "\n"));
}

void busy(const Responder& responder) { responder.reply(Response::text(503, "The agent is busy\n")); }

/// A number of the query, -1 when it is missing.
base::Result<int64_t> number_of(const base::http::Query& query, const char* name, const char* title) {
  const auto text = query.get(name);
  if (!text || text->empty()) return int64_t{-1};
  const auto number = base::parse_int(*text);
  if (!number) return base::invalid("Failed to parse " + std::string(name) + ": '" + base::valid_utf8(*text) + "' is not a number.\n");
  if (*number < -1) return base::invalid("Negative " + std::string(title) + " provided: " + std::to_string(*number) + ".\n");
  return *number;
}

/// A file under way to a client, one piece at a time: the next is read when the last has left.
struct Download : std::enable_shared_from_this<Download> {
  Download(Api& a, base::Fd f) : api(a), file(std::move(f)) {}

  void next() {
    const bool taken = api.pool.run_for(
        [self = shared_from_this()] {
          std::string piece(kPieceBytes, '\0');
          const ssize_t got = ::read(self->file.get(), piece.data(), piece.size());
          piece.resize(got > 0 ? static_cast<size_t>(got) : 0);
          return piece;
        },
        [self = shared_from_this()](std::string piece) {
          if (piece.empty()) {
            self->stream.close();
            self->stream = {};  // the stream's callbacks hold this object
          } else if (!self->over) {
            self->stream.write(std::move(piece));
          }
        });
    if (!taken) stream.abort();
  }

  Api& api;
  base::Fd file;
  base::http::Stream stream;
  bool over = false;
};

Response forbidden() { return Response::text(403, ""); }

/// The executor of that id, running or ended.
const Executor* find_executor(const Framework& framework, const std::string& id) {
  if (const auto found = framework.executors.find(id); found != framework.executors.end()) return &found->second;
  for (const auto& executor : framework.completed_executors)
    if (executor.id() == id) return &executor;
  return nullptr;
}

}  // namespace

namespace {

/// Volumes and shared directories that containers inside `root`'s see below their own sandboxes.
void add_directories_inside(const Api& api, const std::string& root, std::vector<Elsewhere>& out) {
  const auto& all = api.state().api_containers;
  for (auto at = all.lower_bound(root + "."); at != all.end() && at->first.starts_with(root + "."); ++at) {
    const ApiContainer& container = at->second;
    if (container.session || container.stage == ApiContainer::Stage::Ended || !container.container) continue;
    std::string parent, own;
    for (const auto part : base::split(std::string_view(at->first).substr(root.size() + 1), '.')) {
      parent = own;
      own += (own.empty() ? "containers/" : "/containers/") + std::string(part);
    }
    for (const auto& volume : container.container->volumes()) {
      const auto& shared = volume.source().sandbox_path();
      if (shared.type() != mesos::v1::Volume::Source::SandboxPath::PARENT || volume.container_path().starts_with("/")) continue;
      out.push_back({own + "/" + volume.container_path(), (parent.empty() ? "" : parent + "/") + shared.path()});
    }
  }
}

}  // namespace

Asked asked_of(const Api& api, const std::string& path) {
  Asked asked{path, api.agent_id()};
  const auto owner = api.files.owner(path, api.agent_id());
  if (!owner) return asked;
  const auto framework = api.state().frameworks.find(owner->framework);
  if (framework == api.state().frameworks.end()) return asked;
  const auto found = framework->second.executors.find(owner->executor);
  if (found == framework->second.executors.end()) return asked;
  const Executor& executor = found->second;
  // What has ended has its volumes no more.
  if (executor.state == ExecutorState::Terminated || (owner->run != "latest" && owner->run != executor.container_id)) return asked;
  for (const auto& volume : executor.volumes) {
    const auto mount = volume_mount(api.shell.core().policy().work_dir, volume);
    if (mount && !mount->container_path.starts_with("/")) asked.elsewhere.push_back({mount->container_path, mount->source});
  }
  add_directories_inside(api, executor.container_id, asked.elsewhere);
  return asked;
}

bool may_read(const Api& api, const std::string& principal, const std::string& path) {
  using auth::Action;
  if (path == kLogPath) return api.access.allows(Action::AccessMesosLogs, principal);
  if (api.access.allows_all(Action::AccessSandboxes, principal)) return true;
  const auto owner = api.files.owner(path, api.agent_id());
  if (!owner) return true;  // no sandbox: 404
  const State& state = api.state();
  const Framework* framework = nullptr;
  if (const auto found = state.frameworks.find(owner->framework); found != state.frameworks.end()) framework = &found->second;
  for (const auto& completed : state.completed_frameworks)
    if (framework == nullptr && completed.id() == owner->framework) framework = &completed;
  if (framework == nullptr) return api.access.allows(Action::AccessSandboxes, principal);
  const Executor* executor = find_executor(*framework, owner->executor);
  return api.access.allows(Action::AccessSandboxes, principal,
                           executor != nullptr ? user_of(*framework, *executor) : framework->info.user());
}

void handle_browse(Api& api, const Request& request, const Responder& responder) {
  const auto path = request.query().get("path");
  if (!path || path->empty()) return responder.reply(Response::text(400, kNoPath));
  if (!may_read(api, request.principal, *path)) return responder.reply(forbidden());
  const bool taken = api.pool.run_for(
      [&api, asked = asked_of(api, *path)] { return api.files.browse(asked); },
      [request, responder](base::Result<std::vector<ListedFile>> files) {
        if (!files) return responder.reply(refusal(files.error()));
        std::string text;
        base::json::Writer out(text);
        out.begin_array();
        for (const auto& file : *files) {
          out.begin_object();
          out.field("gid", file.group);
          out.field("mode", file.mode);
          out.field("mtime", file.mtime);
          out.field("nlink", file.links);
          out.field("path", file.path);
          out.field("size", file.size);
          out.field("uid", file.user);
          out.end_object();
        }
        out.end_array();
        reply_json(request, responder, std::move(text));
      });
  if (!taken) busy(responder);
}

void handle_read(Api& api, const Request& request, const Responder& responder) {
  const auto query = request.query();
  const auto path = query.get("path");
  if (!path || path->empty()) return responder.reply(Response::text(400, kNoPath));
  if (!may_read(api, request.principal, *path)) return responder.reply(forbidden());
  const auto offset = number_of(query, "offset", "offset");
  if (!offset) return responder.reply(refusal(offset.error()));
  const auto length = number_of(query, "length", "length");
  if (!length) return responder.reply(refusal(length.error()));
  const bool taken = api.pool.run_for(
      [&api, asked = asked_of(api, *path), offset = *offset, length = *length] { return api.files.read(asked, offset, length); },
      [request, responder](base::Result<ReadPiece> piece) {
        if (!piece) return responder.reply(refusal(piece.error()));
        std::string text;
        base::json::Writer out(text);
        out.begin_object();
        out.field("data", piece->data);
        out.field("offset", piece->offset);
        out.end_object();
        reply_json(request, responder, std::move(text));
      });
  if (!taken) busy(responder);
}

void handle_download(Api& api, const Request& request, const Responder& responder) {
  const auto path = request.query().get("path");
  if (!path || path->empty()) return responder.reply(Response::text(400, kNoPath));
  if (!may_read(api, request.principal, *path)) return responder.reply(forbidden());
  const auto work = [&api, asked = asked_of(api, *path)]() -> base::Result<std::shared_ptr<Download>> {
    ASSIGN_OR_RETURN(base::Fd file, api.files.open(asked));
    struct stat info;
    if (fstat(file.get(), &info) != 0) return base::errno_error(asked.path, errno);
    if (S_ISDIR(info.st_mode)) return base::invalid("Cannot download a directory.\n");
    if (!S_ISREG(info.st_mode)) return base::invalid("The path '" + asked.path + "' is inaccessible");
    return std::make_shared<Download>(api, std::move(file));
  };
  const bool taken = api.pool.run_for(work, [responder, path = *path](base::Result<std::shared_ptr<Download>> download) {
    if (!download) return responder.reply(refusal(download.error()));
    std::string name = path.substr(path.rfind('/') + 1);
    Response head;
    head.headers.set("Content-Type", std::string(content_type_of(name)));
    name = base::replace_all(base::replace_all(name, "\r", "_"), "\n", "_");
    head.headers.set("Content-Disposition", "attachment; filename=" + base::replace_all(name, "\"", "'"));
    const auto running = *download;
    running->stream = responder.stream(std::move(head));
    running->stream.on_drained([running] {
      if (!running->over) running->next();
    });
    running->stream.on_disconnect([running] {
      running->over = true;
      running->stream = {};
    });
    running->next();
  });
  if (!taken) busy(responder);
}

void handle_files_debug(Api& api, const Request& request, const Responder& responder) {
  std::string text;
  base::json::Writer out(text);
  out.begin_object();
  if (!api.files.log().empty()) out.field(kLogPath, api.files.log());
  const auto add = [&out](const Executor& executor) {
    const std::string virtual_path = "/frameworks/" + executor.framework_id + "/executors/" + executor.id() + "/runs/";
    out.field(virtual_path + executor.container_id, executor.directory);
    out.field(executor.directory, executor.directory);
  };
  for (const auto& [id, framework] : api.state().frameworks) {
    for (const auto& [executor_id, executor] : framework.executors) add(executor);
    for (const auto& executor : framework.completed_executors) add(executor);
  }
  out.end_object();
  reply_json(request, responder, std::move(text));
}

}  // namespace agent
