#pragma once

// Names of things that meet between the core and its shell. Numbers are given once per process and never reused.

#include <cstdint>
#include <string>

namespace master {

/// One stream of the agent link; an agent that reconnects has a new one.
using LinkId = uint64_t;

/// One SUBSCRIBE stream of a scheduler.
using ConnectionId = uint64_t;

/// One HTTP request that waits for its answer.
using CallId = uint64_t;

/// One batch handed to the store.
using Ticket = uint64_t;

using TimerId = uint64_t;

// Ids on the wire. Entities are found by them and then passed by pointer, so a mix-up does not get far.
using AgentId = std::string;
using FrameworkId = std::string;
using OfferId = std::string;
using TaskId = std::string;
using ExecutorId = std::string;

}  // namespace master
