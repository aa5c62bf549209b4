#pragma once

// What the core asks its shell to do: what both job schedulers have, and notices to owners.

#include <string>
#include <utility>
#include <vector>

#include "jobs/effects.hpp"

namespace chronos {

using jobs::CallId;
using jobs::CancelTimer;
using jobs::Exit;
using jobs::Persist;
using jobs::Reply;
using jobs::SendCall;
using jobs::SetTimer;
using jobs::Ticket;
using jobs::TimerName;
using jobs::Trace;
using jobs::TraceLevel;
using jobs::Write;

/// Tell a job's owners. Nobody waits for it.
struct Notify {
  std::vector<std::string> owners;
  std::string subject;
  std::string message;  // empty: the subject says it all
  std::string fields;   // members of a JSON object that describe the job, all strings, without the braces
};

class Effects : public jobs::EffectList<Notify> {
 public:
  void notify(Notify notice) { list.push_back(std::move(notice)); }
};
using Effect = Effects::Effect;

}  // namespace chronos
