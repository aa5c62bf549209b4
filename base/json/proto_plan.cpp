#include "base/json/proto_plan.hpp"

#include <google/protobuf/descriptor.pb.h>

#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>

#include "base/json/proto.hpp"

namespace base::json::internal {

namespace {

namespace pb = google::protobuf;

constexpr int kDenseEnum = 1024;

struct Cache {
  std::shared_mutex mutex;
  std::map<std::pair<const pb::Descriptor*, const ProtoDialect*>, std::unique_ptr<MessagePlan>>
      messages;
  std::map<std::pair<const pb::EnumDescriptor*, const ProtoDialect*>, std::unique_ptr<EnumPlan>>
      enums;
};

// Never destroyed: threads may still render while the process exits.
Cache& cache() {
  static Cache& the_cache = *new Cache();
  return the_cache;
}

std::string quote(std::string_view name) {
  std::string out;
  append_string(out, name);
  return out;
}

const EnumPlan& enum_plan(Cache& plans, const pb::EnumDescriptor& type,
                          const ProtoDialect& dialect) {
  auto& slot = plans.enums[{&type, &dialect}];
  if (slot) return *slot;
  slot = std::make_unique<EnumPlan>();
  for (int i = 0; i < type.value_count(); ++i) {
    const pb::EnumValueDescriptor& value = *type.value(i);
    const std::string name = dialect.enum_name(value);
    slot->by_name.emplace(name, &value);
    if (value.number() < 0 || value.number() >= kDenseEnum) {
      slot->quoted_others.emplace(value.number(), quote(name));
      continue;
    }
    const auto number = static_cast<size_t>(value.number());
    if (slot->quoted.size() <= number) slot->quoted.resize(number + 1);
    if (slot->quoted[number].empty()) slot->quoted[number] = quote(name);  // of aliases the first
  }
  return *slot;
}

const MessagePlan& message_plan(Cache& plans, const pb::Descriptor& type,
                                const ProtoDialect& dialect) {
  auto& slot = plans.messages[{&type, &dialect}];
  if (slot) return *slot;
  slot = std::make_unique<MessagePlan>();
  MessagePlan& plan = *slot;  // in the cache before its fields, which may contain the same type
  plan.fields.reserve(static_cast<size_t>(type.field_count()));
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    FieldPlan& entry = plan.fields.emplace_back();
    entry.field = &field;
    entry.type = field.cpp_type();
    entry.is_bytes = field.type() == pb::FieldDescriptor::TYPE_BYTES;
    entry.is_repeated = field.is_repeated();
    entry.is_map = field.is_map();
    entry.write_unset = field.is_repeated()
                            ? dialect.write_empty(field)
                            : field.has_default_value() && !field.options().deprecated();
    entry.name = dialect.field_name(field);
    entry.key = "," + quote(entry.name) + ":";
    if (field.message_type() != nullptr)
      entry.message = &message_plan(plans, *field.message_type(), dialect);
    if (field.enum_type() != nullptr)
      entry.enumeration = &enum_plan(plans, *field.enum_type(), dialect);
  }
  for (const FieldPlan& entry : plan.fields) plan.by_name.emplace(entry.name, &entry);
  return plan;
}

}  // namespace

const MessagePlan& plan_of(const pb::Descriptor& type, const ProtoDialect& dialect) {
  Cache& plans = cache();
  {
    std::shared_lock lock(plans.mutex);
    const auto found = plans.messages.find({&type, &dialect});
    if (found != plans.messages.end()) return *found->second;
  }
  std::unique_lock lock(plans.mutex);
  return message_plan(plans, type, dialect);
}

}  // namespace base::json::internal
