#include "cli/config_store.hpp"

#include <unistd.h>

#include <algorithm>

#include "base/file.hpp"
#include "base/strings.hpp"

namespace cli {
namespace {

bool bare_key(std::string_view text) {
  if (text.empty()) return false;
  for (char c : text)
    if ((c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '_' &&
        c != '-')
      return false;
  return true;
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        out += c;
    }
  }
  return out + "\"";
}

// Reads a quoted string at the start of `text`; what follows it is left in `text`.
base::Result<std::string> unquote(std::string_view& text) {
  char mark = text.front();
  std::string out;
  for (size_t i = 1; i < text.size(); ++i) {
    char c = text[i];
    if (c == mark) {
      text.remove_prefix(i + 1);
      return out;
    }
    if (c == '\\' && mark == '"' && i + 1 < text.size()) {
      char next = text[++i];
      switch (next) {
        case 'n':
          out += '\n';
          break;
        case 't':
          out += '\t';
          break;
        case 'r':
          out += '\r';
          break;
        case '"':
        case '\\':
          out += next;
          break;
        default:
          return base::invalid("an escape that is not understood");
      }
    } else {
      out += c;
    }
  }
  return base::invalid("a string without its end");
}

}  // namespace

base::Result<Settings> Settings::parse(std::string_view text) {
  Settings out;
  std::string section;
  size_t number = 0;
  auto bad = [&](std::string_view what) {
    return base::invalid("line " + std::to_string(number) + ": " + std::string(what));
  };
  for (std::string_view raw : base::split(text, '\n')) {
    ++number;
    std::string_view line = base::trim(raw);
    if (line.empty() || line.front() == '#') continue;
    if (line.front() == '[') {
      size_t end = line.find(']');
      if (end == std::string_view::npos || !bare_key(base::trim(line.substr(1, end - 1))))
        return bad("no section");
      section = base::trim(line.substr(1, end - 1));
      out.sections_[section];
      continue;
    }
    size_t equal = line.find('=');
    if (equal == std::string_view::npos) return bad("neither a section nor key = value");
    std::string key(base::trim(line.substr(0, equal)));
    std::string_view rest = base::trim(line.substr(equal + 1));
    if (!bare_key(key) || rest.empty()) return bad("neither a section nor key = value");
    Value value;
    if (rest.front() == '"' || rest.front() == '\'') {
      auto string = unquote(rest);
      if (!string) return bad(string.error().message);
      value.text = *string;
      rest = base::trim(rest);
      if (!rest.empty() && rest.front() != '#') return bad("something behind the value");
    } else {
      value.text = base::trim(rest.substr(0, rest.find('#')));
      value.quoted = false;
    }
    out.sections_[section][key] = std::move(value);
  }
  return out;
}

std::string Settings::render() const {
  std::string out;
  for (const auto& [section, values] : sections_) {
    if (values.empty()) continue;
    if (!out.empty()) out += '\n';
    if (!section.empty()) out += "[" + section + "]\n";
    for (const auto& [key, value] : values)
      out += key + " = " + (value.quoted ? quote(value.text) : value.text) + "\n";
  }
  return out;
}

const Settings::Value* Settings::find(std::string_view key) const {
  size_t dot = key.find('.');
  if (dot == std::string_view::npos) return nullptr;
  auto section = sections_.find(std::string(key.substr(0, dot)));
  if (section == sections_.end()) return nullptr;
  auto value = section->second.find(std::string(key.substr(dot + 1)));
  return value == section->second.end() ? nullptr : &value->second;
}

std::optional<std::string> Settings::get(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) return std::nullopt;
  return value->text;
}

void Settings::set(const std::string& key, const std::string& value, bool quoted) {
  size_t dot = key.find('.');
  sections_[key.substr(0, dot)][key.substr(dot + 1)] = {value, quoted};
}

bool Settings::erase(std::string_view key) {
  if (find(key) == nullptr) return false;
  size_t dot = key.find('.');
  sections_[std::string(key.substr(0, dot))].erase(std::string(key.substr(dot + 1)));
  return true;
}

std::vector<std::string> Settings::keys() const {
  std::vector<std::string> out;
  for (const auto& [section, values] : sections_)
    for (const auto& [key, value] : values) out.push_back(section + "." + key);
  return out;
}

std::string Cluster::url() const {
  std::string url = settings.get("core.dcos_url").value_or("");
  while (url.ends_with('/')) url.pop_back();
  return url;
}

