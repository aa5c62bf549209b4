#include "base/result.hpp"

#include <cerrno>
#include <cstring>

namespace base {

std::string_view code_name(Code code) {
  switch (code) {
#define DC_ERROR(name, status, sentence) \
  case Code::name:                       \
    return #name;
#include "base/error_codes.def"
#undef DC_ERROR
  }
  UNREACHABLE();
}

int http_status(Code code) {
  switch (code) {
#define DC_ERROR(name, status, sentence) \
  case Code::name:                       \
    return status;
#include "base/error_codes.def"
#undef DC_ERROR
  }
  UNREACHABLE();
}

Error errno_error(std::string_view what, int error_number) {
  Code code = Code::Io;
  if (error_number == ENOSPC || error_number == EDQUOT) code = Code::NoSpace;
  if (error_number == ENOENT) code = Code::NotFound;
  return {code, std::string(what) + ": " + strerror(error_number)};
}

}  // namespace base
