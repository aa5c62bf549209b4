#include "kernel/containerizer/audit.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/loop.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/images/collection.hpp"
#include "kernel/containerizer/images/store.hpp"
#include "kernel/containerizer/isolators/make.hpp"
#include "kernel/containerizer/native_impl.hpp"

namespace containerizer {
namespace {

constexpr double kPatienceWithStaging = 600;  // seconds without a change
const char* const kNextStart = "the agent removes it when it starts";

struct Auditor {
  const AuditScope& scope;
  const std::vector<KnownContainer>& known;
  Findings out{};
  std::set<std::string> ids{}, running{};   // of known containers
  std::map<pid_t, std::string> helpers{};   // first processes of those that run

  void add(std::string kind, std::string name, std::string detail, bool missing = false) {
    out.push_back({std::move(kind), std::move(name), std::move(detail), missing});
  }
  std::string runtime(const std::string& id) const { return scope.options.runtime_directory + "/" + id; }

  void look_at_known();
  void look_for_orphans();
  void look_at_processes();
  void look_at_mounts();
  void look_at_images();
  void look_at_projects();
};

void Auditor::look_at_known() {
  for (const auto& [spec, launched] : known) {
    ids.insert(spec.id);
    const auto name = launch::read_pid_file(runtime(spec.id) + "/pid");
    if (name && launch::open_process(*name)) {
      running.insert(spec.id);
      helpers[name->pid] = spec.id;
      if (scope.groups != nullptr && spec.own_group && scope.groups->processes(group_of(spec)).empty())
        add("cgroup", group_of(spec), "of container " + spec.id + ", whose processes are in none", true);
    } else if (launched && !base::exists(runtime(spec.id) + "/status")) {
      add("container", spec.id, "was seen to run, and neither its process nor its end is there", true);
    }
    if (running.contains(spec.id) && !base::exists(spec.sandbox)) add("sandbox", spec.sandbox, "of container " + spec.id, true);
  }
}

void Auditor::look_for_orphans() {
  for (const auto& id : orphans_of(scope.options, scope.groups, ids)) {
    const std::string group = group_of_id(id);
    const auto inside = scope.groups != nullptr ? scope.groups->processes(group) : std::vector<pid_t>();
    const auto groups = scope.groups != nullptr ? scope.groups->list() : std::vector<std::string>();
    if (std::find(groups.begin(), groups.end(), group) != groups.end())
      add("cgroup", group, std::to_string(inside.size()) + " processes are in it; " + kNextStart);
    for (const pid_t pid : inside) add("process", std::to_string(pid), "in the cgroup " + group);
    if (!base::exists(runtime(id))) continue;
    add("container", runtime(id), std::string("no container that the agent knows; ") + kNextStart);
    const auto name = launch::read_pid_file(runtime(id) + "/pid");
    if (name && launch::open_process(*name)) add("process", std::to_string(name->pid), "first process of container " + id);
  }
  const std::string trash = root_trash(scope.options);
  for (const auto& name : base::list_directory(trash).value_or({})) add("file", trash + "/" + name, "the files of an ended container");
}

/// Variables of the process as it was started.
bool started_for(const std::string& pid, const std::string& work_directory) {
  const auto environment = base::read_file("/proc/" + pid + "/environ", 1 << 20);
  if (!environment) return false;
  for (const auto variable : base::split(*environment, '\0'))
    for (const std::string_view name : {"MESOS_SANDBOX=", "MESOS_DIRECTORY="})
      if (variable.starts_with(name) && variable.substr(name.size()).starts_with(work_directory + "/")) return true;
  return false;
}

pid_t parent_of(pid_t pid) {
  const auto status = base::read_file("/proc/" + std::to_string(pid) + "/status", 1 << 16);
  if (!status) return 0;
  const size_t at = status->find("\nPPid:");
  if (at == std::string::npos) return 0;
  const auto number = base::parse_int(base::trim(std::string_view(*status).substr(at + 6, status->find('\n', at + 1) - at - 6)));
  return number ? static_cast<pid_t>(*number) : 0;
}

void Auditor::look_at_processes() {
  std::set<pid_t> known_pids;
  if (scope.groups != nullptr)
    for (const auto& container : known)
      for (const pid_t pid : scope.groups->processes(group_of(container.spec))) known_pids.insert(pid);
  for (const auto& name : base::list_directory("/proc").value_or({})) {
    const auto number = base::parse_int(name);
    if (!number || !started_for(name, scope.work_directory)) continue;
    const auto pid = static_cast<pid_t>(*number);
    // What is on its way into a container, or looks into one, is a child of the agent's.
    bool belongs = known_pids.contains(pid);
    for (pid_t at = pid; at > 1 && !belongs; at = parent_of(at)) belongs = helpers.contains(at) || (scope.agent > 0 && at == scope.agent);
    const std::string detail = "was started in a sandbox of this agent and is in no container that it knows";
    if (!belongs && std::none_of(out.begin(), out.end(), [&](const auto& one) { return one.kind == "process" && one.name == name; }))
      add("process", name, detail);
  }
}

void Auditor::look_at_mounts() {
  const std::string table = base::read_file("/proc/self/mountinfo").value_or("");
  const std::string networks = scope.options.networks ? scope.options.networks->options().directory : "";
  const auto below = [](std::string_view path, const std::string& directory) {
    return !directory.empty() && path.starts_with(directory + "/");
  };
  for (const auto line : base::tokenize(table, '\n')) {
    const auto columns = base::tokenize(line, ' ');
    if (columns.size() < 5) continue;
    std::string path = base::replace_all(std::string(columns[4]), "\\040", " ");
    if (below(path, networks)) {
      const std::string id = path.substr(networks.size() + 1, path.rfind('/') - networks.size() - 1);
      if (!ids.contains(id)) add("mount", path, "a network namespace that no container of the agent's has");
    } else if (path == networks && networks != "" && scope.options.networks->list().empty() && scope.agent == 0) {
      add("mount", path, "holds network namespaces, of which there are none; the agent takes it away when it ends");
    } else if (below(path, scope.options.runtime_directory) || below(path, root_trash(scope.options)) ||
               std::any_of(scope.sandboxes.begin(), scope.sandboxes.end(), [&](const auto& sandbox) { return below(path, sandbox); })) {
      add("mount", path, "containers have mounts in their own namespaces alone");
    }
  }
}

void Auditor::look_at_images() {
  if (scope.image_store.empty() || !base::exists(scope.image_store)) return;
  const auto survey = images::Store::survey(scope.image_store);
  if (!survey) return add("image store", scope.image_store, survey.error().message, true);
  const double now = base::system_clock().now().time.seconds();
  for (const auto& bad : survey->bad) add(bad.image ? "image" : "layer", bad.path, bad.why + "; " + kNextStart);
  for (const auto& name : survey->trash) add("file", scope.image_store + "/trash/" + name, kNextStart);
  for (const auto& name : survey->staging) {
    const std::string path = scope.image_store + "/staging/" + name;
    struct stat info {};
    // Names begin with the pid of who is at work.
    const bool at_work = scope.agent > 0 && name.starts_with(std::to_string(scope.agent) + "-") && stat(path.c_str(), &info) == 0 &&
                         now - static_cast<double>(info.st_mtime) < kPatienceWithStaging;
    if (!at_work && base::exists(path)) add("file", path, std::string("a pull that did not end; ") + kNextStart);
  }
  // Those that no image has are kept for a while, for a pull that is tried again.
  images::CollectionPolicy nothing;
  nothing.max_age = base::hours(24 * 365 * 100);
  for (const auto& layer : images::plan_collection(survey->content, {}, {}, nothing, now, 0).layers)
    add("layer", layer, "no image has it; the agent's next collection of images removes it");
  for (const auto& id : running) {
    const auto image = images::read_image_id(runtime(id));
    if (image && !survey->content.images.contains(*image)) add("image", *image, "of container " + id, true);
  }
}

void Auditor::look_at_projects() {
  std::set<uint32_t> held;
  for (const auto& id : ids) {
    const std::string projects = base::read_file(runtime(id) + "/" + kXfsProjectFile, 1 << 16).value_or("");
    for (const auto line : base::tokenize(projects, '\n'))
      if (const auto number = base::parse_uint(line)) held.insert(static_cast<uint32_t>(*number));
  }
  std::map<uint32_t, std::string> limited;
  for (const auto& sandbox : scope.sandboxes)
    if (const auto project = limited_xfs_project(sandbox)) limited.emplace(*project, sandbox);
  for (const auto& [project, sandbox] : limited)
    if (!held.contains(project) && project >= scope.first_project && project <= scope.last_project)
      add("disk project", std::to_string(project), "limits " + sandbox + ", whose container is gone");
}

}  // namespace

Findings audit(const AuditScope& scope, const std::vector<KnownContainer>& known) {
  Auditor auditor{scope, known};
  auditor.look_at_known();
  auditor.look_for_orphans();
  auditor.look_at_processes();
  auditor.look_at_mounts();
  auditor.look_at_images();
  auditor.look_at_projects();
  if (scope.options.networks) {
    std::set<std::string> ever;
    for (const auto& sandbox : scope.sandboxes) ever.insert(sandbox.substr(sandbox.rfind('/') + 1));
    for (auto& finding : scope.options.networks->audit(auditor.ids, auditor.running, [&](const auto& id) { return ever.contains(id); }))
      auditor.out.push_back(std::move(finding));
  }
  return std::move(auditor.out);
}

}  // namespace containerizer
