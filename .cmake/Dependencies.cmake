# Debian 12 packages, listed in installer/packages.txt.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(Protobuf REQUIRED)
pkg_check_modules(GRPC REQUIRED IMPORTED_TARGET grpc++)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(ARGON2 REQUIRED IMPORTED_TARGET libargon2)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(ABSL_TIME REQUIRED IMPORTED_TARGET absl_time absl_time_zone)
pkg_check_modules(SECCOMP REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(NFTABLES REQUIRED libnftables)
pkg_check_modules(CONNTRACK REQUIRED IMPORTED_TARGET libnetfilter_conntrack)
find_program(GRPC_CPP_PLUGIN grpc_cpp_plugin REQUIRED)
find_package(GTest)

# ZooKeeper's single-threaded C client; Debian ships no pkg-config file for it.
find_path(ZOOKEEPER_INCLUDE_DIR zookeeper/zookeeper.h REQUIRED)
find_library(ZOOKEEPER_LIBRARY zookeeper_st REQUIRED)
add_library(ZooKeeper::zookeeper_st UNKNOWN IMPORTED)
set_target_properties(ZooKeeper::zookeeper_st PROPERTIES
  IMPORTED_LOCATION ${ZOOKEEPER_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${ZOOKEEPER_INCLUDE_DIR})
