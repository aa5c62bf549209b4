#include "chronos/task_info.hpp"

#include <fmt/format.h>

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/api/mesos/v1/offers.pb.h"
#include "kernel/api/mesos/v1/tasks.pb.h"

namespace chronos {
namespace {

namespace pb = mesos::v1;

std::map<std::string, std::string> environment(const Job& job, const Run& run, const jobs::Offer& offer) {
  std::map<std::string, std::string> env;
  for (const auto& [name, value] : job.environment) env[name] = value;
  // These cannot be given by the job.
  env["mesos_task_id"] = env["MESOS_TASK_ID"] = run.id;
  env["CHRONOS_JOB_OWNER"] = job.owner;
  env["CHRONOS_JOB_NAME"] = job.name;
  env["HOST"] = offer.hostname;
  env["CHRONOS_RESOURCE_MEM"] = base::render_double(job.mem);
  env["CHRONOS_RESOURCE_CPU"] = base::render_double(job.cpus);
  env["CHRONOS_RESOURCE_DISK"] = base::render_double(job.disk);
  env["CHRONOS_JOB_RUN_TIME"] = std::to_string(run.from.due_ms);
  env["CHRONOS_JOB_RUN_ATTEMPT"] = std::to_string(run.from.attempt);
  return env;
}

void add_uri(pb::CommandInfo& command, const Fetch& fetch) {
  auto& uri = *command.add_uris();
  uri.set_value(fetch.uri);
  uri.set_executable(fetch.executable);
  uri.set_cache(fetch.cache);
  uri.set_extract(fetch.extract);
  if (!fetch.output_file.empty()) uri.set_output_file(fetch.output_file);
}

void set_command(const Job& job, const Run& run, const jobs::Offer& offer, pb::CommandInfo& command) {
  std::string value = job.command;
  if (value.starts_with("http") || value.starts_with("ftp")) {
    // A program somewhere else: fetched, then run from the sandbox.
    const std::string address = value.substr(0, value.find(' '));
    add_uri(command, {address, "", true, false, false});
    value = "./" + address.substr(address.rfind('/') + 1) + value.substr(address.size());
  }
  if (!run.from.arguments.empty()) value += " " + run.from.arguments;
  command.set_shell(job.shell);
  if (!value.empty()) command.set_value(value);
  for (const std::string& argument : job.arguments) command.add_arguments(argument);
  if (!job.run_as_user.empty()) command.set_user(job.run_as_user);
  for (const Fetch& fetch : job.fetch) add_uri(command, fetch);
  for (const auto& [name, text] : environment(job, run, offer)) {
    auto& variable = *command.mutable_environment()->add_variables();
    variable.set_name(name);
    variable.set_value(text);
  }
}

void set_docker(const Container& container, const Run& run, pb::ContainerInfo& out) {
  auto& docker = *out.mutable_docker();
  docker.set_image(container.image);
  docker.set_force_pull_image(container.force_pull_image);
  docker.set_network(container.network == "BRIDGE" ? pb::ContainerInfo::DockerInfo::BRIDGE
                     : container.network == "USER" ? pb::ContainerInfo::DockerInfo::USER
                                                   : pb::ContainerInfo::DockerInfo::HOST);
  for (const auto& [key, value] : container.parameters) {
    auto& parameter = *docker.add_parameters();
    parameter.set_key(key);
    parameter.set_value(value);
  }
  auto& label = *docker.add_parameters();
  label.set_key("label");
  label.set_value("MESOS_TASK_ID=" + run.id);
}

void set_networks(const Container& container, pb::ContainerInfo& out) {
  if (container.network_infos.empty() && !container.network_name.empty()) {
    out.add_network_infos()->set_name(container.network_name);
  }
  for (const NetworkInfo& info : container.network_infos) {
    auto& network = *out.add_network_infos();
    if (!info.name.empty()) network.set_name(info.name);
    for (const auto& [key, value] : info.labels) {
      auto& label = *network.mutable_labels()->add_labels();
      label.set_key(key);
      label.set_value(value);
    }
    for (const PortMapping& port : info.port_mappings) {
      auto& mapping = *network.add_port_mappings();
      mapping.set_host_port(port.host_port);
      mapping.set_container_port(port.container_port);
      if (!port.protocol.empty()) mapping.set_protocol(port.protocol);
    }
  }
}

void set_container(const Container& container, const Run& run, pb::ContainerInfo& out) {
  out.set_type(container.docker ? pb::ContainerInfo::DOCKER : pb::ContainerInfo::MESOS);
  if (container.docker) {
    set_docker(container, run, out);
  } else {
    auto& image = *out.mutable_mesos()->mutable_image();
    image.set_type(pb::Image::DOCKER);
    image.mutable_docker()->set_name(container.image);
    image.set_cached(!container.force_pull_image);
  }
  for (const Volume& volume : container.volumes) {
    auto& item = *out.add_volumes();
    item.set_container_path(volume.container_path);
    if (!volume.host_path.empty()) item.set_host_path(volume.host_path);
    item.set_mode(volume.read_write ? pb::Volume::RW : pb::Volume::RO);
  }
  set_networks(container, out);
}

void set_executor(const Job& job, const Run& run, const jobs::Offer& offer, pb::TaskInfo& out) {
  auto& executor = *out.mutable_executor();
  executor.set_type(pb::ExecutorInfo::CUSTOM);
  executor.mutable_executor_id()->set_value(job.name);
  *executor.mutable_framework_id() = offer.message->framework_id();
  Job program = job;
  program.command = job.executor;
  program.arguments.clear();
  set_command(program, run, offer, *executor.mutable_command());
  if (job.container) set_container(*job.container, run, *executor.mutable_container());
  out.set_data(!job.task_info_data.empty() ? job.task_info_data : job.executor_flags + "|" + job.command);
}

}  // namespace

void build_task(const Job& job, const Run& run, const jobs::Placement& placement, const jobs::Offer& offer, pb::TaskInfo& out) {
  out.set_name("ChronosTask:" + job.name);
  out.mutable_task_id()->set_value(run.id);
  out.mutable_agent_id()->set_value(offer.agent_id);
  // Whatever the offer's resource says about reservation and allocation is kept; only the amount is ours.
  for (const auto& [index, amount] : placement) {
    auto& resource = *out.add_resources();
    resource = offer.message->resources(index);
    resource.mutable_scalar()->set_value(static_cast<double>(amount) / 1000);
  }
  if (job.max_completion_seconds > 0) {
    out.mutable_max_completion_time()->set_nanoseconds(job.max_completion_seconds * 1'000'000'000);
  }
  if (!job.executor.empty()) return set_executor(job, run, offer, out);
  set_command(job, run, offer, *out.mutable_command());
  if (job.container) set_container(*job.container, run, *out.mutable_container());
}

}  // namespace chronos
