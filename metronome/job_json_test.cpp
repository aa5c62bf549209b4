#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/strings.hpp"
#include "base/system_zones.hpp"
#include "metronome/job.hpp"

namespace metronome {
namespace {

const base::TimeZones& zones() {
  static const auto zones = base::system_time_zones();
  return *zones;
}

const base::Time kNow = base::parse_iso8601("2016-07-15T13:02:59.735Z").value();

/// JSON with ' for ".
std::pair<Job, Problems> read(const std::string& text) {
  Problems problems;
  Job job = read_job(base::json::parse(base::replace_all(text, "'", "\"")).value(), zones(), problems);
  return {std::move(job), problems};
}

std::string written(const Job& job) {
  std::string text;
  base::json::Writer w(text);
  write_job(w, job, kNow);
  return base::replace_all(text, "\"", "'");
}

TEST(JobJson, defaults_are_shown) {
  const auto [job, problems] = read("{'id':'prod.example-1','run':{'cmd':'true','cpus':0.5,'mem':32.0,'disk':0}}");
  ASSERT_TRUE(problems.none()) << problems.render();
  EXPECT_EQ(written(job),
            "{'id':'prod.example-1','dependencies':[],'labels':{},'schedules':[],'run':{'cpus':0.5,'mem':32,'disk':0,'gpus':0,"
            "'cmd':'true','env':{},'placement':{'constraints':[]},'artifacts':[],'maxLaunchDelay':3600,'volumes':[],"
            "'restart':{'policy':'NEVER'},'secrets':{},'networks':[]}}");
}

TEST(JobJson, every_field_comes_back) {
  const char* text =
      "{'id':'a','description':'d','dependencies':[],'labels':{'k':'v'},"
      "'schedules':[{'id':'every','cron':'*/5 * * * *','timezone':'Europe/Rome','startingDeadlineSeconds':60,"
      "'concurrencyPolicy':'FORBID','enabled':false,'nextRunAt':'2016-07-15T13:05:00.000+0000'}],"
      "'run':{'cpus':1,'mem':64.5,'disk':10,'gpus':2,'cmd':'x','args':['a','b'],'user':'nobody',"
      "'env':{'A':'1','S':{'secret':'s'}},'placement':{'constraints':[{'attribute':'rack','operator':'IS','value':'r1'},"
      "{'attribute':'x','operator':'LIKE','value':'y.*'},{'attribute':'z','operator':'UNLIKE'}]},"
      "'artifacts':[{'uri':'http://a/b.tgz','extract':false,'executable':true,'cache':true}],'maxLaunchDelay':5,"
      "'ucr':{'image':{'id':'alpine','kind':'docker','forcePull':true},'privileged':false},"
      "'volumes':[{'containerPath':'/c','hostPath':'/h','mode':'RO'},{'containerPath':'/f','secret':'t'}],"
      "'restart':{'policy':'ON_FAILURE','activeDeadlineSeconds':120},'taskKillGracePeriodSeconds':7,"
      "'secrets':{'s':{'source':'/p/s'},'t':{'source':'/p/t'}},"
      "'networks':[{'name':'n1','mode':'container','labels':{'a':'b'}},{'name':'n2','mode':'container'}]}}";
  const auto [job, problems] = read(text);
  ASSERT_TRUE(problems.none()) << problems.render();
  EXPECT_EQ(written(job), text);
}

TEST(JobJson, what_the_command_line_sends_is_taken) {
  const auto [job, problems] =
      read("{'id':'a','description':'','run':{'cmd':'','cpus':1,'mem':32,'disk':0,'gpus':0,'taskKillGracePeriodSeconds':0,"
           "'docker':{'image':'alpine'}},'schedules':[{'id':'every','cron':'0 9 * * *','timeZone':'Asia/Tokyo',"
           "'concurrencyPolicy':'','nextRunAt':''}]}");
  ASSERT_TRUE(problems.none()) << problems.render();
  EXPECT_FALSE(job.run.cmd);
  EXPECT_EQ(job.schedule->zone_id, "Asia/Tokyo");
  EXPECT_FALSE(job.schedule->forbid);
}

TEST(JobJson, equals_has_two_names_and_is_shown_by_one) {
  const auto [job, problems] = read("{'id':'a','run':{'cmd':'x','cpus':1,'mem':32,'disk':0,'placement':{'constraints':["
                                    "{'attribute':'a','operator':'EQ','value':'b'}]}}}");
  ASSERT_TRUE(problems.none());
  EXPECT_NE(written(job).find("{'attribute':'a','operator':'IS','value':'b'}"), std::string::npos);
}

TEST(JobJson, problems_name_their_place) {
  const struct { const char* body; const char* path; const char* error; } kTable[] = {
      {"{}", "/", "Property id missing."},
      {"{'id':'a'}", "/", "Property run missing."},
      {"[]", "/", "Wrong type. Expected object, was array."},
      {"{'id':'a','run':{RUN},'cmd':'x'}", "/", "Additional properties are not allowed but found 'cmd'."},
      {"{'id':'a','run':{RUN,'shell':true}}", "/run", "Additional properties are not allowed but found 'shell'."},
      {"{'id':'/a','run':{RUN}}", "/id", "is no id"},
      {"{'id':'a..b','run':{RUN}}", "/id", "is no id"},
      {"{'id':'A','run':{RUN}}", "/id", "is no id"},
      {"{'id':'a-','run':{RUN}}", "/id", "is no id"},
      {"{'id':'a','run':{'cmd':'x','cpus':0.001,'mem':32,'disk':0}}", "/run/cpus",
       "0.001 is smaller than required minimum value of 0.01."},
      {"{'id':'a','run':{'cmd':'x','cpus':'1','mem':32,'disk':0}}", "/run/cpus", "Wrong type. Expected number, was string."},
      {"{'id':'a','run':{'cmd':'x','cpus':1,'mem':31,'disk':0}}", "/run/mem",
       "31 is smaller than required minimum value of 32."},
      {"{'id':'a','run':{'cmd':'x','cpus':1,'disk':0}}", "/run", "Property mem missing."},
      {"{'id':'a','run':{'cpus':1,'mem':32,'disk':0}}", "/run", "Cmd, Docker or UCR image must be specified"},
      {"{'id':'a','run':{RUN,'docker':{'image':'x'},'ucr':{'image':{'id':'x'}}}}", "/run",
       "Either Docker or UCR should be provided, but not both"},
      {"{'id':'a','run':{RUN,'gpus':1,'docker':{'image':'x'}}}", "/run/gpus", "GPUs are not supported with Docker"},
      {"{'id':'a','run':{RUN,'env':{'A':{'secret':'s'}}}}", "/run",
       "The following secrets are referenced, but undefined: s. Please add them to the secrets field."},
      {"{'id':'a','run':{RUN,'secrets':{'s':{'source':'x'}}}}", "/run",
       "The following secrets are defined, but not referenced: s. Please remove them from the secrets field."},
      {"{'id':'a','run':{RUN,'volumes':[{'containerPath':'/c','hostPath':'/h'}]}}", "/run/volumes/0", "is neither"},
      {"{'id':'a','run':{RUN,'networks':[{'mode':'container','name':'n'}]}}", "/run/networks",
       "Only containers may join container or bridge networks"},
      {"{'id':'a','run':{RUN,'networks':[{'mode':'host','name':'n'}]}}", "/run/networks/0/name", "must be empty for host network"},
      {"{'id':'a','run':{RUN,'restart':{'policy':'ALWAYS'}}}", "/run/restart/policy",
       "Instance value \\\"ALWAYS\\\" is invalid; it must be one of [\\\"NEVER\\\",\\\"ON_FAILURE\\\"]."},
      {"{'id':'a','run':{RUN,'placement':{'constraints':[{'attribute':'a','operator':'MAX_PER'}]}}}",
       "/run/placement/constraints/0/operator", "is invalid"},
      {"{'id':'a','run':{RUN},'schedules':[{'id':'ss','cron':'0 0 31 2 *'}]}", "/schedules/0/cron", "Can not read cron"},
      {"{'id':'a','run':{RUN},'schedules':[{'id':'ss','cron':'* * * * *','timezone':'Mars/X'}]}", "/schedules/0/timezone",
       "No time zone found with this id"},
      {"{'id':'a','run':{RUN},'schedules':[{'id':'ss','cron':'* * * * *','startingDeadlineSeconds':59}]}",
       "/schedules/0/startingDeadlineSeconds", "got 59 seconds, expected 60 seconds or more"},
      {"{'id':'a','run':{RUN},'schedules':[{'id':'s1','cron':'* * * * *'},{'id':'s2','cron':'* * * * *'}]}", "/schedules",
       "has size 2, expected 1 or less"},
      {"{'id':'a','run':{RUN},'dependencies':[{'id':'b'}],'schedules':[{'id':'s1','cron':'* * * * *'}]}", "/",
       "Jobs may not have both dependencies and schedules specified"},
      {"{'id':'a','run':{RUN},'dependencies':[{'id':'b'},{'id':'b'}]}", "/dependencies", "has double entries"},
  };
  for (const auto& row : kTable) {
    const auto [job, problems] = read(base::replace_all(row.body, "RUN", "'cmd':'x','cpus':1,'mem':32,'disk':0"));
    const std::string text = problems.render();
    EXPECT_TRUE(text.starts_with("{\"message\":\"Object is not valid\",\"details\":[{")) << text;
    EXPECT_NE(text.find("\"path\":\"" + std::string(row.path) + "\""), std::string::npos) << row.body << "\n" << text;
    EXPECT_NE(text.find(row.error), std::string::npos) << row.body << "\n" << text;
  }
}

TEST(JobJson, a_schedule_by_itself) {
  const auto errors = [](const std::string& text) {
    Problems problems;
    (void)read_schedule(base::json::parse(base::replace_all(text, "'", "\"")).value(), zones(), problems);
    return problems.none() ? std::string() : problems.summary();
  };
  EXPECT_EQ(errors("{'id':'ab','cron':'* * * * *','anything':1}"), "");
  EXPECT_NE(errors("{'id':'a','cron':'* * * * *'}"), "");
  EXPECT_NE(errors("{'id':'a.b','cron':'* * * * *'}"), "");
  EXPECT_EQ(errors("{'id':'ab'}"), "/: Property cron missing.");
}

TEST(JobJson, times) { EXPECT_EQ(render_moment(kNow), "2016-07-15T13:02:59.735+0000"); }

}  // namespace
}  // namespace metronome
