#include "base/system_stats.hpp"

#include <unistd.h>

#include <cstdlib>

#include "base/numbers.hpp"

namespace base {

SystemStats system_stats() {
  SystemStats out;
  double load[3] = {};
  if (::getloadavg(load, 3) == 3) {
    out.load_1min = load[0];
    out.load_5min = load[1];
    out.load_15min = load[2];
  }
  const double page = static_cast<double>(::sysconf(_SC_PAGESIZE));
  out.cpus = ::sysconf(_SC_NPROCESSORS_ONLN);
  out.memory_bytes = static_cast<double>(::sysconf(_SC_PHYS_PAGES)) * page;
  out.free_bytes = static_cast<double>(::sysconf(_SC_AVPHYS_PAGES)) * page;
  return out;
}

std::string render_system_stats(const SystemStats& stats) {
  std::string out = "{\"avg_load_1min\":" + render_double(stats.load_1min);
  out += ",\"avg_load_5min\":" + render_double(stats.load_5min);
  out += ",\"avg_load_15min\":" + render_double(stats.load_15min);
  out += ",\"cpus_total\":" + std::to_string(stats.cpus);
  out += ",\"mem_total_bytes\":" + std::to_string(static_cast<int64_t>(stats.memory_bytes));
  out += ",\"mem_free_bytes\":" + std::to_string(static_cast<int64_t>(stats.free_bytes)) + "}";
  return out;
}

}  // namespace base
