#pragma once

#include <vector>

#include "marathon/app.hpp"
#include "marathon/instance.hpp"

namespace marathon {

/// The instances to give up when `count` are too many: those that have no task, those that even out GROUP_BY, then what
/// is unreachable, unhealthy, or has got least far, then by the app's kill selection. Inactive ones are never chosen.
std::vector<InstanceId> select_victims(const App& app, std::vector<const Instance*> candidates,
                                       size_t count);

}  // namespace marathon
