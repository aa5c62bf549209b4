#pragma once

// A client of Marathon's API over a channel that loses requests and answers. It asks for random
// changes, now and then several of one app at once, and keeps what each app may be now: an
// acknowledged change happened at some moment between question and answer, one whose answer was
// lost perhaps. Pods are asked for by their own API (app_client_pods.cpp); "app" is either of them.

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/sim/sim_marathon.hpp"

namespace sim {

/// What an app may look like. The tag is a number that each change of the definition carries in
/// the environment; no number of instances means any (tasks were killed "with scale").
struct AppModel {
  bool exists = false;
  int64_t tag = 0;
  std::optional<int64_t> instances{};
  auto operator<=>(const AppModel&) const = default;
};
using AppModels = std::set<AppModel>;

class AppClient {
 public:
  struct Sizes {
    unsigned apps = 0, pods = 0;
    unsigned resident_apps = 0, resident_pods = 0;  // of each kind the first is never asked to lose data
  };

  /// `find`: the scheduler that answers now; null: none.
  AppClient(World& world, Context& context, std::function<SimMarathon*()> find, Sizes sizes, double loss);

  void start();

  /// No random changes any more: each app is deleted, or gets a definition whose tasks run for
  /// ever; asked for again and again until it is acknowledged.
  void finish();
  bool finished() const;

  /// Each app is in one of the states that it may be in, and the store says the same.
  void check(const char* when) const;

  /// The most instances of this app that may be wanted at one moment: H * (1 + over-capacity) + 1
  /// with H the highest number of instances ever asked for. The one is what a replacement may do
  /// that has no room to move within its limits.
  size_t most_instances(const std::string& app) const;

  /// Has volumes.
  bool is_resident(const std::string& app) const;

  /// Was asked for something that ends data which were there at that time.
  bool may_lose(const std::string& app, base::Instant written) const;

  uint64_t acknowledged() const { return acknowledged_; }
  uint64_t uncertain() const { return uncertain_; }

 private:
  struct Change {
    std::string method, target, body;
    std::function<AppModels(const AppModel&)> apply;  // to nothing: impossible
    bool needs_app = true;  // 404 says that there is no such app
    bool alone = true;      // while it was under way
    bool extra = false;     // sent beside others; what comes next does not wait for it
    AppModels before{};     // what the app may have been when it happened
  };
  /// What an app may be, and which of the changes under way have happened then.
  struct Possibility {
    AppModel model;
    std::set<uint64_t> happened{};
    auto operator<=>(const Possibility&) const = default;
  };
  using Possibilities = std::set<Possibility>;
  struct Lane {
    std::string app;
    bool pod = false;
    bool resident = false;
    bool keeps = false;  // nothing is asked for that ends data
    std::optional<base::Instant> loss_asked{};  // last
    Possibilities may_be{Possibility{}};
    std::map<uint64_t, Change> under_way{};
    std::vector<std::pair<std::string, AppModels>> deployments{};  // and what was before each
    std::map<int64_t, std::string> definitions{};  // of a pod, by tag; without the number of instances
    int64_t highest = 0;
    double over = 0;
    bool final_sent = false, done = false;
  };

  Change draw(Lane& lane);
  Change draw_pod(Lane& lane);
  int64_t define_pod(Lane& lane, bool for_ever);
  Change put_pod(Lane& lane, int64_t tag, bool post, bool force);
  Change change_pod(Lane& lane, bool post, bool force, bool for_ever);
  Change kill_pod_instances(const Lane& lane);
  Change change_definition(Lane& lane, bool post, bool force, bool for_ever);
  Change kill_tasks(const Lane& lane);
  Change roll_back(Lane& lane);
  Change remove(const Lane& lane, bool force) const;
  std::string definition(Lane& lane, AppModel& model, bool for_ever);
  void next(Lane& lane);
  void send(Lane& lane, Change change);
  void answered(Lane& lane, uint64_t number, const base::http::Response& response);
  void unanswered(Lane& lane, uint64_t number);
  Change take(Lane& lane, uint64_t number);
  void check_store(const char* when) const;
  static void note_before(Lane& lane);
  static Possibilities now(const Lane& lane);
  static AppModels models(const Possibilities& possibilities);

  World& world_;
  Context& context_;
  std::function<SimMarathon*()> find_;
  double loss_;
  std::vector<Lane> lanes_;
  int64_t next_tag_ = 1;
  uint64_t next_change_ = 1;
  uint64_t acknowledged_ = 0, uncertain_ = 0;
  bool finishing_ = false;
};

/// What the scheduler has of an app or a pod.
AppModel actual(const marathon::State& state, const std::string& app);

/// "exists tag 7 x 3", for people.
std::string describe(const AppModels& models);

}  // namespace sim
