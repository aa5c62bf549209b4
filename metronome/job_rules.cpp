// Rules between fields of one definition.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/strings.hpp"
#include "metronome/job.hpp"

namespace metronome {
namespace {

void check_networks(const RunSpec& run, Problems& problems) {
  const bool container = run.docker || run.ucr;
  std::set<NetworkMode> modes;
  std::set<std::string> names;
  bool unique = true;
  for (const Network& network : run.networks) {
    modes.insert(network.mode);
    if (network.name) unique &= names.insert(*network.name).second;
  }
  const auto fail = [&](const char* error) { problems.add("/run/networks", error); };
  if (modes.size() > 1) {
    fail("You may not mix host, container, or container/bridge networking. Only define one kind of network.");
  }
  const bool only_container = modes == std::set<NetworkMode>{NetworkMode::Container};
  if (!container && !modes.empty() && modes != std::set<NetworkMode>{NetworkMode::Host}) {
    fail("Only containers may join container or bridge networks");
  }
  if (run.docker && only_container && run.networks.size() > 1) {
    fail("Docker does not allow specification of multiple networks");
  }
  if (!only_container && run.networks.size() > 1) fail("Only one host or container/bridge network modes are allowed");
  if (!unique) fail("network names must be unique");
  for (size_t i = 0; i < run.networks.size(); ++i) {
    const Network& network = run.networks[i];
    const std::string path = fmt::format("/run/networks/{}", i);
    if (network.mode == NetworkMode::Container) {
      if (!network.name || network.name->empty()) problems.add(path + "/name", "must not be empty for container networks");
      continue;
    }
    const char* hint = network.mode == NetworkMode::Host ? "for host network" : "for container/bridge networks";
    if (network.name) problems.add(path + "/name", fmt::format("must be empty {}", hint));
    if (network.mode == NetworkMode::Host && !network.labels.empty()) {
      problems.add(path + "/labels", fmt::format("must be empty {}", hint));
    }
  }
}

void check_secrets(const RunSpec& run, Problems& problems) {
  std::set<std::string> used;
  for (const auto& [variable, name] : run.env_secrets) used.insert(name);
  for (const Volume& volume : run.volumes) {
    if (!volume.secret.empty()) used.insert(volume.secret);
  }
  std::vector<std::string> undefined, unused;
  for (const std::string& name : used) {
    if (!run.secrets.contains(name)) undefined.push_back(name);
  }
  for (const auto& [name, source] : run.secrets) {
    if (!used.contains(name)) unused.push_back(name);
  }
  std::string error;
  if (!undefined.empty()) {
    error += fmt::format("The following secrets are referenced, but undefined: {}. Please add them to the secrets field.",
                         base::join(undefined, ", "));
  }
  if (!unused.empty()) {
    error += fmt::format("The following secrets are defined, but not referenced: {}. Please remove them from the secrets field.",
                         base::join(unused, ", "));
  }
  if (!error.empty()) problems.add("/run", error);
}

}  // namespace

void check_job(const Job& job, Problems& problems) {
  const RunSpec& run = job.run;
  if (job.schedule && !job.dependencies.empty()) {
    problems.add("", "Jobs may not have both dependencies and schedules specified");
  }
  if (std::set<JobId>(job.dependencies.begin(), job.dependencies.end()).size() != job.dependencies.size()) {
    problems.add("/dependencies", "has double entries");
  }
  if (!run.cmd && !(run.docker && !run.docker->image.empty()) && !run.ucr) {
    problems.add("/run", "Cmd, Docker or UCR image must be specified");
  }
  if (run.docker && run.ucr) problems.add("/run", "Either Docker or UCR should be provided, but not both");
  if (run.gpus > 0 && run.docker) problems.add("/run/gpus", "GPUs are not supported with Docker");
  const bool secret_file = std::any_of(run.volumes.begin(), run.volumes.end(), [](const Volume& v) { return !v.secret.empty(); });
  if (run.docker && secret_file) problems.add("/run/volumes", "File based secrets are only supported by UCR");
  check_networks(run, problems);
  check_secrets(run, problems);
}

}  // namespace metronome
