# The vocabulary of our CMakeLists files.
#
#   dc_library(name TIER pure|io|net|product SOURCES a.cpp b.cpp [DEPS x y])
#   dc_daemon(name SOURCES main.cpp [DEPS x y])          an executable in <build>/bin
#   dc_test(name SOURCES x_test.cpp [DEPS x y])          a GoogleTest binary, run by ctest (label "unit")
#   dc_bench(name SOURCES x_bench.cpp [DEPS x y])        a benchmark binary in <build>/bench
#   dc_fuzz(name ENTRY fuzz_x CORPUS dir SOURCES x_fuzz.cpp [DEPS x y])
#                                                        replays the corpus and mutations of it as a test (label "unit");
#                                                        in the preset "fuzz" a libFuzzer program in <build>/fuzz
#   dc_proto(name PROTOS a.proto b.proto [GRPC])         generated messages as a library
#
# Tiers are a dependency rule that the linker enforces: a pure library may link pure libraries only, so nothing in a
# deterministic core can reach a socket, a file or a clock.

function(dc_common name)
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/gen)
  file(RELATIVE_PATH component ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE DC_COMPONENT="${component}" BOOST_ASIO_NO_DEPRECATED)
  target_compile_options(${name} PRIVATE ${DC_WARNINGS})
endfunction()

function(dc_library name)
  cmake_parse_arguments(arg "" "TIER" "SOURCES;DEPS" ${ARGN})
  if(NOT arg_TIER MATCHES "^(pure|io|net|product)$")
    message(FATAL_ERROR "dc_library(${name}): TIER must be pure, io, net or product")
  endif()
  add_library(${name} STATIC ${arg_SOURCES})
  dc_common(${name})
  set_property(TARGET ${name} PROPERTY DC_TIER ${arg_TIER})
  foreach(dep ${arg_DEPS})
    if(TARGET ${dep})
      get_target_property(tier ${dep} DC_TIER)
      if(tier AND "${arg_TIER}" STREQUAL "pure" AND NOT tier STREQUAL "pure")
        message(FATAL_ERROR "${name} is pure and may not link ${dep} (tier ${tier})")
      endif()
    endif()
  endforeach()
  target_link_libraries(${name} PUBLIC ${arg_DEPS})
endfunction()

# What a cluster runs: `ninja daemons` builds no tests.
add_custom_target(daemons)

function(dc_daemon name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  dc_common(${name})
  target_link_libraries(${name} PRIVATE ${arg_DEPS})
  add_dependencies(daemons ${name})
endfunction()

function(dc_test name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  if(NOT TARGET GTest::gtest_main)
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  dc_common(${name})
  target_link_libraries(${name} PRIVATE ${arg_DEPS} GTest::gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} --gtest_brief=1 WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()

function(dc_bench name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  dc_common(${name})
  target_link_libraries(${name} PRIVATE ${arg_DEPS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)
  # The small parameter set runs with the tests, so that a benchmark never rots.
  add_test(NAME ${name} COMMAND ${name} --small WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS bench TIMEOUT 120)
endfunction()

# Programs of `cmake --preset fuzz`: `ninja fuzzers` builds them.
if(DC_FUZZ)
  add_custom_target(fuzzers)
endif()

# The entry point is in SOURCES, or in a library among DEPS where several fuzzers share a file.
function(dc_fuzz name)
  cmake_parse_arguments(arg "" "ENTRY;CORPUS" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES} ${CMAKE_SOURCE_DIR}/base/testing/fuzz_entry.cpp)
  dc_common(${name})
  target_compile_definitions(${name} PRIVATE DC_FUZZ_ENTRY=${arg_ENTRY})
  target_link_libraries(${name} PRIVATE ${arg_DEPS})
  if(DC_FUZZ)
    file(WRITE ${CMAKE_BINARY_DIR}/fuzz/${name}.seeds "${CMAKE_CURRENT_SOURCE_DIR}/${arg_CORPUS}\n")  # tests/fuzz/run reads it
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
    add_dependencies(fuzzers ${name})
    return()
  endif()
  target_link_libraries(${name} PRIVATE base_fuzz_replay)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name} ${CMAKE_CURRENT_SOURCE_DIR}/${arg_CORPUS} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()

function(dc_proto name)
  cmake_parse_arguments(arg "GRPC" "" "PROTOS;DEPS" ${ARGN})
  set(out ${CMAKE_BINARY_DIR}/gen)
  file(MAKE_DIRECTORY ${out})
  set(generated)
  foreach(proto ${arg_PROTOS})
    file(RELATIVE_PATH path ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/${proto})
    string(REGEX REPLACE "\\.proto$" "" stem ${path})
    set(files ${out}/${stem}.pb.cc ${out}/${stem}.pb.h)
    set(plugin)
    if(arg_GRPC)
      list(APPEND files ${out}/${stem}.grpc.pb.cc ${out}/${stem}.grpc.pb.h)
      set(plugin --grpc_out=${out} --plugin=protoc-gen-grpc=${GRPC_CPP_PLUGIN})
    endif()
    add_custom_command(OUTPUT ${files}
      COMMAND protobuf::protoc -I ${CMAKE_SOURCE_DIR} --cpp_out=${out} ${plugin} ${CMAKE_SOURCE_DIR}/${path}
      DEPENDS ${CMAKE_SOURCE_DIR}/${path} VERBATIM)
    list(APPEND generated ${files})
  endforeach()
  add_library(${name} STATIC ${generated})
  target_include_directories(${name} SYSTEM PUBLIC ${out})
  # Generated once, debugged never: optimise lightly, no debug information. NDEBUG because the library's debug checks
  # write a line to standard error for every string of a peer that is not UTF-8.
  target_compile_options(${name} PRIVATE -w -O1 -g0 -DNDEBUG)
  # Fields that the API has superseded are still read and written, for older clients.
  target_compile_options(${name} INTERFACE -Wno-deprecated-declarations)
  target_link_libraries(${name} PUBLIC protobuf::libprotobuf ${arg_DEPS})
  if(arg_GRPC)
    target_link_libraries(${name} PUBLIC PkgConfig::GRPC)
  else()
    set_property(TARGET ${name} PROPERTY DC_TIER pure)
  endif()
endfunction()
