#include "universe/repository.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "base/json/value.hpp"
#include "base/strings.hpp"

namespace universe {
namespace {

namespace json = boost::json;

constexpr size_t kMaxSetAsideKept = 100;
constexpr size_t kMaxReasonBytes = 500;

std::string name_of(const json::value& document, const std::string& where) {
  if (!document.is_object()) return where;
  const auto text = [&](const char* field) -> std::string {
    const json::value* value = document.get_object().if_contains(field);
    return value != nullptr && value->is_string() ? std::string(value->get_string()).substr(0, 100) : "";
  };
  const std::string name = text("name");
  return name.empty() ? where : base::valid_utf8(name + " " + text("version"));
}

base::Result<json::value> parse_file(const std::map<std::string, std::string>& files, const std::string& name) {
  const auto file = files.find(name);
  if (file == files.end()) return base::not_found(name + " is missing");
  auto value = base::json::parse(file->second);
  if (!value) return value.error().with_context(name);
  if (!value->is_object()) return base::invalid(name + " must be an object");
  return value;
}

std::string fold(const Package& package) {
  std::string text = package.name + "\n" + package.description;
  for (const std::string& tag : package.tags) text += "\n" + tag;
  return base::to_lower(text);
}

}  // namespace

void set_aside(RepositoryIndex& index, std::string what, std::string reason) {
  ++index.set_aside_count;
  if (index.set_aside.size() >= kMaxSetAsideKept) return;
  if (reason.size() > kMaxReasonBytes) reason.resize(kMaxReasonBytes);
  index.set_aside.push_back({std::move(what), base::valid_utf8(reason)});
}

void add_package(RepositoryIndex& index, const json::value& document, const std::string& where) {
  auto package = read_package(document);
  if (package) {
    index.packages.push_back(std::make_shared<const Package>(std::move(*package)));
  } else {
    set_aside(index, name_of(document, where), package.error().message);
  }
}

base::Result<RepositoryIndex> parse_index(std::string_view text, const IndexLimits& limits) {
  json::monotonic_resource memory;
  auto root = base::json::parse(text, {.max_bytes = limits.max_bytes}, &memory);
  if (!root) return root.error();
  const json::value* list = root->is_object() ? root->get_object().if_contains("packages") : nullptr;
  if (list == nullptr || !list->is_array()) {
    return base::invalid("a repository's index is an object with an array \"packages\"");
  }
  const json::array& packages = list->get_array();
  if (packages.size() > limits.max_packages) {
    return base::Error{base::Code::TooLarge, fmt::format("the index has {} packages, the limit is {}", packages.size(),
                                                         limits.max_packages)};
  }
  RepositoryIndex index;
  index.packages.reserve(packages.size());
  for (size_t i = 0; i < packages.size(); ++i) add_package(index, packages[i], fmt::format("packages/{}", i));
  return index;
}

base::Result<json::value> assemble_package(const std::map<std::string, std::string>& files, int64_t release) {
  auto package = parse_file(files, "package.json");
  if (!package) return package.error();
  json::object& object = package->get_object();
  if (!object.contains("releaseVersion")) object["releaseVersion"] = release;
  for (const char* part : {"config", "resource", "command"}) {
    const std::string name = std::string(part) + ".json";
    if (!files.contains(name)) continue;
    auto value = parse_file(files, name);
    if (!value) return value.error();
    object[part] = std::move(*value);
  }
  if (const auto text = files.find("marathon.json.mustache"); text != files.end()) {
    object["marathon"] = json::object{{"v2AppMustacheTemplate", base::base64_encode(text->second)}};
  }
  return package;
}

Catalog::Catalog(const std::vector<Layer>& layers) {
  for (size_t i = 0; i < layers.size(); ++i) {
    if (!layers[i].index) continue;
    for (const auto& package : layers[i].index->packages) {
      packages_[package->name].push_back({package, layers[i].uri, i, fold(*package)});
      links_.insert(package->links.begin(), package->links.end());
    }
  }
  for (auto& [name, entries] : packages_) {
    std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
      if (a.layer != b.layer) return a.layer < b.layer;
      return a.package->release > b.package->release;
    });
    std::set<std::string> seen;
    std::erase_if(entries, [&](const Entry& entry) { return !seen.insert(entry.package->version).second; });
    version_count_ += entries.size();
  }
}

const std::vector<Catalog::Entry>* Catalog::versions(std::string_view name) const {
  const auto found = packages_.find(name);
  return found == packages_.end() ? nullptr : &found->second;
}

}  // namespace universe
