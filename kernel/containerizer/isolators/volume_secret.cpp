// volume/secret: a secret as a file, on memory that belongs to the container alone.

#include "kernel/containerizer/isolators/make.hpp"
#include "kernel/containerizer/isolators/volume_paths.hpp"

namespace containerizer {
namespace {

using mesos::v1::Volume;

bool is_secret(const Volume& volume) { return volume.has_source() && volume.source().type() == Volume::Source::SECRET; }

class VolumeSecret final : public Isolator {
 public:
  explicit VolumeSecret(const IsolatorOptions& options) : secrets_(options.secrets) {}

  std::string_view name() const override { return "volume/secret"; }

  Result<bool> plan_volume(const Volume& volume, const VolumePlace& place, launch::LaunchOrder&) const override {
    if (!is_secret(volume)) return false;
    if (!volume.source().has_secret()) return base::invalid("source.secret is missing");
    RETURN_IF_ERROR(secrets::check(volume.source().secret(), secrets_.get()));
    RETURN_IF_ERROR(volume_target(volume, place));
    return true;
  }

  Status prepare(const Preparing& container, Prepared& out) override {
    if (!container.spec.container) return {};
    for (const auto& volume : container.spec.container->volumes()) {
      if (!is_secret(volume)) continue;
      launch::SecretFile file;
      ASSIGN_OR_RETURN(file.target, volume_target(volume, container.volumes));
      ASSIGN_OR_RETURN(file.content, secrets::resolve(volume.source().secret(), secrets_.get()));
      out.order.secrets.push_back(std::move(file));
    }
    return {};
  }

 private:
  std::shared_ptr<const secrets::Resolver> secrets_;
};

}  // namespace

IsolatorPtr make_volume_secret(const IsolatorOptions& options) { return std::make_unique<VolumeSecret>(options); }

}  // namespace containerizer
