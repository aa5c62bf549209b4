# Compiler flags, ccache and mold: everything about how we build, nothing about what.

find_program(CCACHE ccache)
if(CCACHE)
  # Relative paths let one cache serve several checkouts.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

find_program(MOLD mold)
if(MOLD)
  # What is hardly ever run stays out of the way of the rest, as with the other linkers: an idle agent takes 1 MiB less.
  add_link_options(-fuse-ld=mold -Wl,-z,keep-text-section-prefix)
endif()

set_property(GLOBAL APPEND PROPERTY JOB_POOLS link=2)
set(CMAKE_JOB_POOL_LINK link)

add_compile_options(-fdiagnostics-color=always -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=)
add_link_options(-Wl,--as-needed)

# Warnings for our own code only; generated code and libraries are not ours to mend.
set(DC_WARNINGS -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wno-missing-field-initializers -Werror)
# g++ 12 reports members of std::variant and short strings as uninitialised, overlapping or out of bounds where they are
# not, once it inlines.
list(APPEND DC_WARNINGS $<$<NOT:$<CONFIG:Debug>>:-Wno-maybe-uninitialized$<SEMICOLON>-Wno-restrict$<SEMICOLON>-Wno-array-bounds$<SEMICOLON>-Wno-stringop-overflow>)

option(DC_ASAN "address and undefined behaviour sanitizers" OFF)
option(DC_TSAN "thread sanitizer" OFF)
option(DC_FUZZ "libFuzzer programs; needs clang" OFF)
if(DC_FUZZ)
  # The warnings of another compiler than the one we ship with are nobody's business.
  set(DC_WARNINGS -w)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(DC_ASAN)
  add_compile_options(-fsanitize=address,undefined -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
elseif(DC_TSAN)
  add_compile_options(-fsanitize=thread)
  add_link_options(-fsanitize=thread)
endif()
