#pragma once

#include "base/result.hpp"

namespace containerizer {

using base::Error;
using base::Result;
using base::Status;

}  // namespace containerizer
