// Every rule of operations, tasks, groups, executors and frameworks as a row of testdata/validation.txt: what is given,
// and the sentence that comes back. The file says how to read it.

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cctype>
#include <fstream>
#include <functional>
#include <map>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "kernel/api/content.hpp"
#include "kernel/master/testing.hpp"
#include "kernel/master/validation.hpp"
#include "kernel/resources/parse.hpp"

namespace {

using master::Refusal;
using mesos::v1::AgentInfo;
namespace json = boost::json;

/// RFC 7396: what `patch` names replaces what is there, null removes it.
void merge(json::value& target, const json::value& patch) {
  if (!patch.is_object()) {
    target = patch;
    return;
  }
  if (!target.is_object()) target = json::object();
  for (const auto& [key, value] : patch.get_object()) {
    if (value.is_null()) target.get_object().erase(key);
    else merge(target.get_object()[key], value);
  }
}

template <class Message>
Message read(const json::value& value) {
  Message message;
  const auto done = api::decode(api::ContentType::Json, base::json::render(value), message);
  EXPECT_TRUE(done) << done.error().message;
  return message;
}

/// What the rows are about; the head of the file describes it to readers.
struct Scene {
  master::Framework framework;
  master::Agent agent;
  resources::Name role{"web"};
  resources::Resources available;
  std::string principal;
  bool by_operator = false;

  explicit Scene(const std::vector<std::string>& flags) {
    mesos::v1::FrameworkInfo info;
    info.set_user("nobody");
    info.add_roles("web");
    info.add_roles("db");
    for (const auto capability : {mesos::v1::FrameworkInfo::Capability::MULTI_ROLE}) {
      info.add_capabilities()->set_type(capability);
    }
    framework.id = "F";
    framework.roles = {"web", "db"};
    agent.id = "A";
    agent.providers["s"] = {};
    std::set<AgentInfo::Capability::Type> missing;
    for (const std::string& flag : flags) {
      AgentInfo::Capability::Type type{};
      if (flag == "operator") by_operator = true;
      else if (flag.rfind("principal=", 0) == 0) principal = flag.substr(10);
      else if (flag == "+SHARED_RESOURCES") framework.capabilities.shared_resources = true;
      else if (AgentInfo::Capability::Type_Parse(flag.substr(1), &type)) missing.insert(type);
      else ADD_FAILURE() << "no such flag: " << flag;
    }
    if (!principal.empty()) info.set_principal(principal);
    framework.info = std::make_shared<const mesos::v1::FrameworkInfo>(info);
    google::protobuf::RepeatedPtrField<AgentInfo::Capability> all;
    master::testing::add_all_capabilities(&all);
    const auto last = std::remove_if(all.begin(), all.end(), [&](const auto& each) { return missing.count(each.type()) > 0; });
    all.DeleteSubrange(static_cast<int>(last - all.begin()), static_cast<int>(all.end() - last));
    agent.capabilities = master::AgentCapabilities::of(all);
    available = resources::must_parse("cpus:4;mem:1024;disk:100;gpus:2;ports:[1-100];zones:{a,b,c}");
    available.allocate(role);

    add_task("taken", framework.tasks, "");
    add_task("away", framework.unreachable_tasks, "");
    add_task("child", framework.tasks, "pod");
  }

