#pragma once

// Profiles of system calls in Docker's JSON format, made into the program that the kernel runs (by libseccomp).

#include <cstdint>
#include <string>
#include <string_view>

#include "kernel/containerizer/types.hpp"

namespace containerizer {

/// The program as an array of struct sock_filter. `capabilities`: those that the container can have, on which parts of a
/// profile may depend. Errors name the member of the profile.
Result<std::string> compile_seccomp(std::string_view profile, uint64_t capabilities);

/// The built-in profile: what programs need and no more. In the same format.
std::string_view default_seccomp_profile();

}  // namespace containerizer
