// JSON: what rendering and reading of big answers cost. Rates are in bytes of JSON text per second.

#include <boost/json.hpp>

#include <functional>

#include "base/json/mapping.hpp"
#include "base/json/proto.hpp"
#include "base/json/proto_test.pb.h"
#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/testing/bench.hpp"

namespace {

struct Pair {
  std::string key, value;
};
BOOST_DESCRIBE_STRUCT(Pair, (), (key, value))

struct App {
  std::string id, cmd;
  double cpus = 0.1, mem = 128;
  int32_t instances = 1;
  std::vector<Pair> labels;
};
BOOST_DESCRIBE_STRUCT(App, (), (id, cmd, cpus, mem, instances, labels))

uint64_t hash_of(const std::string& text) {
  return std::hash<std::string>()(text);
}

dcos::test::Items make_items(int count) {
  dcos::test::Items items;
  for (int i = 0; i < count; ++i) {
    dcos::test::Item& item = *items.add_items();
    const std::string number = std::to_string(i);
    item.mutable_id()->set_value("service.instance-5f1e2c3d-" + number + "._app.1");
    item.set_name("service-" + number);
    item.mutable_agent_id()->set_value("5f1e2c3d-6a4b-4e0c-9d2a-3c1b5e7f9a10-S" +
                                       std::to_string(i % 100));
    item.set_command("cd /opt/service && exec ./run --port=$PORT0 --name=\"service " + number +
                     "\"");
    item.set_timestamp(1'700'000'000 + i * 0.125);
    item.set_uuid("0123456789abcdef");
    for (const char* name : {"cpus", "mem", "disk"}) {
      dcos::test::Amount& amount = *item.add_resources();
      amount.set_name(name);
      amount.set_type(dcos::test::RED);
      amount.set_scalar(0.1 * i);
    }
    for (int label = 0; label < 4; ++label) {
      dcos::test::Pair& pair = *item.add_labels();
      pair.set_key("DCOS_SERVICE_LABEL_" + std::to_string(label));
      pair.set_value("some value of that label, of middling length");
    }
  }
  return items;
}

std::vector<App> make_apps(int count) {
  std::vector<App> apps;
  for (int i = 0; i < count; ++i) {
    App app{"/group/app-" + std::to_string(i), "sleep 1000; echo \"done\"", 0.25, 64, i, {}};
    for (int label = 0; label < 4; ++label)
      app.labels.push_back({"LABEL_" + std::to_string(label), "a value"});
    apps.push_back(std::move(app));
  }
  return apps;
}

}  // namespace

int main(int argc, char** argv) {
  base::testing::Bench bench(argc, argv);
  const int count = bench.small() ? 100 : 20'000;
  const std::map<std::string, std::string> parameters{{"items", std::to_string(count)}};

  const dcos::test::Items items = make_items(count);
  const std::string text = base::json::proto_to_json(items);
  bench.rate("json/proto-write-bytes", parameters, text.size(),
             [&] { return hash_of(base::json::proto_to_json(items)); });
  bench.rate("json/proto-read-bytes", parameters, text.size(), [&] {
    dcos::test::Items back;
    const bool good = base::json::proto_from_json(text, back).has_value();
    return static_cast<uint64_t>(good ? back.items_size() : -1);
  });
  bench.rate("json/parse-bytes", parameters, text.size(), [&] {
    boost::json::monotonic_resource memory;
    const auto value = base::json::parse(text, {}, &memory);
    return static_cast<uint64_t>(value->as_object().size());
  });
  {
    const auto value = base::json::parse(text);
    bench.rate("json/render-bytes", parameters, text.size(),
               [&] { return hash_of(base::json::render(*value)); });
  }

  const std::vector<App> apps = make_apps(count);
  const std::string apps_text = base::json::to_json(apps);
  bench.rate("json/struct-write-bytes", parameters, apps_text.size(),
             [&] { return hash_of(base::json::to_json(apps)); });
  bench.rate("json/struct-read-bytes", parameters, apps_text.size(), [&] {
    const auto back = base::json::parse_as<std::vector<App>>(apps_text);
    return static_cast<uint64_t>(back->size());
  });

  const std::string plain(1'000'000, 'x');
  std::string escaped;
  for (int i = 0; i < 100'000; ++i) escaped += "line " + std::to_string(i) + "\n";
  bench.rate("json/string-plain-bytes", {}, plain.size(), [&] {
    std::string out;
    base::json::append_string(out, plain);
    return out.size();
  });
  bench.rate("json/string-escaped-bytes", {}, escaped.size(), [&] {
    std::string out;
    base::json::append_string(out, escaped);
    return out.size();
  });
  return 0;
}
