#include "kernel/containerizer/images/store.hpp"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/images/reference.hpp"
#include "kernel/containerizer/launch/launcher.hpp"

namespace containerizer::images {
namespace {

namespace json = boost::json;

std::string file_name(const std::string& digest) {
  return base::replace_all(digest, ":", "-");
}

std::vector<std::string> strings_of(const json::value& value, const char* pointer) {
  std::vector<std::string> out;
  const auto* list = base::json::find(value, pointer);
  if (list == nullptr || !list->is_array()) return out;
  for (const auto& item : list->as_array())
    if (item.is_string()) out.emplace_back(item.as_string());
  return out;
}

Result<ImageRecord> read_image(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, base::read_file(path, 32 << 20));
  ASSIGN_OR_RETURN(const json::value value, base::json::parse(text));
  ImageRecord out;
  ASSIGN_OR_RETURN(out.id, base::json::get_string(value, "/id"));
  ASSIGN_OR_RETURN(out.config, base::json::get_string(value, "/config"));
  ASSIGN_OR_RETURN(out.pulled, base::json::get_double(value, "/pulled"));
  ASSIGN_OR_RETURN(out.last_used, base::json::get_double(value, "/last_used"));
  out.names = strings_of(value, "/names");
  out.layers = strings_of(value, "/layers");
  if (!is_digest(out.id)) return Error{base::Code::Corrupt, "the record's id is not a digest"};
  return out;
}

struct FoundLayer {
  LayerRecord record;
  std::string boot_id;
};

Result<FoundLayer> read_layer(const std::string& directory) {
  ASSIGN_OR_RETURN(const std::string text, base::read_file(directory + "/record", 1 << 20));
  ASSIGN_OR_RETURN(const json::value value, base::json::parse(text));
  FoundLayer out;
  ASSIGN_OR_RETURN(out.record.diff_id, base::json::get_string(value, "/diff_id"));
  ASSIGN_OR_RETURN(out.record.bytes, base::json::get_uint(value, "/bytes"));
  ASSIGN_OR_RETURN(out.record.entries, base::json::get_uint(value, "/entries"));
  ASSIGN_OR_RETURN(out.record.made, base::json::get_double(value, "/made"));
  ASSIGN_OR_RETURN(out.boot_id, base::json::get_string(value, "/boot_id"));
  if (!is_digest(out.record.diff_id))
    return Error{base::Code::Corrupt, "the record's diff_id is not a digest"};
  if (!base::exists(directory + "/fs")) return Error{base::Code::Corrupt, "its files are missing"};
  return out;
}

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::string& directory, Content& content) {
  // Layers have files of every user, setuid programs too: nobody but root has business in there.
  RETURN_IF_ERROR(base::make_directories(directory, 0700));
  for (const char* part : {"staging", "layers", "images", "trash"})
    RETURN_IF_ERROR(base::make_directories(directory + "/" + part, 0700));
  std::unique_ptr<Store> store(new Store(directory));
  const std::string lock = directory + "/lock";
  store->lock_ = base::Fd(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!store->lock_) return base::errno_error(lock, errno);
  if (flock(store->lock_.get(), LOCK_EX | LOCK_NB) != 0)
    return base::conflict("another agent uses the image store " + directory +
                          "; every agent of a machine needs its own");
  ASSIGN_OR_RETURN(store->boot_id_, launch::read_boot_id());
  RETURN_IF_ERROR(store->load(content));
  return store;
}

std::string Store::next_name() {
  return std::to_string(getpid()) + "-" + std::to_string(counter_++);
}

Status Store::discard(const std::string& path) {
  for (;;) {
    const std::string target = directory_ + "/trash/" + next_name();
    if (rename(path.c_str(), target.c_str()) == 0 || errno == ENOENT) return {};
    // A name of an agent before us with the same pid.
    if (errno != EEXIST && errno != ENOTEMPTY)
      return base::errno_error("cannot discard " + path, errno);
  }
}

Status Store::load(Content& content) {
  ASSIGN_OR_RETURN(Survey found, survey(directory_));
  for (const auto& name : found.staging) RETURN_IF_ERROR(discard(directory_ + "/staging/" + name));
  for (const auto& bad : found.bad) {
    LOG_WARNING("{} {} is given up: {}", bad.image ? "The image record" : "The layer", bad.path, bad.why);
    if (bad.image)
      unlink(bad.path.c_str());
    else
      RETURN_IF_ERROR(discard(bad.path));
  }
  content = std::move(found.content);
  return {};
}

namespace {

Status survey_layers(const std::string& directory, Store::Survey& out) {
  ASSIGN_OR_RETURN(const std::string boot_id, launch::read_boot_id());
  ASSIGN_OR_RETURN(const auto names, base::list_directory(directory + "/layers"));
  for (const auto& name : names) {
    const std::string path = directory + "/layers/" + name;
    auto found = read_layer(path);
    Status fine = found ? Status() : Status(found.error());
    if (found && file_name(found->record.diff_id) != name)
      fine = Error{base::Code::Corrupt, "its record names another layer"};
    // Complete, but perhaps only in a memory that is gone.
    if (found && found->boot_id != boot_id && !base::exists(path + "/durable"))
      fine = Error{base::Code::Corrupt, "the machine stopped before it was written out"};
    if (fine)
      out.content.layers[found->record.diff_id] = found->record;
    else
      out.bad.push_back({path, fine.error().message, false});
  }
  return {};
}

}  // namespace

