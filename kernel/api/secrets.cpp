#include "kernel/api/secrets.hpp"

#include <vector>

#include "kernel/api/mesos/v1/values.pb.h"

namespace api {

void hide_secrets(google::protobuf::Message& message) {
  if (message.GetDescriptor() == mesos::v1::Secret::descriptor()) {
    static_cast<mesos::v1::Secret&>(message).clear_value();
    return;
  }
  const auto* reflection = message.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      hide_secrets(*reflection->MutableMessage(&message, field));
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i)
      hide_secrets(*reflection->MutableRepeatedMessage(&message, field, i));
  }
}

}  // namespace api
