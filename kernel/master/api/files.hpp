#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "kernel/api/mesos/v1/mesos.pb.h"

namespace master {

class Shell;

// The master has one file to show: its log as "/master/log", when --external_log_file names it.

base::Result<std::vector<mesos::v1::FileInfo>> browse_files(const Shell& shell, const std::string& path);

struct FilePiece {
  uint64_t size = 0;  // of the whole file
  std::string data;
};

/// At most 64 KiB from `offset`.
base::Result<FilePiece> read_file_piece(const Shell& shell, const std::string& path, uint64_t offset, uint64_t length);

}  // namespace master
