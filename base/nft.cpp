#include "base/nft.hpp"

#include <nftables/libnftables.h>

#include "base/check.hpp"

namespace base {

struct Nft::Impl {
  nft_ctx* context = nft_ctx_new(NFT_CTX_DEFAULT);

  Impl() {
    CHECK(context != nullptr);
    nft_ctx_buffer_output(context);
    nft_ctx_buffer_error(context);
  }
  ~Impl() { nft_ctx_free(context); }
};

Nft::Nft() : impl_(std::make_unique<Impl>()) {}
Nft::~Nft() = default;

Result<std::string> Nft::run(const std::string& script, Print print) {
  if (script.empty()) return std::string();
  const unsigned terse = print == Print::Terse ? NFT_CTX_OUTPUT_TERSE : 0;
  nft_ctx_output_set_flags(impl_->context, NFT_CTX_OUTPUT_NUMERIC_ALL | terse);
  const int code = nft_run_cmd_from_buffer(impl_->context, script.c_str());
  std::string output = nft_ctx_get_output_buffer(impl_->context);
  const std::string errors = nft_ctx_get_error_buffer(impl_->context);
  if (code == 0) return output;
  const bool missing = errors.find("No such file or directory") != std::string::npos;
  const std::string text = "nftables: " + errors.substr(0, 500);
  return missing ? not_found(text) : internal(text);
}

}  // namespace base