Result<Store::Survey> Store::survey(const std::string& directory) {
  Survey out;
  ASSIGN_OR_RETURN(out.staging, base::list_directory(directory + "/staging"));
  ASSIGN_OR_RETURN(out.trash, base::list_directory(directory + "/trash"));
  RETURN_IF_ERROR(survey_layers(directory, out));
  ASSIGN_OR_RETURN(const auto images, base::list_directory(directory + "/images"));
  for (const auto& name : images) {
    const std::string path = directory + "/images/" + name;
    auto record = read_image(path);
    Status fine = record ? Status() : Status(record.error());
    if (record && !std::all_of(record->layers.begin(), record->layers.end(),
                               [&out](const auto& layer) { return out.content.layers.contains(layer); }))
      fine = Error{base::Code::Corrupt, "not all of its layers are there"};
    if (fine)
      out.content.images[record->id] = std::move(*record);
    else
      out.bad.push_back({path, fine.error().message, true});
  }
  return out;
}

Result<std::string> Store::make_staging() {
  for (;;) {
    const std::string path = directory_ + "/staging/" + next_name();
    if (mkdir(path.c_str(), 0700) == 0) {
      const std::string files = path + "/fs";
      if (mkdir(files.c_str(), 0755) != 0 || chmod(files.c_str(), 0755) != 0)
        return base::errno_error(files, errno);
      return path;
    }
    if (errno != EEXIST) return base::errno_error("cannot make " + path, errno);
  }
}

Status Store::commit_layer(const std::string& staging, const LayerRecord& record) {
  const json::object text{{"diff_id", record.diff_id},
                          {"bytes", record.bytes},
                          {"entries", record.entries},
                          {"made", record.made},
                          {"boot_id", boot_id_}};
  RETURN_IF_ERROR(base::write_file(staging + "/record", base::json::render(text), 0600));
  const std::string target = directory_ + "/layers/" + file_name(record.diff_id);
  if (rename(staging.c_str(), target.c_str()) == 0) return {};
  if (errno == EEXIST || errno == ENOTEMPTY) return discard(staging);
  return base::errno_error("cannot make the layer " + target, errno);
}

Status Store::make_durable(const std::vector<std::string>& diff_ids) {
  const base::Fd directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || syncfs(directory.get()) != 0)
    return base::errno_error("cannot write out " + directory_, errno);
  for (const auto& diff_id : diff_ids) {
    const std::string path = directory_ + "/layers/" + file_name(diff_id);
    if (base::exists(path)) RETURN_IF_ERROR(base::write_file(path + "/durable", "", 0600));
  }
  return {};
}

Status Store::save_image(const ImageRecord& record) {
  json::array names, layers;
  for (const auto& name : record.names) names.emplace_back(name);
  for (const auto& layer : record.layers) layers.emplace_back(layer);
  const json::object text{
      {"id", record.id},         {"names", std::move(names)}, {"layers", std::move(layers)},
      {"config", record.config}, {"pulled", record.pulled},   {"last_used", record.last_used}};
  // Not synced: a record that a power failure spoils is given up at the next start, like layers
  // that were not written out.
  const std::string path = directory_ + "/images/" + file_name(record.id) + ".json",
                    temporary = directory_ + "/staging/" + next_name();
  RETURN_IF_ERROR(base::write_file(temporary, base::json::render(text), 0600));
  if (rename(temporary.c_str(), path.c_str()) != 0)
    return base::errno_error("cannot write " + path, errno);
  return {};
}

Status Store::remove_image(const std::string& id) {
  const std::string path = directory_ + "/images/" + file_name(id) + ".json";
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return base::errno_error("cannot remove " + path, errno);
  return {};
}

Status Store::discard_layer(const std::string& diff_id) {
  return discard(directory_ + "/layers/" + file_name(diff_id));
}
Status Store::discard_staging(const std::string& staging) {
  return discard(staging);
}

Status Store::empty_trash() {
  ASSIGN_OR_RETURN(const auto names, base::list_directory(directory_ + "/trash"));
  for (const auto& name : names) RETURN_IF_ERROR(base::remove_tree(directory_ + "/trash/" + name));
  return {};
}

std::string Store::layer_path(const std::string& diff_id) const {
  return directory_ + "/layers/" + file_name(diff_id) + "/fs";
}

double Store::used_fraction() const {
  struct statvfs info;
  if (statvfs(directory_.c_str(), &info) != 0 || info.f_blocks == 0) return 0;
  const double blocks =
      1.0 - static_cast<double>(info.f_bavail) / static_cast<double>(info.f_blocks);
  const double inodes = info.f_files == 0 ? 0
                                          : 1.0 - static_cast<double>(info.f_favail) /
                                                      static_cast<double>(info.f_files);
  return std::max(blocks, inodes);
}

}  // namespace containerizer::images
