// A storage plugin for tests: volumes are directories, published by bind mounts. What it was asked stands in
// <root>/calls; a line "<method> fail|hang|lose" in <root>/faults says what becomes of such calls: refused, never answered,
// or done and never answered. With a file <root>/node-only it has no controller. Secrets that it is given stand in
// <root>/secrets.
//
//   dcos-test-csi ROOT MEGABYTES [SOCKET]     without SOCKET: that of the variable CSI_ENDPOINT

#include <grpcpp/grpcpp.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>

#include "base/file.hpp"
#include "base/log.hpp"
#include "kernel/storage/testing/csi_service.grpc.pb.h"

namespace {

using csi::v1::ControllerServiceCapability;
using grpc::ServerContext;
using grpc::Status;
using grpc::StatusCode;

constexpr int64_t kMegabyte = 1 << 20;

class Backend {
 public:
  Backend(std::string root, int64_t bytes) : root_(std::move(root)), bytes_(bytes) {
    (void)base::make_directories(root_ + "/volumes");
    (void)base::make_directories(root_ + "/sizes");
  }

  /// Runs `work` unless the call is to fail or hang.
  template <class Work>
  Status call(ServerContext* context, const std::string& method, const std::string& subject, Work work) {
    std::string fault;
    {
      const std::lock_guard lock(mutex_);
      std::ofstream(root_ + "/calls", std::ios::app) << method << " " << subject << "\n";
      std::ifstream faults(root_ + "/faults");
      for (std::string line; std::getline(faults, line);)
        if (line.starts_with(method + " ")) fault = line.substr(method.size() + 1);
      if (fault == "fail") return Status(StatusCode::INTERNAL, "told to fail");
      if (fault != "hang") {
        const Status done = work();
        if (fault != "lose") return done;
      }
    }
    while (!context->IsCancelled()) usleep(20'000);
    return Status(StatusCode::CANCELLED, "");
  }

  bool node_only() const { return access((root_ + "/node-only").c_str(), F_OK) == 0; }

  template <class Map>
  void note_secrets(const std::string& method, const Map& secrets) {
    std::ofstream file(root_ + "/secrets", std::ios::app);
    for (const auto& [key, value] : secrets) file << method << " " << key << "=" << value << "\n";
  }

  std::string data(const std::string& id) const { return root_ + "/volumes/" + id; }

  std::map<std::string, int64_t> sizes() const {
    std::map<std::string, int64_t> out;
    if (const auto names = base::list_directory(root_ + "/sizes"))
      for (const auto& id : *names) std::ifstream(root_ + "/sizes/" + id) >> out[id];
    return out;
  }
  int64_t free() const {
    int64_t left = bytes_;
    for (const auto& [id, size] : sizes()) left -= size;
    return left;
  }
  bool has(const std::string& id) const { return access((root_ + "/sizes/" + id).c_str(), F_OK) == 0; }
  void add(const std::string& id, int64_t size) {
    mkdir(data(id).c_str(), 0755);
    std::ofstream(root_ + "/sizes/" + id) << size;
  }
  void remove(const std::string& id) {
    (void)base::remove_tree(data(id));
    (void)unlink((root_ + "/sizes/" + id).c_str());
  }

 private:
  std::string root_;
  int64_t bytes_;
  std::mutex mutex_;
};

bool same_place(const std::string& a, const std::string& b) {
  struct stat one {}, other {};
  return stat(a.c_str(), &one) == 0 && stat(b.c_str(), &other) == 0 && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

Status mount_at(const std::string& from, const std::string& to) {
  mkdir(to.c_str(), 0755);
  if (same_place(from, to)) return Status::OK;
  if (mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) != 0)
    return Status(StatusCode::INTERNAL, "cannot mount " + from + " at " + to + ": " + strerror(errno));
  return Status::OK;
}

Status unmount(const std::string& path, bool remove) {
  if (umount2(path.c_str(), 0) != 0 && errno != EINVAL && errno != ENOENT)
    return Status(StatusCode::INTERNAL, "cannot unmount " + path + ": " + strerror(errno));
  if (remove) rmdir(path.c_str());
  return Status::OK;
}

class Identity final : public csi::v1::Identity::Service {
 public:
  explicit Identity(Backend& backend) : backend_(backend) {}
  Status GetPluginInfo(ServerContext* c, const csi::v1::GetPluginInfoRequest*, csi::v1::GetPluginInfoResponse* out) override {
    return backend_.call(c, "GetPluginInfo", "", [&] {
      out->set_name("org.example.test");
      out->set_vendor_version("1");
      return Status::OK;
    });
  }
  Status GetPluginCapabilities(ServerContext*, const csi::v1::GetPluginCapabilitiesRequest*,
                               csi::v1::GetPluginCapabilitiesResponse* out) override {
    if (!backend_.node_only()) out->add_capabilities()->mutable_service()->set_type(csi::v1::PluginCapability::Service::CONTROLLER_SERVICE);
    return Status::OK;
  }
  Status Probe(ServerContext* c, const csi::v1::ProbeRequest*, csi::v1::ProbeResponse* out) override {
    return backend_.call(c, "Probe", "", [&] {
      out->mutable_ready()->set_value(true);
      return Status::OK;
    });
  }

