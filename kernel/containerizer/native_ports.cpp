// The isolator network/ports: a container on the host's network listens on the ports that it was given, or is told of.

#include "base/log.hpp"
#include "kernel/containerizer/native_impl.hpp"

namespace containerizer {

void NativeContainerizer::Impl::look_at_ports() {
  if (ports_busy) return;  // the last look still goes on
  std::vector<network::Watched> watched;
  for (const auto& [id, container] : containers)
    if (container->stage == Stage::Running && !container->networks) watched.push_back({id, container->spec.ports});
  ports_busy = pool.run_for(
      [groups = groups, watch = ports_watch, watched = std::move(watched)] {
        return watch->look(watched, [&groups](const std::string& id) { return groups->processes(id); });
      },
      [self = shared_from_this()](Result<std::map<std::string, network::PortRanges>> found) {
        if (self->stopped) return;
        self->ports_busy = false;
        if (found)
          self->judge_ports(*found);
        else
          LOG_WARNING("The ports of containers cannot be looked at: {}", found.error().message);
      });
}

void NativeContainerizer::Impl::judge_ports(const std::map<std::string, network::PortRanges>& found) {
  for (const auto& [id, ports] : found) {
    const auto known = containers.find(id);
    if (known == containers.end() || known->second->stage != Stage::Running) continue;
    const auto& container = known->second;
    const std::string text = network::render_ports(ports);
    if (container->ports_told == text) continue;
    container->ports_told = text;
    ++ports_found;
    Limitation limitation;
    limitation.message = "Container " + id + " is listening on unallocated ports " + text;
    LOG_WARNING("{}", limitation.message);
    if (!options.ports.enforce || container->limitation) continue;
    auto& resource = limitation.resources.emplace_back();
    resource.set_name("ports");
    resource.set_type(mesos::v1::Value::RANGES);
    for (const auto& [first, last] : ports) {
      auto* range = resource.mutable_ranges()->add_range();
      range->set_begin(first);
      range->set_end(last);
    }
    container->limitation = std::move(limitation);
    kill_tree(container);
  }
}

void NativeContainerizer::set_ports(const std::string& id, std::vector<std::pair<uint16_t, uint16_t>> ports) {
  if (const auto found = impl_->containers.find(id); found != impl_->containers.end())
    found->second->spec.ports = std::move(ports);
}

uint64_t NativeContainerizer::unallocated_ports_found() const { return impl_->ports_found; }

}  // namespace containerizer
