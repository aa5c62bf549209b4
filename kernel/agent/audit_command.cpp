// `dcos-agent audit`: the words, and what is printed.

#include <fmt/format.h>
#include <stdio.h>

#include <map>

#include "base/json/writer.hpp"
#include "base/time.hpp"
#include "kernel/agent/audit.hpp"
#include "kernel/agent/places.hpp"

namespace agent {
namespace {


const char* const kUsage =
    "dcos-agent audit --work_dir=DIR [--json] [--patience=5secs] [--FLAG=VALUE ...]\n\n"
    "Counts and lists what is on this machine of the agent of that work directory and should not be there, and what is on\n"
    "its record and is missing. Changes nothing; the agent may run or not. Flags are the agent's own: those that it was\n"
    "started with last are known from its work directory. What an agent at work is just about to take away does not count:\n"
    "for as long as --patience what was found is looked for again.\n\n"
    "Exit code: 0 clean, 1 something was found, 2 no answer.\n";

std::map<std::pair<std::string, bool>, size_t> counts(const Audit& audit) {
  std::map<std::pair<std::string, bool>, size_t> out;
  for (const auto& finding : audit.findings) ++out[{finding.kind, finding.missing}];
  return out;
}

}  // namespace

std::string render_audit_text(const Audit& audit) {
  std::string out;
  for (const auto& finding : audit.findings)
    out += fmt::format("{} {} {}: {}\n", finding.missing ? "missing" : "left", finding.kind, finding.name, finding.detail);
  size_t left = 0, missing = 0;
  for (const auto& finding : audit.findings) ++(finding.missing ? missing : left);
  out += fmt::format("{}: {} left over, {} missing; the agent {} and has {} containers on record\n",
                     audit.findings.empty() ? "clean" : "not clean", left, missing, audit.agent_runs ? "runs" : "does not run",
                     audit.containers);
  return out;
}

std::string render_audit_json(const Audit& audit) {
  std::string out;
  base::json::Writer w(out);
  w.begin_object();
  w.field("clean", audit.findings.empty());
  w.field("agent_runs", audit.agent_runs);
  w.field("containers", static_cast<uint64_t>(audit.containers));
  for (const bool missing : {false, true}) {
    w.key(missing ? "missing" : "left");
    w.begin_object();
    for (const auto& [key, count] : counts(audit))
      if (key.second == missing) w.field(key.first, static_cast<uint64_t>(count));
    w.end_object();
  }
  w.key("findings");
  w.begin_array();
  for (const auto& finding : audit.findings) {
    w.begin_object();
    w.field("kind", finding.kind);
    w.field("name", finding.name);
    w.field("detail", finding.detail);
    w.field("missing", finding.missing);
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return out;
}

int run_audit(const std::vector<std::string>& words) {
  std::string work_dir;
  bool json = false;
  auto patience = base::Result<base::Duration>(base::seconds(5));
  std::vector<std::string> flags_given;
  for (const auto& word : words) {
    if (word == "--help") {
      fputs(kUsage, stdout);
      return 0;
    }
    if (word == "--json")
      json = true;
    else if (word.starts_with("--work_dir="))
      work_dir = word.substr(11);
    else if (word.starts_with("--patience="))
      patience = base::parse_duration(word.substr(11));
    else
      flags_given.push_back(word);
  }
  while (work_dir.size() > 1 && work_dir.ends_with('/')) work_dir.pop_back();
  const auto fail = [](const std::string& why) {
    fprintf(stderr, "%s\n(see dcos-agent audit --help)\n", why.c_str());
    return 2;
  };
  if (work_dir.empty()) return fail("--work_dir=DIR is required: of the agent that is looked at");
  if (!patience) return fail("--patience: " + patience.error().message);
  Flags flags;
  if (const auto read = read_places(work_dir, flags_given, flags); !read) return fail(read.error().message);
  const auto found = settled_audit(flags, *patience);
  if (!found) return fail(found.error().message);
  fputs(json ? (render_audit_json(*found) + "\n").c_str() : render_audit_text(*found).c_str(), stdout);
  return found->findings.empty() ? 0 : 1;
}

}  // namespace agent
