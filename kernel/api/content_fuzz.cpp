// Fuzz entry point: any bytes as the body of a call, in both encodings, or as a node that announces
// a master in ZooKeeper. The first byte chooses.

#include <cstdint>
#include <memory>

#include "base/check.hpp"
#include "kernel/api/content.hpp"
#include "kernel/api/mesos/v1/agent/agent.pb.h"
#include "kernel/api/mesos/v1/executor/executor.pb.h"
#include "kernel/api/mesos/v1/master/master.pb.h"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "kernel/api/master_info.hpp"
#include "kernel/api/names.hpp"

namespace {

std::unique_ptr<google::protobuf::Message> make_call(uint8_t choice) {
  switch (choice % 4) {
    case 0:
      return std::make_unique<mesos::v1::scheduler::Call>();
    case 1:
      return std::make_unique<mesos::v1::executor::Call>();
    case 2:
      return std::make_unique<mesos::v1::agent::Call>();
    default:
      return std::make_unique<mesos::v1::master::Call>();
  }
}

}  // namespace

int fuzz_content(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data + 1), size - 1);
  if ((data[0] & 8) != 0) {
    for (const std::string_view label : {"json.info", "info", ""}) {
      const auto info = api::parse_master_info(label, body);
      if (!info) continue;
      const auto again = api::parse_master_info(api::kMasterLabel, api::render_master_info(*info));
      CHECK_MSG(again.has_value(), "what we write of a master, we can read");
      CHECK(api::master_address(*again) == api::master_address(*info));
    }
  }
  const bool json = (data[0] & 4) != 0;
  const auto call = make_call(data[0]);
  if (api::decode_request(json ? api::kJsonMedia : api::kProtobufMedia, body, *call)) return 0;
  const std::string text = api::encode(api::ContentType::Json, *call);
  const auto back = make_call(data[0]);
  const base::Status status = api::decode(api::ContentType::Json, text, *back);
  // NaN is the one number that is written and not read.
  CHECK_MSG(status || text.find("\"NaN\"") != std::string::npos, text);
  if (json) CHECK_MSG(api::encode(api::ContentType::Json, *back) == text, text);
  const std::string_view header = body.substr(0, 64);
  api::negotiate(header);
  api::parse_media_type(header);
  base::Status ignored = api::validate_id(header);
  ignored = api::validate_role(header);
  return 0;
}
