#include "kernel/master/testing_daemon.hpp"

#include <grpcpp/grpcpp.h>

#include "kernel/api/internal/agent_link_service.grpc.pb.h"

namespace master::testing {

struct FakeAgent::Stream {
  grpc::ClientContext context;
  std::unique_ptr<link::AgentLink::Stub> stub;
  std::unique_ptr<grpc::ClientReaderWriter<link::AgentMessage, link::MasterMessage>> messages;
};

FakeAgent::FakeAgent(const Master& master) : stream_(std::make_unique<Stream>()) {
  const std::string body = master.get("/agent-link").body;  // {"address":"ip:port"}
  const size_t start = body.find(":\"") + 2;
  const std::string address = body.substr(start, body.rfind('"') - start);
  stream_->stub = link::AgentLink::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  stream_->messages = stream_->stub->Connect(&stream_->context);
}

FakeAgent::~FakeAgent() {
  stream_->context.TryCancel();
  stream_->messages->Finish();
}

void FakeAgent::send(const link::AgentMessage& message) { EXPECT_TRUE(stream_->messages->Write(message)); }

link::MasterMessage FakeAgent::next() {
  link::MasterMessage message;
  do {
    if (!stream_->messages->Read(&message)) ADD_FAILURE() << "the link ended";
  } while (message.has_ping());
  return message;
}

std::string FakeAgent::register_new(const std::string& resources) {
  link::AgentMessage message;
  auto& body = *message.mutable_register_agent();
  *body.mutable_agent_info() = agent_info("h1", 5051, resources);
  body.set_version("1.12.0");
  add_all_capabilities(body.mutable_capabilities());
  send(message);
  return next().registered().agent_id().value();
}

}  // namespace master::testing