const std::vector<KnownKey>& known_keys() {
  using Type = KnownKey::Type;
  static const std::vector<KnownKey> keys = {
      {"cluster.name", Type::Text, "the cluster's name"},
      {"core.dcos_acs_token", Type::Text, "the token sent with requests"},
      {"core.dcos_url", Type::Text, "the cluster's public address"},
      {"core.mesos_master_url", Type::Text,
       "the master's address, when it is not below the cluster's"},
      {"core.pagination", Type::Flag, "whether long output goes through a pager"},
      {"core.prompt_login", Type::Flag, "whether a missing login is asked for"},
      {"core.reporting", Type::Flag, "kept for compatibility: nothing is ever reported"},
      {"core.ssh_proxy_ip", Type::Text, "the node to jump through with ssh"},
      {"core.ssh_user", Type::Text, "the user for ssh"},
      {"core.ssl_verify", Type::FlagOrPath,
       "whether certificates are checked: true, false or a file of authorities"},
      {"core.timeout", Type::Number, "seconds a request may take; 0 for no limit"},
      {"job.service_name", Type::Text, "the name of the job service"},
      {"job.url", Type::Text,
       "where `dcos job` finds a service with Metronome's API, such as /service/metronome; without it, jobs are Chronos'"},
      {"marathon.url", Type::Text, "Marathon's address, when it is not below the cluster's"},
      {"package.cosmos_url", Type::Text,
       "the package manager's address, when it is not below the cluster's"},
  };
  return keys;
}

const KnownKey* find_key(std::string_view key) {
  for (const KnownKey& known : known_keys())
    if (known.key == key) return &known;
  return nullptr;
}

base::Result<std::vector<Cluster>> ConfigStore::clusters() const {
  std::vector<Cluster> out;
  auto names = base::list_directory(clusters_directory());
  if (!names) return names.error().code == base::Code::NotFound ? base::Result(out) : names.error();
  for (const std::string& id : *names) {
    Cluster cluster;
    cluster.id = id;
    cluster.directory = clusters_directory() + "/" + id;
    auto text = base::read_file(cluster.directory + "/dcos.toml", 1 << 20);
    if (!text) continue;
    auto settings = Settings::parse(*text);
    if (!settings) return settings.error().with_context(cluster.directory + "/dcos.toml");
    cluster.settings = *std::move(settings);
    cluster.attached = base::exists(cluster.directory + "/attached");
    out.push_back(std::move(cluster));
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Cluster& a, const Cluster& b) { return a.name() < b.name(); });
  return out;
}

base::Result<Cluster> ConfigStore::find(const std::string& name, bool strict) const {
  ASSIGN_OR_RETURN(auto all, clusters());
  std::vector<Cluster> found;
  for (const Cluster& cluster : all) {
    if (cluster.id == name) return cluster;
    if (cluster.name() == name || (!strict && !name.empty() && cluster.id.starts_with(name)))
      found.push_back(cluster);
  }
  if (found.empty()) return base::not_found("no match found");
  if (found.size() > 1) return base::conflict("multiple matches found");
  return found.front();
}

base::Result<Cluster> ConfigStore::current(const std::string& wanted) const {
  if (!wanted.empty()) {
    auto found = find(wanted, true);
    if (!found) return found.error().with_context("DCOS_CLUSTER=" + wanted);
    return found;
  }
  ASSIGN_OR_RETURN(auto all, clusters());
  if (all.size() == 1) return all.front();
  std::vector<Cluster> attached;
  for (const Cluster& cluster : all)
    if (cluster.attached) attached.push_back(cluster);
  if (attached.size() > 1)
    return base::conflict(
        "multiple clusters are attached. Please run `dcos cluster attach <cluster-name>`");
  if (attached.empty() && all.empty())
    return base::not_found("no cluster is attached. Please run `dcos cluster setup <url>`");
  if (attached.empty())
    return base::not_found(
        "no cluster is attached. Please run `dcos cluster attach <cluster-name>`");
  return attached.front();
}

base::Status ConfigStore::save(Cluster& cluster) const {
  cluster.directory = clusters_directory() + "/" + cluster.id;
  RETURN_IF_ERROR(base::make_directories(cluster.directory, 0700));
  return base::write_file_atomic(cluster.directory + "/dcos.toml", cluster.settings.render(), 0600);
}

base::Status ConfigStore::attach(const std::string& id) const {
  ASSIGN_OR_RETURN(auto all, clusters());
  for (const Cluster& cluster : all)
    if (cluster.attached && cluster.id != id) ::unlink((cluster.directory + "/attached").c_str());
  return base::write_file(clusters_directory() + "/" + id + "/attached", "");
}

base::Status ConfigStore::remove(const Cluster& cluster) const {
  return base::remove_tree(cluster.directory);
}

}  // namespace cli
