#include "kernel/storage/plugin.hpp"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <map>

#include "base/gate.hpp"

namespace storage {
namespace {

constexpr int kMaxAnswer = 16 << 20;
constexpr size_t kMaxMessage = 2000;  // of an error, for logs and statuses

struct UnaryCall {
  grpc::ClientContext context;
  grpc::ByteBuffer request, response;
};

Answer read(const grpc::Status& status, const grpc::ByteBuffer& response) {
  Answer answer;
  answer.code = status.error_code();
  answer.message = status.error_message().substr(0, kMaxMessage);
  if (!status.ok() && answer.message.empty()) answer.message = "gRPC status " + std::to_string(answer.code);
  grpc::Slice whole;
  if (status.ok() && response.Length() > 0 && response.DumpToSingleSlice(&whole).ok())
    answer.body.assign(reinterpret_cast<const char*>(whole.begin()), whole.size());
  return answer;
}

}  // namespace

struct Plugin::Impl {
  explicit Impl(base::Loop& loop) : gate(std::make_shared<base::Gate>(loop)) {}

  std::shared_ptr<base::Gate> gate;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<grpc::GenericStub> stub;
  using Calls = std::map<uint64_t, std::shared_ptr<UnaryCall>>;
  std::shared_ptr<Calls> calls = std::make_shared<Calls>();
  uint64_t next = 1;
};

Plugin::Plugin(base::Loop& loop, const std::string& socket) : impl_(std::make_unique<Impl>(loop)) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxAnswer);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // A plugin that comes back is noticed soon.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // What stands for the name of the host: that of the socket is nothing that HTTP/2 allows.
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  std::string address = socket;
  while (address.starts_with("unix:///")) address = "unix:/" + address.substr(8);
  if (address.starts_with('/')) address = "unix:" + address;
  impl_->channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  impl_->stub = std::make_unique<grpc::GenericStub>(impl_->channel);
  // Never given back, as in the agent's link: gRPC 1.51 must not see its last channel go.
  [[maybe_unused]] static const auto* const first = new std::shared_ptr<grpc::Channel>(impl_->channel);
}

Plugin::~Plugin() {
  impl_->gate->shut();
  for (const auto& [id, call] : *impl_->calls) call->context.TryCancel();
}

void Plugin::call(const std::string& method, const std::string& body, base::Duration timeout, std::function<void(Answer)> done) {
  const uint64_t id = impl_->next++;
  auto call = std::make_shared<UnaryCall>();
  (*impl_->calls)[id] = call;
  call->context.set_deadline(gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(timeout.count(), GPR_TIMESPAN)));
  const grpc::Slice slice(body);
  call->request = grpc::ByteBuffer(&slice, 1);
  impl_->stub->UnaryCall(&call->context, method, grpc::StubOptions(), &call->request, &call->response,
                         [call, id, calls = impl_->calls, gate = impl_->gate, done = std::move(done)](grpc::Status status) mutable {
                           auto answer = read(status, call->response);
                           gate->post([id, calls = std::move(calls), done = std::move(done), answer = std::move(answer)]() mutable {
                             calls->erase(id);
                             done(std::move(answer));
                           });
                         });
}

}  // namespace storage