  void add_task(const std::string& id, std::map<master::TaskId, std::unique_ptr<master::Task>>& to, const std::string& executor) {
    auto task = std::make_unique<master::Task>();
    mesos::v1::Task& proto = task->proto.edit();
    proto.mutable_task_id()->set_value(id);
    proto.mutable_agent_id()->set_value("A");
    if (!executor.empty()) proto.mutable_executor_id()->set_value(executor);
    to[id] = std::move(task);
  }
};

using Check = std::function<Refusal(Scene&, const json::value&)>;

Check operation(const char* type, const char* field) {
  return [type, field](Scene& scene, const json::value& given) {
    json::object whole{{"type", type}};
    if (!given.is_null()) whole[field] = given;
    const auto parsed = read<mesos::v1::Offer::Operation>(whole);
    return master::validate_operation(parsed, scene.agent, scene.by_operator ? nullptr : &scene.framework, scene.principal);
  };
}

Refusal check_task(Scene& scene, const json::value& given) {
  master::TaskNeeds needs;
  return master::validate_task(read<mesos::v1::TaskInfo>(given),
                               {scene.framework, scene.agent, scene.role, scene.available}, needs);
}

Refusal check_group(Scene& scene, const json::value& given) {
  const auto parsed = read<mesos::v1::Offer::Operation::LaunchGroup>(given);
  master::GroupNeeds needs;
  return master::validate_group(parsed.executor(), parsed.task_group(),
                                {scene.framework, scene.agent, scene.role, scene.available}, needs);
}

Refusal check_subscription(Scene&, const json::value& given) {
  const auto parsed = read<mesos::v1::scheduler::Call::Subscribe>(given);
  if (auto why = master::validate_framework_info(parsed.framework_info())) return why;
  const std::set<std::string> known{"web", "db", "*", "web/api"};
  return master::validate_framework_roles(master::roles_of(parsed.framework_info()), parsed.suppressed_roles(),
                                          parsed.has_offer_constraints() ? &parsed.offer_constraints() : nullptr, known);
}

Refusal check_update(Scene& scene, const json::value& given) {
  const auto parsed = read<mesos::v1::scheduler::Call::UpdateFramework>(given);
  if (auto why = master::validate_framework_info(parsed.framework_info())) return why;
  if (auto why = master::validate_framework_update(*scene.framework.info, parsed.framework_info())) return why;
  return master::validate_framework_roles(master::roles_of(parsed.framework_info()), parsed.suppressed_roles(),
                                          parsed.has_offer_constraints() ? &parsed.offer_constraints() : nullptr, std::nullopt);
}

const std::map<std::string, Check> kChecks = {
    {"RESERVE", operation("RESERVE", "reserve")},
    {"UNRESERVE", operation("UNRESERVE", "unreserve")},
    {"CREATE", operation("CREATE", "create")},
    {"DESTROY", operation("DESTROY", "destroy")},
    {"GROW_VOLUME", operation("GROW_VOLUME", "grow_volume")},
    {"SHRINK_VOLUME", operation("SHRINK_VOLUME", "shrink_volume")},
    {"CREATE_DISK", operation("CREATE_DISK", "create_disk")},
    {"DESTROY_DISK", operation("DESTROY_DISK", "destroy_disk")},
    {"LAUNCH", check_task},
    {"LAUNCH_GROUP", check_group},
    {"SUBSCRIBE", check_subscription},
    {"UPDATE_FRAMEWORK", check_update},
};

class Table {
 public:
  /// One line of the file; empty: it was no row, or all is well.
  std::string run(const std::string& line) {
    const size_t space = line.find(' ');
    const std::string first = line.substr(0, space);
    if (first == "let") {
      const size_t equals = line.find(" = ");
      names_[line.substr(space + 1, equals - space - 1)] = expand(line.substr(equals + 3));
      return {};
    }
    if (first == "base") {
      const size_t next = line.find(' ', space + 1);
      bases_[line.substr(space + 1, next - space - 1)] = parse(line.substr(next + 1));
      return {};
    }
    ++rows_;
    const size_t arrow = line.find(" -> ");
    const size_t body = std::min(line.find('{', space), line.find("null", space));
    if (!kChecks.count(first) || arrow == std::string::npos || body >= arrow) return "this is no row";
    std::vector<std::string> flags;
    for (const auto flag : base::tokenize(std::string_view(line).substr(space + 1, body - space - 1), ' ')) flags.emplace_back(flag);
    json::value given = bases_[first];
    merge(given, parse(line.substr(body, arrow - body)));
    Scene scene(flags);
    prepare(scene);
    const std::string expected = line.substr(arrow + 4), said = kChecks.at(first)(scene, given).value_or("OK");
    const bool prefix = expected.size() > 3 && expected.substr(expected.size() - 3) == "...";
    const bool good = prefix ? said.rfind(expected.substr(0, expected.size() - 3), 0) == 0 : said == expected;
    return good ? std::string() : "it says: " + said;
  }

  int rows() const { return rows_; }

 private:
  /// What is on the agent.
  void prepare(Scene& scene) {
    const auto total = read<mesos::v1::AgentInfo>(parse(
        R"({"hostname":"h","resources":[{$cpu},{$disk},{$disk,$reserved},{$disk,$reserved,$old},{$disk,$reserved,$both}]})"));
    scene.agent.total = *resources::from_proto(total.resources());
    auto& executor = scene.agent.executors["F"]["pod"];
    executor.info = std::make_shared<const mesos::v1::ExecutorInfo>(
        read<mesos::v1::ExecutorInfo>(parse(R"({"executor_id":{"value":"pod"},"type":"DEFAULT","resources":$pod})")));
    // A task has the shared volume.
    auto used = scene.agent.total.shared();
    used.allocate(scene.role);
    scene.framework.tasks["taken"]->resources = used;
    scene.agent.tasks["F"]["taken"] = scene.framework.tasks["taken"].get();
  }

  json::value parse(const std::string& text) const {
    const std::string whole = expand(text);
    auto value = base::json::parse(whole);
    if (!value) ADD_FAILURE() << value.error().message << ": " << whole;
    return value ? *value : json::value();
  }

  std::string expand(const std::string& text) const {
    std::string out;
    for (size_t at = 0; at < text.size();) {
      size_t end = at + 1;
      while (text[at] == '$' && end < text.size() && (std::islower(static_cast<unsigned char>(text[end])) || text[end] == '_')) ++end;
      const auto found = end > at + 1 ? names_.find(text.substr(at + 1, end - at - 1)) : names_.end();
      out += found == names_.end() ? text.substr(at, end - at) : found->second;
      at = end;
    }
    return out;
  }

  std::map<std::string, std::string> names_;
  std::map<std::string, json::value> bases_;
  int rows_ = 0;
};

TEST(ValidationTable, says_of_each_row_what_is_written_there) {
  std::ifstream in("kernel/master/testdata/validation.table");
  ASSERT_TRUE(in.good());
  Table table;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    const std::string wrong = table.run(line);
    if (!wrong.empty()) ADD_FAILURE() << "line " << number << ": " << line << "\n" << wrong;
  }
  EXPECT_GT(table.rows(), 150);
}

}  // namespace
