// cgroups/pids: how many processes and threads a container may have, from --cgroups_pids_limit.

#include <algorithm>

#include "kernel/containerizer/isolators/make.hpp"

namespace containerizer {
namespace {

class CgroupsPids final : public Isolator {
 public:
  explicit CgroupsPids(const IsolatorOptions& options) : limit_(options.pids_limit) {}

  std::string_view name() const override { return "cgroups/pids"; }

  Status prepare(const Preparing&, Prepared& out) override {
    const auto wanted = out.order.pids ? out.order.pids : limit_;
    if (wanted) out.limits.pids = std::min(*wanted, limit_.value_or(*wanted)) + 1;  // the helper is one of them
    return {};
  }

 private:
  std::optional<uint64_t> limit_;
};

}  // namespace

IsolatorPtr make_cgroups_pids(const IsolatorOptions& options) { return std::make_unique<CgroupsPids>(options); }

}  // namespace containerizer
