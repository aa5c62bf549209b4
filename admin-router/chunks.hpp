#pragma once

// Finds the end of a chunked body in bytes that arrive in any pieces (pure). The bytes themselves
// are relayed as they are; only a reader that cannot take chunks gets the payload.

#include <cstdint>
#include <string>
#include <string_view>

namespace admin_router {

class ChunkScanner {
 public:
  enum class State : uint8_t { More, Done, Bad };

  /// Looks at `data` and returns how many bytes of it belong to this body (all of it unless the
  /// body ends inside, or is malformed: then state() is Bad). Chunk data is appended to `payload`
  /// when that is given.
  size_t scan(std::string_view data, std::string* payload = nullptr);

  State state() const { return state_; }
  void reset() { *this = ChunkScanner(); }

 private:
  enum class At : uint8_t {
    SizeStart,
    Size,
    Extension,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    LineStart,
    Trailer,
    TrailerLf,
    EndLf,
  };
  size_t fail(size_t at) {
    state_ = State::Bad;
    return at;
  }
  bool step(char c);

  State state_ = State::More;
  At at_ = At::SizeStart;
  uint64_t left_ = 0;
  uint32_t line_bytes_ = 0;     // of extensions and of the trailer section: both are limited
  std::string trailer_name_{};  // of the line under way, to refuse fields that frame a message
};

}  // namespace admin_router