 private:
  Backend& backend_;
};

class Controller final : public csi::v1::Controller::Service {
 public:
  explicit Controller(Backend& backend) : backend_(backend) {}
  Status CreateVolume(ServerContext* c, const csi::v1::CreateVolumeRequest* in, csi::v1::CreateVolumeResponse* out) override {
    return backend_.call(c, "CreateVolume", in->name(), [&] {
      const std::string id = "vol-" + in->name();
      const int64_t size = in->capacity_range().required_bytes();
      if (!backend_.has(id)) {
        if (size > backend_.free()) return Status(StatusCode::OUT_OF_RANGE, "no space");
        backend_.add(id, size);
      }
      out->mutable_volume()->set_volume_id(id);
      out->mutable_volume()->set_capacity_bytes(size);
      (*out->mutable_volume()->mutable_volume_context())["made-by"] = "test";
      return Status::OK;
    });
  }
  Status DeleteVolume(ServerContext* c, const csi::v1::DeleteVolumeRequest* in, csi::v1::DeleteVolumeResponse*) override {
    return backend_.call(c, "DeleteVolume", in->volume_id(), [&] {
      backend_.remove(in->volume_id());
      return Status::OK;
    });
  }
  Status ControllerPublishVolume(ServerContext* c, const csi::v1::ControllerPublishVolumeRequest* in,
                                 csi::v1::ControllerPublishVolumeResponse* out) override {
    return backend_.call(c, "ControllerPublishVolume", in->volume_id(), [&] {
      if (!backend_.has(in->volume_id())) return Status(StatusCode::NOT_FOUND, "no such volume");
      if (in->node_id() != "test-node") return Status(StatusCode::NOT_FOUND, "no such node");
      (*out->mutable_publish_context())["attached"] = "yes";
      return Status::OK;
    });
  }
  Status ControllerUnpublishVolume(ServerContext* c, const csi::v1::ControllerUnpublishVolumeRequest* in,
                                   csi::v1::ControllerUnpublishVolumeResponse*) override {
    return backend_.call(c, "ControllerUnpublishVolume", in->volume_id(), [] { return Status::OK; });
  }
  Status ValidateVolumeCapabilities(ServerContext* c, const csi::v1::ValidateVolumeCapabilitiesRequest* in,
                                    csi::v1::ValidateVolumeCapabilitiesResponse* out) override {
    return backend_.call(c, "ValidateVolumeCapabilities", in->volume_id(), [&] {
      if (!backend_.has(in->volume_id())) return Status(StatusCode::NOT_FOUND, "no such volume");
      *out->mutable_confirmed()->mutable_volume_capabilities() = in->volume_capabilities();
      return Status::OK;
    });
  }
  Status ListVolumes(ServerContext* c, const csi::v1::ListVolumesRequest*, csi::v1::ListVolumesResponse* out) override {
    return backend_.call(c, "ListVolumes", "", [&] {
      for (const auto& [id, size] : backend_.sizes()) {
        auto& volume = *out->add_entries()->mutable_volume();
        volume.set_volume_id(id);
        volume.set_capacity_bytes(size);
      }
      return Status::OK;
    });
  }
  Status GetCapacity(ServerContext* c, const csi::v1::GetCapacityRequest*, csi::v1::GetCapacityResponse* out) override {
    return backend_.call(c, "GetCapacity", "", [&] {
      out->set_available_capacity(backend_.free());
      return Status::OK;
    });
  }
  Status ControllerGetCapabilities(ServerContext*, const csi::v1::ControllerGetCapabilitiesRequest*,
                                   csi::v1::ControllerGetCapabilitiesResponse* out) override {
    using Rpc = ControllerServiceCapability::RPC;
    for (const auto type : {Rpc::CREATE_DELETE_VOLUME, Rpc::PUBLISH_UNPUBLISH_VOLUME, Rpc::LIST_VOLUMES, Rpc::GET_CAPACITY})
      out->add_capabilities()->mutable_rpc()->set_type(type);
    return Status::OK;
  }

