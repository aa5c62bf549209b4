#pragma once

// The files of a container from the layers of its image: overlayfs, mounted later in the
// container's own namespace, or a copy where that is not to be had. Blocking.

#include <string>
#include <vector>

#include "kernel/containerizer/images/images.hpp"
#include "kernel/containerizer/launch/launcher.hpp"

namespace containerizer::images {

enum class Backend { Overlay, Copy };

/// `wanted`: "overlay", "copy", or empty for the best that both directories allow. Tries a mount
/// that nobody sees.
Result<Backend> choose_backend(const std::string& wanted, const std::string& store,
                               const std::string& runtime);

/// Makes what is needed below the container's runtime directory and fills the order's paths. `suffix` tells several
/// apart: of what a container's own root is made it is empty.
Status prepare_root(Backend backend, const Image& image, const std::string& runtime,
                    const std::string& suffix, launch::RootFiles& root);

/// Puts away everything that prepare_root made, whatever the suffix, and the container wrote; what else is in the runtime
/// directory stays. The space comes back with empty_root_trash(), which nobody has to wait for.
Status discard_root(const std::string& runtime, const std::string& trash);
Status empty_root_trash(const std::string& trash);

/// One layer over what is in `target` already.
Status copy_layer(const std::string& layer, const std::string& target);

/// Which image the container of a runtime directory was made from; NotFound when from none.
Result<std::string> read_image_id(const std::string& runtime, const std::string& suffix = "");

}  // namespace containerizer::images
