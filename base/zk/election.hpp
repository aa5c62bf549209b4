#pragma once

// Who leads, as a pure state machine: contender and detector in one. A contender joins the group with an ephemeral node
// and leads while the lowest node is its session's; everybody else follows the lowest node.
//
// A leader holds a lease: it asks ZooKeeper for its node again and again, and each answer proves that the session was
// alive when the question was SENT. It acts until three quarters of the session timeout after that moment, and then no
// more, whatever it knows. The server cannot give the session up before the whole timeout after it received the
// question; the quarter between covers clocks that run at different speeds and a follower that tells its ensemble's
// leader of our sign of life half a tick late (a timeout has at least two ticks).
//
//     no session -> connecting -> joining -> following <-> leading -> deposed (for good: the process begins anew)

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "base/zk/client.hpp"
#include "base/zk/group.hpp"

namespace base::zk {

struct Leader {
  std::string name;   // of its node
  std::string label;  // "json.info": how to read `data`
  std::string data;
  bool mine = false;
  bool operator==(const Leader&) const = default;
};

// What the machine is told -----------------------------------------------------------------------------------------

struct SessionChanged {
  SessionState state = SessionState::Connecting;
  int64_t session = 0;
  Duration timeout{0};
};
struct PathMade {
  Rc rc = Rc::Ok;
};
struct Joined {
  Rc rc = Rc::Ok;
  std::string name{};
};
struct Listed {
  Rc rc = Rc::Ok;
  std::vector<std::string> names{};
};
struct MembersChanged {};
struct MemberRead {
  Rc rc = Rc::Ok;
  std::string name{};
  std::string data{};
  int64_t owner = 0;
  Instant sent{};  // when the question left
};
struct Woke {};

using ElectionEvent = std::variant<SessionChanged, PathMade, Joined, Listed, MembersChanged, MemberRead, Woke>;

// What it asks for, in order ---------------------------------------------------------------------------------------

/// A new session; an older one is closed first.
struct OpenSession {};
struct CloseSession {};
/// Make the group's node and those above it.
struct MakePath {};
struct Join {};
/// With a watch that ends in MembersChanged.
struct List {};
struct ReadMember {
  std::string name;
};
/// The one alarm; a later one replaces it.
struct WakeAt {
  Instant at;
};
struct Elected {};
/// Stop acting, now; nothing follows but CloseSession.
struct Deposed {
  std::string why;
};
struct LeaderChanged {
  std::optional<Leader> leader;
};
struct ElectionNote {
  bool trouble = false;
  std::string text;
};

using ElectionEffect = std::variant<OpenSession, CloseSession, MakePath, Join, List, ReadMember, WakeAt, Elected, Deposed,
                                    LeaderChanged, ElectionNote>;
using ElectionEffects = std::vector<ElectionEffect>;

struct ElectionOptions {
  bool contend = false;
  std::vector<std::string> labels{};  // members that count; empty: all
  Duration session_timeout = seconds(10);
};

class Election {
 public:
  explicit Election(ElectionOptions options) : options_(std::move(options)) {}

  void start(Instant now, ElectionEffects& out);
  void on(ElectionEvent event, Instant now, ElectionEffects& out);

  bool leading() const { return leading_; }

  /// While leading: nothing may be done from this moment on.
  Instant lease_until() const { return lease_until_; }

  const std::optional<Leader>& leader() const { return leader_; }

 private:
  void handle(SessionChanged& event);
  void handle(PathMade& event);
  void handle(Joined& event);
  void handle(Listed& event);
  void handle(MembersChanged& event);
  void handle(MemberRead& event);
  void handle(Woke& event);

  void advance();
  void set_alarm();
  void open_session();
  void retry_later(const std::string& why);
  void lose_connection();
  void depose(std::string why);
  void set_leader(std::optional<Leader> leader);
  Duration lease() const { return timeout_ * 3 / 4; }
  Duration probe_interval() const { return timeout_ / 6; }

  ElectionOptions options_;
  bool connected_ = false, over_ = false;
  int64_t session_ = 0;
  Duration timeout_{0};

  bool path_made_ = false, making_ = false;
  bool joined_ = false, joining_ = false;
  bool list_wanted_ = false, listing_ = false;
  bool reading_ = false, probe_wanted_ = false;
  std::string to_read_;               // the member to look at next; empty: none
  std::string own_name_;              // of the node that we made last
  std::optional<Leader> leader_;
  bool leading_ = false;
  Instant lease_until_{}, next_probe_{};
  std::optional<Instant> lost_at_;    // since when there has been no connection
  std::optional<Instant> retry_at_;
  std::string last_trouble_;

  // Valid during on().
  Instant now_{};
  ElectionEffects* out_ = nullptr;
};

}  // namespace base::zk