 private:
  Backend& backend_;
};

class Node final : public csi::v1::Node::Service {
 public:
  explicit Node(Backend& backend) : backend_(backend) {}
  Status NodeStageVolume(ServerContext* c, const csi::v1::NodeStageVolumeRequest* in, csi::v1::NodeStageVolumeResponse*) override {
    return backend_.call(c, "NodeStageVolume", in->volume_id(), [&] {
      backend_.note_secrets("NodeStageVolume", in->secrets());
      if (!backend_.has(in->volume_id())) return Status(StatusCode::NOT_FOUND, "no such volume");
      if (!backend_.node_only() && !in->publish_context().contains("attached"))
        return Status(StatusCode::FAILED_PRECONDITION, "not attached");
      return mount_at(backend_.data(in->volume_id()), in->staging_target_path());
    });
  }
  Status NodeUnstageVolume(ServerContext* c, const csi::v1::NodeUnstageVolumeRequest* in, csi::v1::NodeUnstageVolumeResponse*) override {
    return backend_.call(c, "NodeUnstageVolume", in->volume_id(), [&] { return unmount(in->staging_target_path(), false); });
  }
  Status NodePublishVolume(ServerContext* c, const csi::v1::NodePublishVolumeRequest* in, csi::v1::NodePublishVolumeResponse*) override {
    return backend_.call(c, "NodePublishVolume", in->volume_id(), [&] {
      backend_.note_secrets("NodePublishVolume", in->secrets());
      if (!same_place(backend_.data(in->volume_id()), in->staging_target_path()))
        return Status(StatusCode::FAILED_PRECONDITION, "not staged");
      return mount_at(in->staging_target_path(), in->target_path());
    });
  }
  Status NodeUnpublishVolume(ServerContext* c, const csi::v1::NodeUnpublishVolumeRequest* in,
                             csi::v1::NodeUnpublishVolumeResponse*) override {
    return backend_.call(c, "NodeUnpublishVolume", in->volume_id(), [&] { return unmount(in->target_path(), true); });
  }
  Status NodeGetCapabilities(ServerContext*, const csi::v1::NodeGetCapabilitiesRequest*,
                             csi::v1::NodeGetCapabilitiesResponse* out) override {
    out->add_capabilities()->mutable_rpc()->set_type(csi::v1::NodeServiceCapability::RPC::STAGE_UNSTAGE_VOLUME);
    return Status::OK;
  }
  Status NodeGetInfo(ServerContext*, const csi::v1::NodeGetInfoRequest*, csi::v1::NodeGetInfoResponse* out) override {
    out->set_node_id("test-node");
    return Status::OK;
  }

 private:
  Backend& backend_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string socket = argc > 3 ? argv[3] : "";
  if (socket.empty())
    for (char** variable = environ; *variable != nullptr; ++variable)
      if (std::string_view(*variable).starts_with("CSI_ENDPOINT=")) socket = *variable + sizeof("CSI_ENDPOINT=") - 1;
  if (argc < 3 || socket.empty()) {
    LOG_ERROR("usage: dcos-test-csi ROOT MEGABYTES [SOCKET]");
    return 2;
  }
  if (socket.starts_with("unix://")) socket = socket.substr(7);
  unlink(socket.c_str());
  Backend backend(argv[1], std::atoll(argv[2]) * kMegabyte);
  Identity identity(backend);
  Controller controller(backend);
  Node node(backend);
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket, grpc::InsecureServerCredentials());
  builder.RegisterService(&identity);
  builder.RegisterService(&controller);
  builder.RegisterService(&node);
  const auto server = builder.BuildAndStart();
  if (!server) return 1;
  server->Wait();
}
