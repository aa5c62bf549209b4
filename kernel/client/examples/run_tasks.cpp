// dcos-run-tasks: a whole framework in one page. Runs N copies of a shell command and exits when all have ended.
//
//   dcos-run-tasks --master=127.0.0.1:5050 --tasks=10 --command='echo hello'

#include <cstdio>

#include "base/environment.hpp"
#include "base/file.hpp"
#include "base/flags.hpp"
#include "base/loop.hpp"
#include "base/strings.hpp"
#include "base/tls_settings.hpp"
#include "kernel/api/mesos/v1/tasks.pb.h"
#include "kernel/auth/credentials.hpp"
#include "kernel/client/scheduler.hpp"

namespace {

namespace pb = mesos::v1;
using pb::scheduler::Call;
using pb::scheduler::Event;

struct Flags {
  std::string master = "127.0.0.1:5050", command = "true", name = "run-tasks", user = "root";
  uint32_t tasks = 1;
  double cpus = 0.1, mem = 32;
  std::optional<std::string> credential;
  base::TlsFlags tls;
};

/// Launches tasks while some are left, counts those that ended.
class RunTasks {
 public:
  RunTasks(base::Loop& loop, const Flags& flags, client::ProtocolOptions options)
      : loop_(loop),
        flags_(flags),
        scheduler_(loop, std::move(options), info(flags),
                   {.on_event = [this](const auto& event) { on_event(*event); },
                    .on_disconnected = [this](const std::string&, bool final) {
                      // After our own teardown the master says goodbye with an error.
                      if (final) loop_.stop(ended_ == flags_.tasks && !failed_ ? 0 : 1);
                    }}) {
    scheduler_.start();
  }

 private:
  static pb::FrameworkInfo info(const Flags& flags) {
    pb::FrameworkInfo info;
    info.set_user(flags.user);
    info.set_name(flags.name);
    if (flags.credential) info.set_principal(auth::parse_credential(*flags.credential)->principal);
    info.add_roles("*");
    info.add_capabilities()->set_type(pb::FrameworkInfo::Capability::MULTI_ROLE);
    return info;
  }

  void on_event(const Event& event) {
    if (event.type() == Event::SUBSCRIBED) std::printf("framework %s\n", scheduler_.framework_id().c_str());
    if (event.type() == Event::OFFERS) {
      for (const pb::Offer& offer : event.offers().offers()) on_offer(offer);
    }
    if (event.type() == Event::UPDATE) on_update(event.update().status());
  }

  void on_offer(const pb::Offer& offer) {
    double cpus = 0, mem = 0;
    for (const pb::Resource& resource : offer.resources()) {
      if (resource.name() == "cpus") cpus += resource.scalar().value();
      if (resource.name() == "mem") mem += resource.scalar().value();
    }
    Call call;
    call.set_type(Call::ACCEPT);
    *call.mutable_accept()->add_offer_ids() = offer.id();
    pb::Offer::Operation operation;
    operation.set_type(pb::Offer::Operation::LAUNCH);
    for (; launched_ < flags_.tasks && cpus >= flags_.cpus && mem >= flags_.mem; ++launched_) {
      add_task(*operation.mutable_launch()->add_task_infos(), offer);
      cpus -= flags_.cpus;
      mem -= flags_.mem;
    }
    if (operation.launch().task_infos_size() > 0) *call.mutable_accept()->add_operations() = operation;
    scheduler_.send(call);  // without operations: a decline
  }

  void add_task(pb::TaskInfo& task, const pb::Offer& offer) {
    task.set_name(flags_.name);
    task.mutable_task_id()->set_value(flags_.name + "-" + std::to_string(launched_ + 1));
    *task.mutable_agent_id() = offer.agent_id();
    task.mutable_command()->set_value(flags_.command);
    for (auto [name, amount] : {std::pair{"cpus", flags_.cpus}, std::pair{"mem", flags_.mem}}) {
      pb::Resource& resource = *task.add_resources();
      resource.set_name(name);
      resource.set_type(pb::Value::SCALAR);
      resource.mutable_scalar()->set_value(amount);
      *resource.mutable_allocation_info() = offer.allocation_info();
    }
  }

  void on_update(const pb::TaskStatus& status) {
    std::printf("%s %s %s\n", status.task_id().value().c_str(), pb::TaskState_Name(status.state()).c_str(),
                status.message().c_str());
    if (status.has_uuid()) {
      Call call;
      call.set_type(Call::ACKNOWLEDGE);
      *call.mutable_acknowledge()->mutable_agent_id() = status.agent_id();
      *call.mutable_acknowledge()->mutable_task_id() = status.task_id();
      call.mutable_acknowledge()->set_uuid(status.uuid());
      scheduler_.send(call);
    }
    const bool ended = status.state() == pb::TASK_FINISHED || status.state() == pb::TASK_FAILED ||
                       status.state() == pb::TASK_KILLED || status.state() == pb::TASK_ERROR ||
                       status.state() == pb::TASK_LOST || status.state() == pb::TASK_DROPPED;
    if (!ended) return;
    failed_ = failed_ || status.state() != pb::TASK_FINISHED;
    if (++ended_ < flags_.tasks) return;
    Call teardown;
    teardown.set_type(Call::TEARDOWN);
    scheduler_.send(teardown);
    loop_.after(base::milliseconds(200), [this] { loop_.stop(failed_ ? 1 : 0); });
  }

  base::Loop& loop_;
  const Flags& flags_;
  client::Scheduler scheduler_;
  uint32_t launched_ = 0, ended_ = 0;
  bool failed_ = false;
};

base::Status prepare(const Flags& flags, const base::FlagTable::Environment& environment, client::ProtocolOptions& options) {
  ASSIGN_OR_RETURN(options.masters, client::parse_masters(flags.master));
  ASSIGN_OR_RETURN(options.tls, flags.tls.settings(environment));
  options.https = options.tls.enabled || client::masters_by_https(flags.master);
  if (!flags.credential) return {};
  ASSIGN_OR_RETURN(const auth::BasicCredential credential, auth::parse_credential(*flags.credential));
  options.authorization = "Basic " + base::base64_encode(credential.principal + ":" + credential.secret);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  base::FlagTable table("dcos-run-tasks", "Runs a command as tasks of a cluster and waits for them.", "RUN_TASKS_");
  table.add(&flags.master, "master", "The master, host:port; several separated by commas.");
  table.add(&flags.tasks, "tasks", "How many.");
  table.add(&flags.command, "command", "The shell command that each task runs.");
  table.add(&flags.name, "name", "Name of the framework and prefix of its task ids.");
  table.add(&flags.user, "user", "The user that tasks run as.");
  table.add(&flags.cpus, "cpus", "Processors for each task.");
  table.add(&flags.mem, "mem", "Memory for each task, in MB.");
  base::FlagTable::Options file;
  file.from_file = true;
  file.secret = true;
  table.add(&flags.credential, "credential", R"(File with who asks: {"principal":"p","secret":"s"}.)", file);
  flags.tls.add_to(table);
  const auto environment = base::process_environment();
  const auto parsed = table.parse(argc, argv, environment, [](const std::string& path) { return base::read_file(path, 1 << 20); });
  if (table.help_requested()) return std::puts(table.help().c_str()), 0;
  client::ProtocolOptions options;
  if (const auto ready = parsed ? prepare(flags, environment, options) : parsed; !ready) {
    std::fprintf(stderr, "%s\n", ready.error().message.c_str());
    return 2;
  }
  base::Loop loop;
  RunTasks framework(loop, flags, options);
  return loop.run();
}
