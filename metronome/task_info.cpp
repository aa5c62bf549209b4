#include "metronome/task_info.hpp"

#include <algorithm>
#include <cctype>

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/api/mesos/v1/offers.pb.h"
#include "kernel/api/mesos/v1/tasks.pb.h"

namespace metronome {
namespace {

namespace pb = mesos::v1;

constexpr size_t kMostLabelText = 512;  // of a label that becomes a variable

/// Letters, digits and '_'; one '_' for what is between.
std::string variable_name(std::string_view text) {
  std::string name;
  for (char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) || c == '_') {
      name += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    } else if (name.empty() || name.back() != '_') {
      name += '_';
    }
  }
  return name;
}

void add_labels(const Job& job, std::map<std::string, std::string>& env) {
  constexpr std::string_view kPrefix = "MARATHON_APP_LABEL_";
  std::vector<std::string> names;
  for (const auto& [key, value] : job.labels) {
    if (key.size() >= kMostLabelText - kPrefix.size() || value.size() >= kMostLabelText) continue;
    names.push_back(variable_name(key));
    env[std::string(kPrefix) + names.back()] = value;
  }
  env["MARATHON_APP_LABELS"] = base::join(names, " ");
}

/// The job's own variables win.
std::map<std::string, std::string> environment(const Run& run, const jobs::Offer& offer, const Policy& policy) {
  const Job& job = *run.spec;
  std::map<std::string, std::string> env{
      {"MESOS_TASK_ID", run.launched->id},
      {"MARATHON_APP_ID", "/" + base::replace_all(job.id, ".", "/") + "/" + run.id},
      {"MARATHON_APP_VERSION", "1970-01-01T00:00:00.000Z"},  // runs have no versions
      {"MARATHON_APP_RESOURCE_CPUS", base::render_double(job.run.cpus)},
      {"MARATHON_APP_RESOURCE_MEM", base::render_double(job.run.mem)},
      {"MARATHON_APP_RESOURCE_DISK", base::render_double(job.run.disk)},
      {"MARATHON_APP_RESOURCE_GPUS", std::to_string(job.run.gpus)},
      {"MARATHON_APP_ENFORCE_GROUP_ROLE", "FALSE"},
      {policy.env_prefix + "HOST", offer.hostname},
  };
  if (job.run.docker) env["MARATHON_APP_DOCKER_IMAGE"] = job.run.docker->image;
  add_labels(job, env);
  for (const auto& [name, value] : job.run.env) env[name] = value;
  return env;
}

void refer(const RunSpec& spec, const std::string& name, pb::Secret& out) {
  const auto source = spec.secrets.find(name);
  out.set_type(pb::Secret::REFERENCE);
  out.mutable_reference()->set_name(source == spec.secrets.end() ? name : source->second);
}

void set_command(const Run& run, const jobs::Offer& offer, const Policy& policy, pb::CommandInfo& command) {
  const RunSpec& spec = run.spec->run;
  command.set_shell(spec.cmd.has_value());
  if (spec.cmd) {
    command.set_value(*spec.cmd);
  } else if (spec.args) {
    for (const std::string& argument : *spec.args) command.add_arguments(argument);
  }
  if (spec.user) command.set_user(*spec.user);
  for (const Artifact& artifact : spec.artifacts) {
    auto& uri = *command.add_uris();
    uri.set_value(artifact.uri);
    uri.set_extract(artifact.extract);
    uri.set_executable(artifact.executable);
    uri.set_cache(artifact.cache);
  }
  for (const auto& [name, value] : environment(run, offer, policy)) {
    if (spec.env_secrets.contains(name)) continue;
    auto& variable = *command.mutable_environment()->add_variables();
    variable.set_name(name);
    variable.set_value(value);
  }
  for (const auto& [name, secret] : spec.env_secrets) {
    auto& variable = *command.mutable_environment()->add_variables();
    variable.set_name(name);
    variable.set_type(pb::Environment::Variable::SECRET);
    refer(spec, secret, *variable.mutable_secret());
  }
}

pb::ContainerInfo::DockerInfo::Network docker_network(const RunSpec& spec) {
  if (spec.networks.empty() || spec.networks[0].mode == NetworkMode::Host) return pb::ContainerInfo::DockerInfo::HOST;
  return spec.networks[0].mode == NetworkMode::Bridge ? pb::ContainerInfo::DockerInfo::BRIDGE
                                                      : pb::ContainerInfo::DockerInfo::USER;
}

