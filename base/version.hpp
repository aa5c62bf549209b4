#pragma once

// Versions we report. Clients of the originals decide by them what they may ask for, so each is the release of the
// original whose API the part implements; kVersion is our own.

namespace base {

inline constexpr char kVersion[] = "0.1.0";
inline constexpr char kMesosVersion[] = "1.12.0";
inline constexpr char kMarathonVersion[] = "1.11.24";
inline constexpr char kDcosVersion[] = "2.2.0";

}  // namespace base
