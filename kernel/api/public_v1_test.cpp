// The public API does not change by accident: every name, number, label, type and default is
// compared with a list.

#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "kernel/api/mesos/v1/agent/agent.pb.h"
#include "kernel/api/mesos/v1/executor/executor.pb.h"
#include "kernel/api/mesos/v1/maintenance/maintenance.pb.h"
#include "kernel/api/mesos/v1/master/master.pb.h"
#include "kernel/api/mesos/v1/mesos.pb.h"
#include "kernel/api/mesos/v1/resource_provider/resource_provider.pb.h"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"

namespace api {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

std::string default_of(const FieldDescriptor& field) {
  if (!field.has_default_value()) return "";
  std::string text = field.DebugString();  // the library prints it as declared
  text = text.substr(text.find("default = ") + 10);
  text = text.substr(0, text.find_first_of(",]"));
  text.erase(std::remove(text.begin(), text.end(), '"'), text.end());
  return " default " + text;
}

std::string line_of(const FieldDescriptor& field) {
  constexpr const char* kLabels[] = {"", "optional", "required", "repeated"};
  std::string type = field.type_name();
  if (field.message_type() != nullptr) type = field.message_type()->full_name();
  if (field.enum_type() != nullptr) type = field.enum_type()->full_name();
  return std::to_string(field.number()) + " " + field.name() + " " + kLabels[field.label()] + " " +
         type + default_of(field) + (field.options().deprecated() ? " deprecated" : "");
}

std::string joined(std::vector<std::pair<int, std::string>> numbered) {
  std::stable_sort(numbered.begin(), numbered.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string text;
  for (const auto& [number, line] : numbered) text += (text.empty() ? " " : ", ") + line;
  return text;
}

void add(const EnumDescriptor& type, std::set<std::string>& lines) {
  std::vector<std::pair<int, std::string>> values;
  for (int i = 0; i < type.value_count(); ++i) {
    const auto& value = *type.value(i);
    values.emplace_back(value.number(), value.name() + " " + std::to_string(value.number()));
  }
  lines.insert("enum " + type.full_name() + ":" + joined(std::move(values)));
}

void add(const Descriptor& type, std::set<std::string>& lines) {
  std::vector<std::pair<int, std::string>> fields;
  for (int i = 0; i < type.field_count(); ++i) {
    fields.emplace_back(type.field(i)->number(), line_of(*type.field(i)));
  }
  lines.insert("message " + type.full_name() + ":" + joined(std::move(fields)));
  for (int i = 0; i < type.enum_type_count(); ++i) add(*type.enum_type(i), lines);
  for (int i = 0; i < type.nested_type_count(); ++i) add(*type.nested_type(i), lines);
}

void add(const FileDescriptor& file, std::set<std::string>& lines) {
  for (int i = 0; i < file.enum_type_count(); ++i) add(*file.enum_type(i), lines);
  for (int i = 0; i < file.message_type_count(); ++i) add(*file.message_type(i), lines);
  for (int i = 0; i < file.dependency_count(); ++i) {
    if (file.dependency(i)->package().starts_with("mesos.v1")) add(*file.dependency(i), lines);
  }
}

TEST(PublicApi, keeps_every_name_number_label_type_and_default) {
  std::set<std::string> actual;
  for (const FileDescriptor* file : {mesos::v1::agent::Call::descriptor()->file(),
                                     mesos::v1::executor::Call::descriptor()->file(),
                                     mesos::v1::master::Call::descriptor()->file(),
                                     mesos::v1::scheduler::Call::descriptor()->file(),
                                     mesos::v1::resource_provider::Call::descriptor()->file(),
                                     mesos::v1::maintenance::Schedule::descriptor()->file()}) {
    add(*file, actual);
  }
  std::ifstream list("kernel/api/testdata/public_v1.txt");
  ASSERT_TRUE(list) << "run this test from the top of the repository";
  std::set<std::string> expected;
  for (std::string line; std::getline(list, line);) expected.insert(line);
  for (const std::string& line : expected)
    EXPECT_TRUE(actual.contains(line)) << "missing: " << line;
  for (const std::string& line : actual)
    EXPECT_TRUE(expected.contains(line)) << "not in the list: " << line;
}

}  // namespace
}  // namespace api
