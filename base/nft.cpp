#include "base/nft.hpp"

#include <dlfcn.h>
#include <nftables/libnftables.h>

#include <string>
#include <type_traits>

namespace base {

namespace {

/// The library, loaded when rules are first needed: most daemons that could set some never do, and it brings five others.
struct Library {
  decltype(&::nft_ctx_new) make = nullptr;
  decltype(&::nft_ctx_free) free = nullptr;
  decltype(&::nft_ctx_buffer_output) buffer_output = nullptr;
  decltype(&::nft_ctx_buffer_error) buffer_error = nullptr;
  decltype(&::nft_ctx_output_set_flags) set_flags = nullptr;
  decltype(&::nft_run_cmd_from_buffer) run = nullptr;
  decltype(&::nft_ctx_get_output_buffer) output = nullptr;
  decltype(&::nft_ctx_get_error_buffer) errors = nullptr;
  std::string missing;  // why it cannot be used; empty: it can

  Library() {
    void* const library = ::dlopen("libnftables.so.1", RTLD_NOW | RTLD_LOCAL);  // never closed
    const auto find = [this, library](auto& function, const char* name) {
      if (library != nullptr) function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
      if (function != nullptr || !missing.empty()) return;
      const char* why = ::dlerror();
      missing = why != nullptr ? why : name;
    };
    find(make, "nft_ctx_new");
    find(free, "nft_ctx_free");
    find(buffer_output, "nft_ctx_buffer_output");
    find(buffer_error, "nft_ctx_buffer_error");
    find(set_flags, "nft_ctx_output_set_flags");
    find(run, "nft_run_cmd_from_buffer");
    find(output, "nft_ctx_get_output_buffer");
    find(errors, "nft_ctx_get_error_buffer");
  }

  static const Library& get() {
    static const Library library;
    return library;
  }
};

}  // namespace

struct Nft::Impl {
  nft_ctx* context = nullptr;

  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (context != nullptr) Library::get().free(context);
  }

  Status open() {
    if (context != nullptr) return {};
    const Library& library = Library::get();
    if (!library.missing.empty()) return internal("cannot use nftables (package libnftables1): " + library.missing);
    context = library.make(NFT_CTX_DEFAULT);
    if (context == nullptr) return internal("nftables: no memory");
    library.buffer_output(context);
    library.buffer_error(context);
    return {};
  }
};

Nft::Nft() : impl_(std::make_unique<Impl>()) {}
Nft::~Nft() = default;

Result<std::string> Nft::run(const std::string& script, Print print) {
  if (script.empty()) return std::string();
  RETURN_IF_ERROR(impl_->open());
  const Library& library = Library::get();
  const unsigned terse = print == Print::Terse ? NFT_CTX_OUTPUT_TERSE : 0;
  library.set_flags(impl_->context, NFT_CTX_OUTPUT_NUMERIC_ALL | terse);
  const int code = library.run(impl_->context, script.c_str());
  std::string output = library.output(impl_->context);
  const std::string errors = library.errors(impl_->context);
  if (code == 0) return output;
  const bool missing = errors.find("No such file or directory") != std::string::npos;
  const std::string text = "nftables: " + errors.substr(0, 500);
  return missing ? not_found(text) : internal(text);
}

}  // namespace base
