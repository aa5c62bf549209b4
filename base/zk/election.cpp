#include "base/zk/election.hpp"

#include <algorithm>

namespace base::zk {

namespace {

constexpr Duration kRetry = milliseconds(500);

}  // namespace

std::string_view describe(Rc rc) {
  switch (rc) {
    case Rc::Ok: return "ok";
    case Rc::NoNode: return "no such node";
    case Rc::NodeExists: return "the node exists";
    case Rc::BadVersion: return "the node was changed by somebody else";
    case Rc::NotEmpty: return "the node has children";
    case Rc::NoAuth: return "not allowed: the node belongs to other credentials";
    case Rc::ConnectionLoss: return "the connection was lost";
    case Rc::SessionExpired: return "the session has expired";
    case Rc::AuthFailed: return "the credentials were refused";
    case Rc::Refused: return "refused";
  }
  return "?";
}

void Election::start(Instant now, ElectionEffects& out) {
  now_ = now;
  out_ = &out;
  timeout_ = options_.session_timeout;
  open_session();
  set_alarm();
  out_ = nullptr;
}

void Election::on(ElectionEvent event, Instant now, ElectionEffects& out) {
  if (over_) return;
  now_ = now;
  out_ = &out;
  // Before anything else: an event that waited while this process stood still must not be acted upon.
  if (leading_ && now >= lease_until_) {
    depose("ZooKeeper has not confirmed the session in time");
  } else {
    std::visit([this](auto& e) { handle(e); }, event);
    if (!over_) advance();
    if (!over_) set_alarm();
  }
  out_ = nullptr;
}

void Election::open_session() {
  connected_ = false;
  path_made_ = making_ = joined_ = joining_ = listing_ = reading_ = probe_wanted_ = false;
  list_wanted_ = true;
  to_read_.clear();
  own_name_.clear();
  retry_at_.reset();
  if (!lost_at_) lost_at_ = now_;
  out_->push_back(OpenSession{});
}

void Election::lose_connection() {
  connected_ = false;
  if (!lost_at_) lost_at_ = now_;
}

void Election::depose(std::string why) {
  over_ = true;
  leading_ = false;
  out_->push_back(Deposed{std::move(why)});
  out_->push_back(CloseSession{});
}

void Election::set_leader(std::optional<Leader> leader) {
  if (leader == leader_) return;
  leader_ = std::move(leader);
  out_->push_back(LeaderChanged{leader_});
}

/// Said once for each cause, not at each attempt.
void Election::retry_later(const std::string& why) {
  retry_at_ = now_ + kRetry;
  if (why == last_trouble_) return;
  last_trouble_ = why;
  out_->push_back(ElectionNote{true, why});
}

void Election::handle(SessionChanged& event) {
  switch (event.state) {
    case SessionState::Connected:
      connected_ = true;
      lost_at_.reset();
      last_trouble_.clear();
      session_ = event.session;
      if (event.timeout > Duration(0)) timeout_ = event.timeout;
      // Answers that were lost with the connection are asked for again.
      list_wanted_ = true;
      probe_wanted_ = leading_;
      return;
    case SessionState::Connecting:
      if (connected_) out_->push_back(ElectionNote{true, "the connection to ZooKeeper was lost"});
      return lose_connection();
    case SessionState::Expired:
      if (leading_) return depose("the session has expired");
      out_->push_back(ElectionNote{true, "the session has expired; beginning a new one"});
      lose_connection();
      return open_session();
    case SessionState::AuthFailed:
      if (leading_) return depose("ZooKeeper refuses the credentials");
      lose_connection();
      return retry_later("ZooKeeper refuses the credentials of the URL");
  }
}

void Election::handle(PathMade& event) {
  making_ = false;
  if (event.rc == Rc::Ok) {
    path_made_ = true;
  } else if (event.rc != Rc::ConnectionLoss) {
    retry_later("the group's node cannot be made: " + std::string(describe(event.rc)));
  }
}

void Election::handle(Joined& event) {
  joining_ = false;
  if (event.rc == Rc::Ok) {
    joined_ = true;
    own_name_ = event.name.substr(event.name.rfind('/') + 1);
    list_wanted_ = true;
  } else if (event.rc == Rc::NoNode) {
    path_made_ = false;
  } else if (event.rc != Rc::ConnectionLoss) {
    retry_later("this process cannot join the group: " + std::string(describe(event.rc)));
  }
  // After ConnectionLoss there may be a node of ours already; another one does no harm, both are of our session.
}

void Election::handle(MembersChanged&) { list_wanted_ = true; }

void Election::handle(Listed& event) {
  listing_ = false;
  if (event.rc == Rc::ConnectionLoss) {
    list_wanted_ = true;
    return;
  }
  if (event.rc == Rc::NoNode) {
    // Nobody has made the group yet: there is nothing to watch.
    list_wanted_ = true;
    retry_at_ = now_ + kRetry;
    path_made_ = false;
    set_leader(std::nullopt);
    if (leading_) depose("the group's node is gone");
    return;
  }
  if (event.rc != Rc::Ok) {
    list_wanted_ = true;
    return retry_later("the group's members cannot be read: " + std::string(describe(event.rc)));
  }
  if (joined_ && std::find(event.names.begin(), event.names.end(), own_name_) == event.names.end()) {
    if (leading_) return depose("this process's node was removed");
    joined_ = false;
  }
  const auto first = find_first(event.names, options_.labels);
  if (!first) {
    to_read_.clear();
    return set_leader(std::nullopt);
  }
  if (!leader_ || leader_->name != first->name) to_read_ = first->name;
}

void Election::handle(MemberRead& event) {
  reading_ = false;
  if (event.rc == Rc::ConnectionLoss) {
    if (leading_ && leader_ && event.name == leader_->name) {
      probe_wanted_ = true;
    } else {
      list_wanted_ = true;
    }
    return;
  }
  if (event.rc == Rc::NoNode) {
    if (leading_) return depose("this process's node is gone");
    list_wanted_ = true;
    return;
  }
  if (event.rc != Rc::Ok) {
    list_wanted_ = true;
    return retry_later("the leader's node cannot be read: " + std::string(describe(event.rc)));
  }
  const bool mine = options_.contend && event.owner == session_;
  if (leading_ && !mine) return depose("another process leads");
  set_leader(Leader{event.name, parse_member(event.name)->label, event.data, mine});
  if (!mine) return;
  lease_until_ = event.sent + lease();
  next_probe_ = event.sent + probe_interval();
  if (leading_) return;
  if (now_ >= lease_until_) {  // the answer itself came too late: ask again
    leader_.reset();
    list_wanted_ = true;
    return;
  }
  leading_ = true;
  out_->push_back(Elected{});
}

void Election::handle(Woke&) {
  if (retry_at_ && now_ >= *retry_at_) retry_at_.reset();
  if (leading_ && now_ >= next_probe_) probe_wanted_ = true;
  if (!connected_ && lost_at_ && now_ - *lost_at_ >= timeout_) {
    // The session must be given up for dead: who leads is not known any more.
    set_leader(std::nullopt);
    if (options_.contend) out_->push_back(ElectionNote{true, "no ZooKeeper server can be reached"});
    lost_at_ = now_;
    open_session();
  }
}

void Election::advance() {
  if (!connected_ || retry_at_) return;
  if (options_.contend && !path_made_) {
    if (!making_) {
      making_ = true;
      out_->push_back(MakePath{});
    }
    return;
  }
  if (options_.contend && !joined_ && !joining_) {
    joining_ = true;
    out_->push_back(Join{});
  }
  if (list_wanted_ && !listing_) {
    list_wanted_ = false;
    listing_ = true;
    out_->push_back(List{});
  }
  if (reading_) return;
  if (!to_read_.empty()) {
    reading_ = true;
    out_->push_back(ReadMember{std::move(to_read_)});
    to_read_.clear();
  } else if (probe_wanted_ && leading_ && leader_) {
    probe_wanted_ = false;
    reading_ = true;
    next_probe_ = now_ + probe_interval();
    out_->push_back(ReadMember{leader_->name});
  }
}

void Election::set_alarm() {
  std::optional<Instant> at;
  const auto consider = [&at](Instant when) { at = at ? std::min(*at, when) : when; };
  if (leading_) consider(lease_until_);
  if (leading_ && connected_ && !reading_) consider(std::max(next_probe_, now_));
  if (!connected_ && lost_at_) consider(*lost_at_ + timeout_);
  if (retry_at_) consider(*retry_at_);
  if (at) out_->push_back(WakeAt{*at});
}

}  // namespace base::zk
