#include "dns/zone.hpp"

#include <gtest/gtest.h>

#include <map>

#include "base/random.hpp"

namespace dns {
namespace {

Record a_record(const std::string& name, char last) { return {name, Kind::A, std::string("\x0a\0\0", 3) + last}; }

std::vector<Record> records_of(const Zone& zone, std::string_view name) {
  std::vector<Record> found;
  for (const RecordView record : zone.find(name)) found.push_back({std::string(name), record.kind, std::string(record.data)});
  return found;
}

TEST(Zone, gives_the_records_of_a_name_and_nothing_of_others) {
  ZoneEdit edit;
  edit.add(a_record("a.mesos", 1));
  edit.add(a_record("b.mesos", 2));
  edit.add({"a.mesos", Kind::SRV, srv_data(8080, "b.mesos")});
  const auto zone = edit.apply(Zone());
  const Entry entry = zone->find("a.mesos");
  ASSERT_TRUE(entry);
  std::vector<Kind> kinds;
  for (const RecordView record : entry) kinds.push_back(record.kind);
  EXPECT_EQ(kinds, (std::vector<Kind>{Kind::A, Kind::SRV}));
  const RecordView srv = *++entry.begin();
  EXPECT_EQ(srv.port(), 8080);
  EXPECT_EQ(srv.target(), "b.mesos");
  EXPECT_FALSE(zone->find("c.mesos"));
  EXPECT_FALSE(zone->find(""));
  EXPECT_EQ(zone->names(), 2u);
  EXPECT_EQ(zone->records(), 3u);
}

TEST(Zone, keeps_a_record_until_its_last_source_is_gone) {
  ZoneEdit edit;
  edit.add(a_record("a.mesos", 1));
  edit.add(a_record("a.mesos", 1));
  auto zone = edit.apply(Zone());
  EXPECT_EQ(zone->records(), 1u);
  edit.remove(a_record("a.mesos", 1));
  zone = edit.apply(*zone);
  EXPECT_EQ(zone->records(), 1u);
  edit.remove(a_record("a.mesos", 1));
  zone = edit.apply(*zone);
  EXPECT_FALSE(zone->find("a.mesos"));
  EXPECT_EQ(zone->names(), 0u);
  edit.remove(a_record("a.mesos", 1));
  EXPECT_TRUE(edit.apply(*zone)->same_records(Zone()));
}

TEST(Zone, that_was_edited_leaves_its_readers_the_old_one) {
  ZoneEdit edit;
  edit.add(a_record("a.mesos", 1));
  const auto before = edit.apply(Zone());
  const Entry held = before->find("a.mesos");
  edit.remove(a_record("a.mesos", 1));
  edit.add(a_record("a.mesos", 2));
  const auto after = edit.apply(*before);
  EXPECT_EQ((*held.begin()).data.back(), 1);
  EXPECT_EQ(records_of(*after, "a.mesos"), (std::vector<Record>{a_record("a.mesos", 2)}));
}

TEST(Zone, after_random_edits_is_what_a_plain_map_says_and_does_not_depend_on_order) {
  base::Random random(11);
  std::map<Record, int> model;
  std::shared_ptr<const Zone> zone = std::make_shared<Zone>();
  for (int round = 0; round < 200; ++round) {
    ZoneEdit edit;
    for (uint64_t n = random.below(40); n > 0; --n) {
      const Record record = a_record("n" + std::to_string(random.below(300)) + ".mesos", static_cast<char>(random.below(4)));
      if (random.chance(0.6)) {
        ++model[record];
        edit.add(record);
      } else if (const auto found = model.find(record); found != model.end()) {
        if (--found->second == 0) model.erase(found);
        edit.remove(record);
      }
    }
    zone = edit.apply(*zone);
  }
  std::map<Record, int> seen;
  zone->each([&](std::string_view name, RecordView record, uint32_t references) {
    seen[{std::string(name), record.kind, std::string(record.data)}] = static_cast<int>(references);
  });
  EXPECT_EQ(seen, model);
  EXPECT_EQ(zone->records(), model.size());

  std::vector<Record> sources;
  for (const auto& [record, count] : model) sources.insert(sources.end(), static_cast<size_t>(count), record);
  random.shuffle(sources);
  ZoneEdit anew;
  for (const Record& record : sources) anew.add(record);
  const auto rebuilt = anew.apply(Zone());
  EXPECT_TRUE(rebuilt->same_records(*zone));
  EXPECT_EQ(rebuilt->names(), zone->names());
  anew.add(a_record("other.mesos", 1));
  EXPECT_FALSE(anew.apply(*rebuilt)->same_records(*zone));
}

}  // namespace
}  // namespace dns
