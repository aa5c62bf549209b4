// The images of a container: its own, and those that volumes are made from. Each is held until the container's end.

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/strings.hpp"
#include "kernel/containerizer/native_impl.hpp"
#include "kernel/containerizer/secrets/secrets.hpp"

namespace containerizer {
namespace {

/// What a private registry's users put among an app's URIs for `docker pull` to find.
std::string fetched_credentials(const ContainerSpec& spec) {
  for (const char* name : {"/.docker/config.json", "/.dockercfg"}) {
    struct open_how how{};
    how.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
    how.resolve = RESOLVE_NO_SYMLINKS;
    const base::Fd file(static_cast<int>(syscall(SYS_openat2, AT_FDCWD, (spec.sandbox + name).c_str(), &how, sizeof how)));
    struct stat info;
    if (!file || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size > 1 << 20) continue;
    std::string text(static_cast<size_t>(info.st_size), '\0');
    const ssize_t length = read(file.get(), text.data(), text.size());
    if (length > 0) return text.substr(0, static_cast<size_t>(length));
  }
  return "";
}

}  // namespace

std::string holder_of_volume(const std::string& id, size_t number) { return id + " volume " + std::to_string(number); }

Result<std::vector<std::string>> NativeContainerizer::Impl::look_up_logins(const std::optional<ImageWish>& image,
                                                                           const std::vector<ImageWish>& volumes) const {
  std::vector<const ImageWish*> wishes{image ? &*image : nullptr};
  for (const ImageWish& volume : volumes) wishes.push_back(&volume);
  std::vector<std::string> out;
  for (const ImageWish* wish : wishes) {
    out.emplace_back();
    if (wish == nullptr || !wish->login) continue;
    auto found = secrets::resolve(*wish->login, options.secrets.get());
    if (!found) return found.error().with_context("docker.config of the image '" + base::valid_utf8(wish->name) + "'");
    out.back() = std::move(*found);
  }
  return out;
}

void NativeContainerizer::Impl::pull(const ContainerPtr& container) {
  const auto wish = wanted_image(container->spec);
  if (!wish) return launch_failed(container, wish.error());
  if (!*wish || !options.images) return pull_volumes(container);
  std::string credentials = container->logins[0];
  if (credentials.empty() && container->spec.container->type() == mesos::v1::ContainerInfo::DOCKER)
    credentials = fetched_credentials(container->spec);
  pull_one(container, {(*wish)->name, container->spec.id, (*wish)->force, credentials}, [this, container](images::ImagePtr image) {
    container->image = std::move(image);
    pull_volumes(container);
  });
}

void NativeContainerizer::Impl::pull_volumes(const ContainerPtr& container) {
  const auto wishes = wanted_volume_images(container->spec);
  if (!wishes) return launch_failed(container, wishes.error());
  const size_t number = container->volume_images.size();
  if (number == wishes->size()) {
    if (container->destroy_wanted)
      return launch_failed(container, Error{base::Code::Cancelled, "destroyed during the launch"});
    return join(container);
  }
  const ImageWish& wish = (*wishes)[number];
  pull_one(container, {wish.name, holder_of_volume(container->spec.id, number), wish.force, container->logins[number + 1]},
           [this, container](images::ImagePtr image) {
             container->volume_images.push_back(std::move(image));
             pull_volumes(container);
           });
}

void NativeContainerizer::Impl::pull_one(const ContainerPtr& container, images::PullRequest request,
                                         std::function<void(images::ImagePtr)> then) {
  if (container->destroy_wanted)
    return launch_failed(container, Error{base::Code::Cancelled, "destroyed during the launch"});
  enter(container, Stage::Pulling);
  options.images->pull(std::move(request), [self = shared_from_this(), container, then](Result<images::ImagePtr> image) {
    if (self->stopped) return;
    if (!image && image.error().code == base::Code::Cancelled)
      return self->launch_failed(container, Error{base::Code::Cancelled, "destroyed during the launch"});
    if (!image) return self->launch_failed(container, image.error().with_context("Failed to pull"));
    then(std::move(*image));
  });
}

void NativeContainerizer::Impl::cancel_pulls(const Container& container) {
  options.images->cancel(container.spec.id);
  options.images->cancel(holder_of_volume(container.spec.id, container.volume_images.size()));
}

void NativeContainerizer::Impl::release_images(const Container& container) {
  if (!options.images) return;
  options.images->release(container.spec.id);
  for (size_t number = 0; number < container.volume_images.size(); ++number)
    options.images->release(holder_of_volume(container.spec.id, number));
}

}  // namespace containerizer
