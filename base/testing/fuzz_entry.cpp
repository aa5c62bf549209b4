// Hands inputs to the entry point that the build names: libFuzzer's, or those of fuzz_replay.cpp.

#include <cstddef>
#include <cstdint>

int DC_FUZZ_ENTRY(const uint8_t* data, size_t size);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) { return DC_FUZZ_ENTRY(data, size); }
