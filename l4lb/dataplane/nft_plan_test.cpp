#include "l4lb/dataplane/nft_plan.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "l4lb/dataplane/nft_apply.hpp"

namespace l4lb {
namespace {

ServiceKey key(const char* ip, uint16_t port = 80, Protocol protocol = Protocol::Tcp) {
  return {*parse_address(ip), protocol, port};
}
Target target(const std::string& endpoint, uint32_t weight = 1) { return {*parse_endpoint(endpoint), weight}; }

/// Applies a script's element lines to a model of the kernel, which refuses what the kernel would.
class Kernel {
 public:
  void run(const std::string& script) {
    size_t at = 0;
    while (at < script.size()) {
      const size_t end = script.find('\n', at);
      line(script.substr(at, end - at));
      at = end + 1;
    }
  }
  std::map<std::string, std::map<std::string, std::string>> elements;
  size_t operations = 0;

 private:
  void line(const std::string& text) {
    const bool add = text.starts_with("add element"), del = text.starts_with("delete element");
    if (!add && !del) return;
    const size_t open = text.find(" { "), close = text.rfind(" }");
    const size_t name_at = text.rfind(' ', open - 1) + 1;
    auto& set = elements[text.substr(name_at, open - name_at)];
    std::string list = text.substr(open + 3, close - open - 3);
    for (size_t from = 0; from < list.size();) {
      const size_t comma = std::min(list.find(", ", from), list.size());
      const std::string element = list.substr(from, comma - from);
      const size_t colon = element.find(" : ");
      const std::string name = element.substr(0, colon);
      ++operations;
      if (add) {
        EXPECT_TRUE(set.emplace(name, colon == std::string::npos ? "" : element.substr(colon + 3)).second) << element;
      } else {
        EXPECT_EQ(set.erase(name), 1U) << element;
      }
      from = comma + 2;
    }
  }
};

std::map<std::string, int> shares(const Kernel& kernel, const std::string& map, const std::string& prefix) {
  std::map<std::string, int> out;
  if (const auto it = kernel.elements.find(map); it != kernel.elements.end())
    for (const auto& [name, value] : it->second)
      if (name.starts_with(prefix)) ++out[value];
  return out;
}

TEST(NftPlan, slots_follow_the_weights) {
  NftPlan plan({});
  Kernel kernel;
  kernel.run(plan.change({{key("11.0.0.1"), true, {target("10.0.0.1:1"), target("10.0.0.2:1", 3)}, {}}}).script);
  EXPECT_EQ(shares(kernel, "b16v4", "11.0.0.1 . tcp . 80 ."),
            (std::map<std::string, int>{{"10.0.0.1 . 1", 4}, {"10.0.0.2 . 1", 12}}));
  // Nine do not share sixteen fairly: the wide map.
  std::vector<Target> nine;
  for (int i = 1; i <= 9; ++i) nine.push_back(target("10.0.0." + std::to_string(i) + ":1"));
  kernel.run(plan.change({{key("11.0.0.1"), true, nine, {}}}).script);
  EXPECT_TRUE(shares(kernel, "b16v4", "").empty());
  for (const auto& [name, count] : shares(kernel, "b256v4", "11.0.0.1"))
    EXPECT_TRUE(count == 28 || count == 29) << count;
}

TEST(NftPlan, a_service_without_backends_has_no_slots_and_is_refused_by_the_range) {
  NftPlan plan({});
  Kernel kernel;
  kernel.run(plan.change({{key("11.0.0.1"), true, {}, {}}, {key("1.2.3.4"), true, {}, {}}}).script);
  EXPECT_TRUE(shares(kernel, "b16v4", "").empty());
  EXPECT_EQ(kernel.elements["known4"].count("1.2.3.4 . tcp . 80"), 1U);
  EXPECT_EQ(kernel.elements["known4"].size(), 1U);
  EXPECT_EQ(plan.literals(), std::set<Address>{*parse_address("1.2.3.4")});
  kernel.run(plan.change({{key("1.2.3.4"), false, {}, {}}}).script);
  EXPECT_TRUE(kernel.elements["known4"].empty());
}

TEST(NftPlan, udp_flows_to_what_is_gone_are_stale_but_not_to_what_drains) {
  NftPlan plan({});
  const auto udp = key("11.0.0.1", 53, Protocol::Udp);
  plan.change({{udp, true, {target("10.0.0.1:1"), target("10.0.0.2:1")}, {}}});
  EXPECT_TRUE(plan.change({{udp, true, {target("10.0.0.1:1")}, {*parse_endpoint("10.0.0.2:1")}}}).stale.empty());
  const auto gone = plan.change({{udp, true, {target("10.0.0.1:1")}, {}}});
  ASSERT_EQ(gone.stale.size(), 1U);
  EXPECT_EQ(render(gone.stale[0].backend), "10.0.0.2:1");
  EXPECT_TRUE(gone.script.empty());  // it had no slots any more
  EXPECT_EQ(plan.change({{udp, false, {}, {}}}).stale.size(), 1U);
}

TEST(NftPlan, random_changes_leave_the_kernel_as_a_full_load_would) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    base::Random random(seed);
    NftPlan plan({.table = "t", .range = {}, .seed = seed});
    Kernel kernel;
    for (int step = 0; step < 40; ++step) {
      std::vector<ServiceChange> changes;
      for (uint64_t count = 1 + random.below(4); count > 0; --count) {
        const bool v6 = random.chance(0.3);
        ServiceChange change;
        change.key =
            key(v6                   ? "fd01:c::5"
                : random.chance(0.5) ? "11.0.0.1"
                                     : "1.2.3.4",
                static_cast<uint16_t>(80 + random.below(3)), random.chance(0.3) ? Protocol::Udp : Protocol::Tcp);
        change.known = random.chance(0.8);
        std::set<uint64_t> ports;
        if (change.known)
          for (uint64_t n = random.chance(0.1) ? 300 : random.below(20); n > 0; --n)
            ports.insert(1 + random.below(400));
        for (const uint64_t port : ports)
          change.targets.push_back(target((v6 ? "[fd00::1]:" : "10.0.0.1:") + std::to_string(port),
                                          static_cast<uint32_t>(1 + random.below(3))));
        changes.push_back(std::move(change));
      }
      kernel.run(plan.change(changes).script);
    }
    Kernel fresh;
    fresh.run(plan.full());
    for (const char* name : {"b16v4", "b256v4", "b16v6", "b256v6", "known4", "known6", "hair4", "hair6"}) {
      EXPECT_EQ(kernel.elements[name], fresh.elements[name]) << name << " seed " << seed;
      EXPECT_EQ(plan.repair(name, kernel.elements[name]), "");
    }
  }
}

