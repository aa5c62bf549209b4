// The pure parts at the size of a big cluster: one task's change, the first state, and answers.

#include "base/loop.hpp"
#include "base/testing/bench.hpp"
#include "dns/answer.hpp"
#include "dns/config.hpp"
#include "dns/records.hpp"
#include "kernel/api/mesos/v1/master/master.pb.h"

namespace {

using mesos::v1::master::Event;

mesos::v1::master::Response_GetState make_state(int apps, int agents) {
  mesos::v1::master::Response_GetState state;
  for (int n = 0; n < agents; ++n) {
    auto* agent = state.mutable_get_agents()->add_agents();
    agent->mutable_agent_info()->mutable_id()->set_value("a-S" + std::to_string(n));
    agent->mutable_agent_info()->set_hostname("agent");
    agent->set_active(true);
    agent->set_version("1");
    agent->set_pid("slave(1)@10.0." + std::to_string(n / 250) + "." + std::to_string(n % 250 + 1) + ":5051");
  }
  auto* framework = state.mutable_get_frameworks()->add_frameworks();
  framework->mutable_framework_info()->mutable_id()->set_value("F");
  framework->mutable_framework_info()->set_name("marathon");
  framework->mutable_framework_info()->set_user("root");
  framework->mutable_framework_info()->set_hostname("10.0.0.1");
  for (int n = 0; n < apps; ++n) {
    auto* task = state.mutable_get_tasks()->add_tasks();
    const std::string app = "app-" + std::to_string(n);
    task->set_name(app);
    task->mutable_task_id()->set_value(app + ".instance-6a7c2f10-e9a7-11f1-8721-27ee9ae4b5f5._app.1");
    task->mutable_framework_id()->set_value("F");
    task->mutable_agent_id()->set_value("a-S" + std::to_string(n % agents));
    task->set_state(mesos::v1::TASK_RUNNING);
    auto* ports = task->add_resources();
    ports->set_name("ports");
    auto* range = ports->mutable_ranges()->add_range();
    range->set_begin(static_cast<uint64_t>(31000 + n % 900));
    range->set_end(range->begin());
    task->mutable_discovery()->set_name(app);
    task->mutable_discovery()->mutable_ports()->add_ports()->set_number(80);
  }
  return state;
}

}  // namespace

int main(int argc, char** argv) {
  base::testing::Bench bench(argc, argv);
  const int apps = bench.small() ? 500 : 10'000;
  const std::map<std::string, std::string> size{{"apps", std::to_string(apps)}};
  const auto state = make_state(apps, 100);
  const dns::Config config;

  if (bench.wants("dns/state")) {
    bench.measure("dns/state", size, [&] {
      dns::Records records(config.records({}));
      records.replace(state, "10.0.0.1:5050", {});
      return records.commit({})->records();
    });
  }

  dns::Records records(config.records({}));
  records.replace(state, "10.0.0.1:5050", {});
  records.commit({});
  if (bench.wants("dns/change")) {
    // Each task stops and runs again, and every change is served before the next one.
    const uint64_t changes = bench.small() ? 200 : 10'000;
    bench.rate("dns/change", size, changes, [&] {
      Event event;
      event.set_type(Event::TASK_UPDATED);
      auto& update = *event.mutable_task_updated();
      update.mutable_framework_id()->set_value("F");
      uint64_t hash = 0;
      for (uint64_t i = 0; i < changes; ++i) {
        const auto& task = state.get_tasks().tasks(static_cast<int>(i / 2 * 7919 % static_cast<uint64_t>(apps)));
        *update.mutable_status()->mutable_task_id() = task.task_id();
        const auto to = i % 2 ? mesos::v1::TASK_RUNNING : mesos::v1::TASK_KILLING;
        update.mutable_status()->set_state(to);
        update.set_state(to);
        records.apply(event, {});
        hash += records.commit({})->records();
      }
      return hash;
    });
  }

  const dns::AnswerOptions options = config.answers();
  for (const auto& [name, type] : {std::pair("dns/answer-a", dns::kA), std::pair("dns/answer-srv", dns::kSrv)}) {
    if (!bench.wants(name)) continue;
    std::vector<std::string> queries;
    for (int n = 0; n < apps; ++n) {
      const std::string app = "app-" + std::to_string(n * 7919 % apps);
      const std::string asked = type == dns::kA ? app + ".marathon.mesos" : "_" + app + "._tcp.marathon.mesos";
      queries.push_back(dns::make_query(static_cast<uint16_t>(n), asked, type));
    }
    bench.rate(name, size, queries.size(), [&] {
      dns::Answerer answerer(options, base::Random(1));
      std::vector<char> buffer(4096);
      uint64_t hash = 0;
      for (const std::string& query : queries) {
        dns::Query asked;
        size_t length = 0;
        answerer.answer(query, *records.zone(), true, buffer, length, asked);
        hash += length;
      }
      return hash;
    });
  }
  return 0;
}
