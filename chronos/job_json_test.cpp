// Definitions of jobs: what is read, what is written, what is refused.

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "base/strings.hpp"
#include "chronos/job.hpp"

namespace chronos {
namespace {

/// JSON with ' for ".
base::Result<JobBody> parse(const std::string& text) { return parse_job(base::replace_all(text, "'", "\""), {}); }

std::string refusal(const std::string& text) {
  const auto body = parse(text);
  if (!body) return body.error().message;
  const auto valid = validate_job(*body);
  return valid ? "" : valid.error().message;
}

TEST(JobJson, writes_every_key_of_the_original_in_its_order) {
  const auto body = parse("{'name':'a','command':'date','schedule':'R/2024-01-01T00:00:00Z/PT1H','owner':'a@b.c'}").value();
  std::string text;
  base::json::Writer w(text);
  write_job(w, body.job, {.successes = 3, .last_success = base::Time::from_seconds(1'700'000'000)},
            {.schedule = "R/2024-01-01T01:00:00.000Z/PT1H"});
  EXPECT_EQ(base::replace_all(text, "\"", "'"),
            "{'name':'a','command':'date','shell':true,'executor':'','executorFlags':'','taskInfoData':'','retries':2,"
            "'owner':'a@b.c','ownerName':'','description':'','async':false,'successCount':3,'errorCount':0,"
            "'lastSuccess':'2023-11-14T22:13:20.000Z','lastError':'','cpus':0.1,'disk':256.0,'mem':128.0,'disabled':false,"
            "'softError':false,'dataProcessingJobType':false,'errorsSinceLastSuccess':0,'uris':[],'fetch':[],"
            "'environmentVariables':[],'arguments':[],'highPriority':false,'runAsUser':'root','concurrent':false,"
            "'constraints':[],'schedule':'R/2024-01-01T01:00:00.000Z/PT1H','scheduleTimeZone':''}");
}

TEST(JobJson, what_is_written_reads_back_as_the_same_text) {
  const char* kFull =
      "{'name':'a.b-c_1','command':'x','shell':false,'arguments':['-c','d'],'parents':['p','q'],'epsilon':'PT15M',"
      "'retries':7,'owner':'o','ownerName':'n','description':'d','async':true,'cpus':1.5,'mem':64,'disk':10,"
      "'disabled':true,'softError':true,'dataProcessingJobType':true,'concurrent':true,'highPriority':true,"
      "'maxCompletionTime':60,'runAsUser':'nobody','fetch':[{'uri':'http://h/f','output_file':'g','executable':true,"
      "'cache':true,'extract':false}],'environmentVariables':[{'name':'A','value':'b'}],"
      "'constraints':[['rack','EQUALS','r1'],['hostname','LIKE','h.*']],'successCount':5,'errorCount':2,"
      "'errorsSinceLastSuccess':1,'lastSuccess':'2024-01-01T00:00:00.000Z','lastError':'2024-01-02T00:00:00.000Z',"
      "'container':{'type':'mesos','image':'i','network':'USER','networkName':'net','networkInfos':[{'name':'n',"
      "'protocol':'IPv4','labels':[{'key':'k','value':'v'}],'portMappings':[{'hostPort':'80','containerPort':8080,"
      "'protocol':'tcp'}]}],'volumes':[{'containerPath':'/c','hostPath':'/h','mode':'RW'}],'forcePullImage':true,"
      "'parameters':[{'key':'a','value':'b'}]}}";
  const auto render = [](const JobBody& body) {
    std::string text;
    base::json::Writer w(text);
    write_job(w, body.job, body.counters.value_or(Counters{}), {});
    return text;
  };
  const std::string once = render(parse(kFull).value());
  EXPECT_EQ(render(parse_job(once, {}).value()), once);
  EXPECT_NE(once.find("\"hostPort\":\"80\""), std::string::npos) << "ports are strings there";
}

TEST(JobJson, reads_tolerantly) {
  const auto body = parse("{'name':17,'command':null,'cpus':'0.5','mem':0,'retries':'3','softError':'true','extra':{'x':1},"
                          "'schedule':'R1//PT1M','container':{'type':'DOCKER'},'uris':['http://h/a.tgz']}").value();
  EXPECT_EQ(body.job.name, "17");
  EXPECT_EQ(body.job.command, "");
  EXPECT_EQ(body.job.cpus, 0.5);
  EXPECT_EQ(body.job.mem, 128) << "0 is the default";
  EXPECT_EQ(body.job.retries, 3);
  EXPECT_TRUE(body.job.soft_error);
  EXPECT_FALSE(body.job.container) << "without an image there is none";
  EXPECT_FALSE(body.counters);
  ASSERT_EQ(body.job.fetch.size(), 1u);
  EXPECT_EQ(body.job.fetch[0].uri, "http://h/a.tgz");
}

TEST(JobJson, a_wrong_type_in_any_field_names_the_field) {
  const char* kFields[] = {"command", "shell", "arguments", "schedule", "scheduleTimeZone", "parents", "epsilon", "executor",
                           "executorFlags", "taskInfoData", "retries", "owner", "ownerName", "description", "async", "cpus",
                           "mem", "disk", "disabled", "softError", "dataProcessingJobType", "concurrent", "highPriority",
                           "maxCompletionTime", "runAsUser", "uris", "fetch", "environmentVariables", "constraints",
                           "successCount", "errorCount", "errorsSinceLastSuccess", "lastSuccess", "lastError"};
  for (const char* field : kFields) {
    const std::string why = refusal("{'name':'a','" + std::string(field) + "':{'wrong':1}}");
    EXPECT_EQ(why.find(field), 0u) << field << ": " << why;
    EXPECT_NE(why.find("must be"), std::string::npos) << why;
  }
  EXPECT_NE(refusal("{'name':{}}").find("name must be a string, not an object"), std::string::npos);
}

TEST(JobJson, what_cannot_be_is_refused_with_a_sentence) {
  const struct { const char* text; const char* why; } kTable[] = {
      {"[]", "must be a JSON object"},
      {"{", "line 1"},
      {"{}", "name is required"},
      {"{'name':''}", "name must not be empty"},
      {"{'name':'a b'}", "the job's name is invalid: 'a b'"},
      {"{'name':'a/../b'}", "the job's name is invalid"},
      {"{'name':'a','cpus':-1}", "cpus must be a number from 0"},
      {"{'name':'a','cpus':'lots'}", "cpus must be a number, not a string"},
      {"{'name':'a','retries':-1}", "retries must be from 0"},
      {"{'name':'a','retries':1.5}", "retries must be a whole number"},
      {"{'name':'a','shell':'perhaps'}", "shell must be true or false"},
      {"{'name':'a','epsilon':'15 minutes'}", "epsilon is not a period"},
      {"{'name':'a','uris':['u'],'fetch':[{'uri':'v'}]}", "uris and fetch cannot both be given"},
      {"{'name':'a','fetch':[{}]}", "fetch[0].uri is required"},
      {"{'name':'a','fetch':[{'uri':'u','cache':2}]}", "fetch[0].cache must be true or false"},
      {"{'name':'a','environmentVariables':[{'value':'x'}]}", "environmentVariables[0].name is required"},
      {"{'name':'a','environmentVariables':[1]}", "environmentVariables[0] must be an object"},
      {"{'name':'a','constraints':[['a','EQUALS']]}", "constraints[0] must be an array of three strings"},
      {"{'name':'a','constraints':[['a','MAX_PER','1']]}", "constraints[0] has operator 'MAX_PER'"},
      {"{'name':'a','constraints':[['a','LIKE','(']]}", "not a regular expression"},
      {"{'name':'a','container':{'image':'i','type':'APPC'}}", "container.type is 'APPC'"},
      {"{'name':'a','container':{'image':'i','network':'MARS'}}", "container.network is 'MARS'"},
      {"{'name':'a','container':{'image':'i','volumes':[{'hostPath':'/h'}]}}", "container.volumes[0].containerPath is required"},
      {"{'name':'a','container':{'image':'i','volumes':[{'containerPath':'/c','external':{}}]}}", "external is not supported"},
      {"{'name':'a','lastSuccess':'yesterday'}", "lastSuccess is 'yesterday', not a time"},
      {"{'name':'a','parents':['a']}", "cannot be its own parent"},
      {"{'name':'a','command':'x\\u0000y'}", "NUL"},
  };
  for (const auto& row : kTable) {
    const std::string why = refusal(row.text);
    EXPECT_NE(why.find(row.why), std::string::npos) << row.text << ": " << why;
  }
}

TEST(JobJson, reading_random_bytes_never_crashes) {
  const std::string seed = "{\"name\":\"a\",\"fetch\":[{\"uri\":\"u\"}],\"constraints\":[[\"a\",\"LIKE\",\"b\"]],\"cpus\":0.5,"
                           "\"schedule\":\"R/2024-01-01T00:00:00Z/PT1H\",\"container\":{\"image\":\"i\"}}";
  base::Random random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = seed;
    for (uint64_t n = random.below(4) + 1; n > 0; --n) text[random.below(text.size())] = static_cast<char>(random.below(256));
    (void)parse_job(text, {}).has_value();
  }
}

}  // namespace
}  // namespace chronos
