// cgroups/net_cls: every container's packets carry a class of its own: --cgroups_net_cls_primary_handle and one of
// --cgroups_net_cls_secondary_handles.

#include "kernel/containerizer/isolators/make.hpp"
#include "kernel/containerizer/isolators/numbers.hpp"

namespace containerizer {
namespace {

class CgroupsNetCls final : public Isolator {
 public:
  explicit CgroupsNetCls(const IsolatorOptions& options)
      : primary_(options.net_cls_primary), handles_(range(options.net_cls_first, options.net_cls_last), "net_cls") {}

  std::string_view name() const override { return "cgroups/net_cls"; }

  Status prepare(const Preparing& container, Prepared& out) override {
    if (primary_ == 0) return {};
    ASSIGN_OR_RETURN(const auto taken, handles_.take(container.spec.id, container.runtime, 1));
    out.limits.net_class = uint32_t{primary_} << 16 | taken[0];
    return {};
  }

  void recover(const ContainerSpec& spec, const std::string& runtime) override { handles_.recover(spec.id, runtime); }
  void cleanup(const std::string& id, const std::string&) override { handles_.give_back(id); }

 private:
  static std::vector<uint32_t> range(uint32_t first, uint32_t last) {
    std::vector<uint32_t> out;
    for (uint32_t number = first; number <= last; ++number) out.push_back(number);
    return out;
  }

  uint16_t primary_;
  NumberPool handles_;
};

}  // namespace

IsolatorPtr make_cgroups_net_cls(const IsolatorOptions& options) { return std::make_unique<CgroupsNetCls>(options); }

}  // namespace containerizer
