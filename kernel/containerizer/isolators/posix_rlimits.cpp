// posix/rlimits: ContainerInfo.rlimit_info.

#include <sys/resource.h>

#include "kernel/containerizer/isolators/make.hpp"

namespace containerizer {
namespace {

using mesos::v1::RLimitInfo;

Result<int> limit_number(RLimitInfo::RLimit::Type type) {
  switch (type) {
    case RLimitInfo::RLimit::RLMT_AS: return RLIMIT_AS;
    case RLimitInfo::RLimit::RLMT_CORE: return RLIMIT_CORE;
    case RLimitInfo::RLimit::RLMT_CPU: return RLIMIT_CPU;
    case RLimitInfo::RLimit::RLMT_DATA: return RLIMIT_DATA;
    case RLimitInfo::RLimit::RLMT_FSIZE: return RLIMIT_FSIZE;
    case RLimitInfo::RLimit::RLMT_LOCKS: return RLIMIT_LOCKS;
    case RLimitInfo::RLimit::RLMT_MEMLOCK: return RLIMIT_MEMLOCK;
    case RLimitInfo::RLimit::RLMT_MSGQUEUE: return RLIMIT_MSGQUEUE;
    case RLimitInfo::RLimit::RLMT_NICE: return RLIMIT_NICE;
    case RLimitInfo::RLimit::RLMT_NOFILE: return RLIMIT_NOFILE;
    case RLimitInfo::RLimit::RLMT_NPROC: return RLIMIT_NPROC;
    case RLimitInfo::RLimit::RLMT_RSS: return RLIMIT_RSS;
    case RLimitInfo::RLimit::RLMT_RTPRIO: return RLIMIT_RTPRIO;
    case RLimitInfo::RLimit::RLMT_RTTIME: return RLIMIT_RTTIME;
    case RLimitInfo::RLimit::RLMT_SIGPENDING: return RLIMIT_SIGPENDING;
    case RLimitInfo::RLimit::RLMT_STACK: return RLIMIT_STACK;
    default: return base::invalid("an rlimit has no type, or one that this build does not know");
  }
}

class PosixRlimits final : public Isolator {
 public:
  std::string_view name() const override { return "posix/rlimits"; }

  Status plan(const ContainerSpec& spec, launch::LaunchOrder& order) const override {
    if (!spec.container) return {};
    std::vector<launch::Limit> limits;
    for (const auto& limit : spec.container->rlimit_info().rlimits()) {
      ASSIGN_OR_RETURN(const int number, limit_number(limit.type()));
      const std::string kind = RLimitInfo::RLimit::Type_Name(limit.type());
      for (const auto& other : limits)
        if (other.resource == number) return base::invalid("rlimit " + kind + " is given twice");
      if (limit.has_soft() != limit.has_hard())
        return base::invalid("rlimit " + kind + " needs both a soft and a hard limit, or neither");
      if (limit.has_soft() && limit.soft() > limit.hard())
        return base::invalid("the soft limit of rlimit " + kind + " is above its hard limit");
      launch::Limit planned{number, std::nullopt, std::nullopt};
      if (limit.has_soft()) planned = {number, limit.soft(), limit.hard()};
      limits.push_back(planned);
    }
    order.limits.insert(order.limits.end(), limits.begin(), limits.end());
    return {};
  }
};

}  // namespace

IsolatorPtr make_posix_rlimits() { return std::make_unique<PosixRlimits>(); }

}  // namespace containerizer