void set_docker(const Docker& docker, const RunSpec& spec, const TaskId& task, pb::ContainerInfo::DockerInfo& out) {
  out.set_image(docker.image);
  out.set_privileged(docker.privileged);
  out.set_force_pull_image(docker.force_pull);
  out.set_network(docker_network(spec));
  for (const auto& [key, value] : docker.parameters) {
    auto& parameter = *out.add_parameters();
    parameter.set_key(key);
    parameter.set_value(value);
  }
  auto& label = *out.add_parameters();
  label.set_key("label");
  label.set_value("MESOS_TASK_ID=" + task);
}

void set_networks(const RunSpec& spec, pb::ContainerInfo& out) {
  for (const Network& network : spec.networks) {
    if (network.mode == NetworkMode::Host || (network.mode == NetworkMode::Bridge && spec.docker)) continue;
    auto& info = *out.add_network_infos();
    info.set_name(network.name.value_or("mesos-bridge"));
    for (const auto& [key, value] : network.labels) {
      auto& label = *info.mutable_labels()->add_labels();
      label.set_key(key);
      label.set_value(value);
    }
  }
}

void set_container(const Run& run, pb::ContainerInfo& out) {
  const RunSpec& spec = run.spec->run;
  out.set_type(spec.docker ? pb::ContainerInfo::DOCKER : pb::ContainerInfo::MESOS);
  if (spec.docker) set_docker(*spec.docker, spec, run.launched->id, *out.mutable_docker());
  if (spec.ucr) {
    auto& image = *out.mutable_mesos()->mutable_image();
    image.set_cached(!spec.ucr->force_pull);
    if (spec.ucr->kind == "appc") {
      image.set_type(pb::Image::APPC);
      image.mutable_appc()->set_name(spec.ucr->image);
    } else {
      image.set_type(pb::Image::DOCKER);
      image.mutable_docker()->set_name(spec.ucr->image);
    }
  }
  for (const Volume& volume : spec.volumes) {
    auto& item = *out.add_volumes();
    item.set_container_path(volume.container_path);
    if (volume.secret.empty()) {
      item.set_host_path(volume.host_path);
      item.set_mode(volume.read_write ? pb::Volume::RW : pb::Volume::RO);
    } else {
      item.set_mode(pb::Volume::RO);
      item.mutable_source()->set_type(pb::Volume::Source::SECRET);
      refer(spec, volume.secret, *item.mutable_source()->mutable_secret());
    }
  }
  set_networks(spec, out);
}

/// "20160715130259A34HX.example.prod": the run first, then the job's names from the last to the first.
std::string task_name(const Run& run) {
  std::string name = run.id;
  const auto names = base::split(run.job, '.');
  for (auto it = names.rbegin(); it != names.rend(); ++it) name += "." + std::string(*it);
  return name;
}

}  // namespace

TaskId make_task_id(const Run& run, const std::string& uuid) {
  return base::replace_all(run.job, ".", "_") + "_" + run.id + ".instance-" + uuid + "._app.1";
}

void build_task(const Run& run, const jobs::Placement& placement, const jobs::Offer& offer, const Policy& policy,
                pb::TaskInfo& out) {
  const RunSpec& spec = run.spec->run;
  out.set_name(task_name(run));
  out.mutable_task_id()->set_value(run.launched->id);
  out.mutable_agent_id()->set_value(offer.agent_id);
  // Whatever the offer's resource says about reservation and allocation is kept; only the amount is ours.
  for (const auto& [index, amount] : placement) {
    auto& resource = *out.add_resources();
    resource = offer.message->resources(index);
    resource.mutable_scalar()->set_value(static_cast<double>(amount) / 1000);
  }
  set_command(run, offer, policy, *out.mutable_command());
  if (spec.docker || spec.ucr || !spec.volumes.empty()) set_container(run, *out.mutable_container());
  if (spec.kill_grace_s) {
    out.mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(*spec.kill_grace_s * 1'000'000'000);
  }
  for (const auto& [key, value] : run.spec->labels) {
    auto& label = *out.mutable_labels()->add_labels();
    label.set_key(key);
    label.set_value(value);
  }
}

}  // namespace metronome
