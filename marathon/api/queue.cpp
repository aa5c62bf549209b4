#include <fmt/format.h>

#include <algorithm>

#include "base/json/writer.hpp"
#include "kernel/api/mesos/v1/offers.pb.h"
#include "marathon/api/api.hpp"
#include "marathon/app_json.hpp"
#include "marathon/explain.hpp"
#include "marathon/instances.hpp"
#include "marathon/pod_json.hpp"

namespace marathon::api {
namespace {

using base::json::Writer;
namespace pb = mesos::v1;

std::string iso(base::Time time) { return base::render_iso8601(time); }

/// `processed` shrinks from reason to reason: what one refused, the next has not seen.
void write_funnel(Writer& w, std::string_view key, const std::array<uint64_t, kRejects>& declined,
                  uint64_t processed) {
  w.key(key);
  w.begin_array();
  for (size_t i = 0; i < kRejects; ++i) {
    w.begin_object();
    w.field("reason", reject_name(static_cast<Reject>(i)));
    w.field("declined", declined[i]);
    w.field("processed", processed);
    w.end_object();
    processed -= std::min(processed, declined[i]);
  }
  w.end_array();
}

void write_summary(Writer& w, const OfferStatistics& offers) {
  std::array<uint64_t, kRejects> last{};
  for (const auto& [agent, offer] : offers.last_by_agent) {
    if (offer.reject) ++last[static_cast<size_t>(*offer.reject)];
  }
  w.key("processedOffersSummary");
  w.begin_object();
  w.field("processedOffersCount", offers.processed);
  w.field("unusedOffersCount", offers.unused);
  if (offers.last_unused_at) w.field("lastUnusedOfferAt", iso(*offers.last_unused_at));
  if (offers.last_used_at) w.field("lastUsedOfferAt", iso(*offers.last_used_at));
  write_funnel(w, "rejectSummaryLastOffers", last, offers.last_by_agent.size());
  write_funnel(w, "rejectSummaryLaunchAttempt", offers.declined, offers.processed);
  w.end_object();
}

void write_values(Writer& w, const pb::Value::Ranges& ranges) {
  w.key("ranges");
  w.begin_array();
  for (const auto& range : ranges.range()) {
    w.begin_object();
    w.field("begin", range.begin());
    w.field("end", range.end());
    w.end_object();
  }
  w.end_array();
}

void write_set(Writer& w, const pb::Value::Set& set) {
  w.key("set");
  w.begin_array();
  for (const std::string& item : set.item()) w.value(item);
  w.end_array();
}

void write_offer(Writer& w, const pb::Offer& offer) {
  w.begin_object();
  w.field("id", offer.id().value());
  w.field("hostname", offer.hostname());
  w.field("agentId", offer.agent_id().value());
  w.key("resources");
  w.begin_array();
  for (const pb::Resource& resource : offer.resources()) {
    w.begin_object();
    w.field("name", resource.name());
    w.field("role", resource.reservations_size() > 0
                        ? resource.reservations(resource.reservations_size() - 1).role()
                        : resource.role());
    if (resource.type() == pb::Value::SCALAR) w.field("scalar", resource.scalar().value());
    if (resource.type() == pb::Value::RANGES) write_values(w, resource.ranges());
    if (resource.type() == pb::Value::SET) write_set(w, resource.set());
    w.end_object();
  }
  w.end_array();
  w.key("attributes");
  w.begin_array();
  for (const pb::Attribute& attribute : offer.attributes()) {
    w.begin_object();
    w.field("name", attribute.name());
    if (attribute.has_text()) w.field("text", attribute.text().value());
    if (attribute.has_scalar()) w.field("scalar", attribute.scalar().value());
    if (attribute.has_ranges()) write_values(w, attribute.ranges());
    if (attribute.has_set()) write_set(w, attribute.set());
    w.end_object();
  }
  w.end_array();
  w.end_object();
}

void write_last_offers(Writer& w, const OfferStatistics& offers) {
  w.key("lastUnusedOffers");
  w.begin_array();
  for (const auto& [agent, last] : offers.last_by_agent) {
    if (!last.reject || !last.offer) continue;
    w.begin_object();
    w.key("offer");
    write_offer(w, *last.offer);
    w.key("reason");
    w.begin_array();
    w.value(reject_name(*last.reject));
    w.end_array();
    w.field("timestamp", iso(last.at));
    w.end_object();
  }
  w.end_array();
}

void list(const Request& request) {
  bool last_offers = false, explanation = false;
  for (const std::string& value : request.query.all("embed")) {
    last_offers |= value == "lastUnusedOffers";
    explanation |= value == "explanation";
  }
  std::string body;
  Writer w(body);
  w.begin_object();
  w.key("queue");
  w.begin_array();
  for (const PathId& id : request.state().launchable) {
    const AppRun* run = find_spec(request.state(), id);
    if (!run || !sees(request, *run)) continue;
    w.begin_object();
    w.key(run->target->pod ? "pod" : "app");
    w.raw(run->target->pod ? render_pod(*run->target) : render_app(*run->target));
    w.field("count", run->scheduled);
    w.key("delay");
    w.begin_object();
    const base::Duration left = run->backoff ? run->backoff->until() - request.turn.now.time : base::Duration(0);
    const auto seconds = std::chrono::ceil<base::seconds>(left).count();
    w.field("timeLeftSeconds", std::max<int64_t>(0, seconds));
    w.field("overdue", left <= base::Duration(0));
    w.end_object();
    // Clients of before the roles do not know the key: it is told only when it says something.
    if (run->target->role != request.turn.policy.defaults.role) w.field("role", run->target->role);
    w.field("since", iso(run->queued_since));
    write_summary(w, run->offers);
    if (last_offers) write_last_offers(w, run->offers);
    if (explanation) {
      w.key("explanation");
      write_explanation(w, explain_placement(request.state(), request.turn.policy, *run, request.turn.now.time),
                        "agents");
    }
    w.end_object();
  }
  w.end_array();
  w.end_object();
  request.reply_json(200, std::move(body));
}

}  // namespace

void handle_queue(const Request& request) {
  const std::vector<std::string>& rest = request.rest;
  if (rest.empty()) {
    const bool get = request.http.method == "GET" || request.http.method == "HEAD";
    return get ? list(request) : method_not_allowed(request, "GET");
  }
  if (rest.size() < 2 || rest.back() != "delay") return request.refuse(404, "URI not found: " + request.path);
  if (request.http.method != "DELETE") return method_not_allowed(request, "DELETE");
  const PathId id = path_of(rest, rest.size() - 1);
  AppRun* run = find_run(request.state(), id);
  if (!run || !request.state().launchable.contains(id)) {
    return request.refuse(404, fmt::format("Application {} not found in tasks queue.", id));
  }
  reset_backoff(request.turn, *run);
  base::http::Response response;
  response.status = 204;
  request.reply(std::move(response));
}

}  // namespace marathon::api