TEST(NftPlan, a_change_touches_its_own_slots_and_no_more) {
  NftPlan plan({});
  Kernel kernel;
  std::vector<ServiceChange> all;
  for (int i = 1; i <= 100; ++i)
    all.push_back(
        {key(("11.0.1." + std::to_string(i)).c_str()), true, {target("10.0.0.1:1"), target("10.0.0.2:1")}, {}});
  kernel.run(plan.change(all).script);
  kernel.operations = 0;
  kernel.run(plan.change({{key("11.0.1.7"), true, {target("10.0.0.1:1"), target("10.0.0.3:1")}, {}}}).script);
  EXPECT_EQ(kernel.operations, 17U);  // eight slots deleted and added, and one address that may call itself
}

TEST(NftPlan, repairs_what_somebody_changed) {
  NftPlan plan({});
  Kernel kernel;
  kernel.run(plan.change({{key("11.0.0.1"), true, {target("10.0.0.1:1"), target("10.0.0.2:1")}, {}}}).script);
  auto broken = kernel.elements["b16v4"];
  const auto wanted = broken;
  broken.erase(broken.begin());
  broken.begin()->second = "6.6.6.6 . 6";
  broken["11.9.9.9 . tcp . 1 . 0"] = "6.6.6.6 . 6";
  kernel.elements["b16v4"] = broken;
  kernel.run(plan.repair("b16v4", broken));
  EXPECT_EQ(kernel.elements["b16v4"], wanted);
}

TEST(Routes, a_range_is_covered_by_the_fewest_prefixes) {
  const auto text = [](uint32_t first, uint32_t last) {
    std::string out;
    for (const Route& route : cover(first, last)) out += render(route.address) + "/" + std::to_string(route.bits) + " ";
    return out;
  };
  EXPECT_EQ(text(11U << 24, (12U << 24) - 1), "11.0.0.0/8 ");
  EXPECT_EQ(text((11U << 24) + 1, (11U << 24) + 6), "11.0.0.1/32 11.0.0.2/31 11.0.0.4/31 11.0.0.6/32 ");
  EXPECT_EQ(text(0xfffffffe, 0xffffffff), "255.255.255.254/31 ");
}

}  // namespace
}  // namespace l4lb
