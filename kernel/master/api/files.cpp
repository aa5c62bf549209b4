#include "kernel/master/api/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/file.hpp"
#include "base/json/writer.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "base/user_names.hpp"
#include "kernel/master/api/routes.hpp"
#include "kernel/master/shell.hpp"

namespace master {

using base::http::Request;
using base::http::Response;

namespace {

constexpr char kLog[] = "/master/log";
constexpr uint64_t kMostBytes = 16 * 4096;

base::Result<std::string> real_path(const Shell& shell, const std::string& path) {
  if (path == kLog && shell.flags().external_log_file) return *shell.flags().external_log_file;
  return base::not_found("No such file or directory: " + path);
}

std::string mode_text(uint32_t mode) {
  std::string text = S_ISDIR(mode) ? "d" : "-";
  const char* letters = "rwxrwxrwx";
  for (int i = 0; i < 9; ++i) text += (mode >> (8 - i)) & 1 ? letters[i] : '-';
  return text;
}

Response browse(Shell& shell, const Request& request) {
  const auto path = request.query().get("path");
  if (!path || path->empty()) return Response::text(400, "Expecting 'path=value' in query.");
  const auto entries = browse_files(shell, *path);
  if (!entries) return Response::from(entries.error());
  std::string text;
  base::json::Writer out(text);
  out.begin_array();
  for (const auto& entry : *entries) {
    out.begin_object();
    out.field("path", entry.path());
    out.field("nlink", entry.nlink());
    out.field("size", entry.size());
    out.field("mtime", static_cast<double>(entry.mtime().nanoseconds()) / 1e9);
    out.field("mode", mode_text(entry.mode()));
    out.field("uid", entry.uid());
    out.field("gid", entry.gid());
    out.end_object();
  }
  out.end_array();
  return json_answer(request, std::move(text));
}

Response read(Shell& shell, const Request& request) {
  const auto query = request.query();
  const auto path = query.get("path");
  if (!path || path->empty()) return Response::text(400, "Expecting 'path=value' in query.");
  const auto offset = base::parse_int(query.get("offset").value_or("-1"));
  const auto length = base::parse_int(query.get("length").value_or("-1"));
  if (!offset || *offset < -1) return Response::text(400, "Failed to parse offset: '" + query.get("offset").value_or("") + "'");
  if (!length || *length < -1) return Response::text(400, "Failed to parse length: '" + query.get("length").value_or("") + "'");
  const bool ask_size = *offset == -1;
  const auto piece = read_file_piece(shell, *path, ask_size ? 0 : static_cast<uint64_t>(*offset),
                                     ask_size ? 0 : *length < 0 ? kMostBytes : static_cast<uint64_t>(*length));
  if (!piece) return Response::from(piece.error());
  std::string text;
  base::json::Writer out(text);
  out.begin_object();
  out.field("offset", ask_size ? piece->size : static_cast<uint64_t>(*offset));
  out.field("data", piece->data);
  out.end_object();
  return json_answer(request, std::move(text));
}

Response download(Shell& shell, const Request& request) {
  const auto path = request.query().get("path");
  if (!path || path->empty()) return Response::text(400, "Expecting 'path=value' in query.");
  const auto real = real_path(shell, *path);
  if (!real) return Response::from(real.error());
  auto content = base::read_file(*real);
  if (!content) return Response::from(content.error());
  Response response;
  response.headers.set("Content-Type", "application/octet-stream");
  response.headers.set("Content-Disposition", "attachment; filename=" + path->substr(path->rfind('/') + 1));
  response.body = std::move(*content);
  return response;
}

Response debug(Shell& shell, const Request& request) {
  std::string text;
  base::json::Writer out(text);
  out.begin_object();
  if (shell.flags().external_log_file) out.field(kLog, *shell.flags().external_log_file);
  out.end_object();
  return json_answer(request, std::move(text));
}

}  // namespace

base::Result<std::vector<mesos::v1::FileInfo>> browse_files(const Shell& shell, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string real, real_path(shell, path));
  struct stat info {};
  if (stat(real.c_str(), &info) != 0) return base::errno_error("cannot look at " + path, errno);
  std::vector<mesos::v1::FileInfo> out;
  if (!S_ISDIR(info.st_mode)) return out;  // a file has no entries
  ASSIGN_OR_RETURN(const auto names, base::list_directory(real));
  for (const std::string& name : names) {
    const std::string full = real + "/" + name;
    if (lstat(full.c_str(), &info) != 0) continue;
    mesos::v1::FileInfo& entry = out.emplace_back();
    entry.set_path(path + "/" + name);
    entry.set_nlink(static_cast<int32_t>(info.st_nlink));
    entry.set_size(static_cast<uint64_t>(info.st_size));
    entry.mutable_mtime()->set_nanoseconds(info.st_mtim.tv_sec * 1'000'000'000);
    entry.set_mode(info.st_mode);
    entry.set_uid(base::name_of_user(info.st_uid));
    entry.set_gid(base::name_of_group(info.st_gid));
  }
  return out;
}

base::Result<FilePiece> read_file_piece(const Shell& shell, const std::string& path, uint64_t offset, uint64_t length) {
  ASSIGN_OR_RETURN(const std::string real, real_path(shell, path));
  const base::Fd file(open(real.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return base::errno_error("cannot open " + path, errno);
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return base::errno_error("cannot look at " + path, errno);
  if (S_ISDIR(info.st_mode)) return base::invalid("Cannot read a directory.");
  FilePiece piece;
  piece.size = static_cast<uint64_t>(info.st_size);
  if (offset >= piece.size) return piece;
  piece.data.resize(std::min({length, kMostBytes, piece.size - offset}));
  const ssize_t got = pread(file.get(), piece.data.data(), piece.data.size(), static_cast<off_t>(offset));
  if (got < 0) return base::errno_error("cannot read " + path, errno);
  piece.data.resize(static_cast<size_t>(got));
  return piece;
}

Response answer_files(Shell& shell, const std::string& what, const Request& request) {
  if (what == "browse") return browse(shell, request);
  if (what == "read") return read(shell, request);
  if (what == "download") return download(shell, request);
  return debug(shell, request);
}

}  // namespace master
