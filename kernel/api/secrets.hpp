#pragma once

#include <google/protobuf/message.h>

namespace api {

/// Takes the value out of every mesos.v1.Secret in `message`, which is going to be shown or kept. The secret's kind and a
/// reference's name stay: they tell the reader what belongs there.
void hide_secrets(google::protobuf::Message& message);

}  // namespace api
