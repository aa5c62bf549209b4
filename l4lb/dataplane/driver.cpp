#include "l4lb/dataplane/driver.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"

namespace l4lb {
namespace {

constexpr base::Duration kWatchPeriod = base::seconds(1);
constexpr base::Duration kFirstRetry = base::milliseconds(500);
constexpr base::Duration kLongestRetry = base::seconds(30);

/// What a job brings back to the loop.
struct Outcome {
  base::Status status;
  uint32_t generation = 0;  // the kernel's, when nobody else changed anything meanwhile
  std::string structure;    // after a full load
  int flows = 0, routes = 0;
  bool full = false;
  std::map<std::string, std::map<std::string, std::string>> elements;  // read for a comparison
  bool structure_differs = false;
  std::vector<std::pair<Address, unsigned>> networks;
  std::vector<Endpoint> failed;
};

/// "10.0.0.1 . 80"
std::optional<Endpoint> failed_endpoint(const std::string& text) {
  const size_t dot = text.find(" . ");
  if (dot == std::string::npos) return std::nullopt;
  const std::string address = text.substr(0, dot);
  return parse_endpoint(address.find(':') == std::string::npos ? address + ":" + text.substr(dot + 3)
                                                               : "[" + address + "]:" + text.substr(dot + 3));
}

}  // namespace

struct Driver::Impl : std::enable_shared_from_this<Driver::Impl> {
  Impl(base::Loop& l, base::Pool& p, base::Metrics& m, DriverOptions o, std::function<void(std::vector<Endpoint>)> f)
      : loop(l), pool(p), metrics(m), options(std::move(o)), on_failed(std::move(f)), plan(options.nft) {}

  std::vector<Route> routes() const {
    std::vector<Route> out = cover(options.nft.range.first, options.nft.range.last);
    // The same last bits for IPv6.
    for (const Route& route : std::vector<Route>(out)) {
      const uint32_t slot = route.address.to_v4() - options.nft.range.first + 1;
      out.push_back({options.nft.range.v6(slot), 96 + route.bits});
    }
    for (const Address& address : plan.literals()) out.push_back({address, address.v6() ? 128U : 32U});
    return out;
  }

  void submit(std::function<Outcome(Nft&)> work) {
    busy = true;
    const auto began = loop.now().instant;
    const bool queued =
        pool.run_for([work = std::move(work), shared = nft]() mutable { return work(*shared); },
                     [self = shared_from_this(), began](Outcome outcome) { self->done(std::move(outcome), began); });
    if (!queued) busy = false;
  }

  /// The next thing to do, when nothing is under way.
  void next() {
    if (busy || !started || stopping) return;
    if (need_full) {
      if (loop.now().instant < retry_at) return;
      return load();
    }
    if (!pending.empty()) return apply();
    if (check_due) return check();
    if (watch_due) return watch();
  }

  void load() {
    const NftTransaction transaction = plan.change(std::exchange(pending, {}));
    need_full = false;
    submit([script = plan.full(), table = options.nft.table, wanted = routes(), route_options = options.routes,
            flows = transaction.stale](Nft& kernel) {
      Outcome out;
      out.full = true;
      // Never a route to what has no rule.
      out.status = kernel.run(script);
      if (!out.status) return out;
      out.structure = kernel.structure(table).value_or("");
      out.generation = kernel.generation().value_or(0);
      if (const auto changed = sync_routes(route_options, wanted)) out.routes = *changed;
      else out.status = changed.error();
      out.flows = delete_flows(flows).value_or(0);
      return out;
    });
  }

  void apply() {
    const std::set<Address> before = plan.literals();
    NftTransaction transaction = plan.change(std::exchange(pending, {}));
    const bool new_routes = plan.literals() != before;
    if (transaction.script.empty() && transaction.stale.empty() && !new_routes) return next();
    submit([transaction = std::move(transaction), wanted = new_routes ? routes() : std::vector<Route>(),
            route_options = options.routes, known = generation](Nft& kernel) {
      Outcome out;
      const auto before_run = kernel.generation();
      out.status = kernel.run(transaction.script);
      if (!out.status) return out;
      const auto after = kernel.generation();
      const uint32_t steps = transaction.script.empty() ? 0 : 1;
      if (before_run && after && *before_run == known && *after == known + steps) out.generation = *after;
      if (!wanted.empty()) {
        if (const auto changed = sync_routes(route_options, wanted)) out.routes = *changed;
        else out.status = changed.error();
      }
      if (!transaction.stale.empty()) {
        const auto flows = delete_flows(transaction.stale);
        if (flows) out.flows = *flows;
        else LOG_WARNING("{}", flows.error().message);
      }
      return out;
    });
  }

  /// Has anybody changed something? The kernel counts changes of all tables: usually that is the answer already.
  void check() {
    check_due = false;
    // A hundred thousand elements take seconds to read: never more than a fiftieth of the time.
    const bool deep = loop.now().instant >= next_deep;
    submit([table = options.nft.table, wanted = routes(), route_options = options.routes, known = generation,
            expected = structure, deep](Nft& kernel) {
      Outcome out;
      out.generation = kernel.generation().value_or(0);
      if (const auto networks = own_networks()) out.networks = *networks;
      if (const auto changed = sync_routes(route_options, wanted)) out.routes = *changed;
      else out.status = changed.error();
      if (known != 0 && out.generation == known) return out;
      const auto now = kernel.structure(table);
      if (!now || *now != expected) {
        out.structure_differs = true;
        return out;
      }
      if (!deep) {
        out.generation = known;  // looked at the next time
        return out;
      }
      for (const char* name : kSlotMaps)
        if (auto found = kernel.elements(table, name, true)) out.elements[name] = std::move(*found);
        else out.structure_differs = true;
      for (const char* name : {"known4", "known6", "hair4", "hair6"})
        if (auto found = kernel.elements(table, name, false)) out.elements[name] = std::move(*found);
        else out.structure_differs = true;
      return out;
    });
  }

  void watch() {
    watch_due = false;
    submit([table = options.nft.table, known = generation](Nft& kernel) {
      Outcome out;
      out.generation = known;
      std::string forget;
      for (const char* name : {"failed4", "failed6"}) {
        const auto found = kernel.elements(table, name, false);
        if (!found || found->empty()) continue;
        for (const auto& [key, value] : *found) {
          if (const auto endpoint = failed_endpoint(key)) out.failed.push_back(*endpoint);
        }
        forget += fmt::format("flush set inet {} {}\n", table, name);
      }
      if (forget.empty()) return out;
      const auto before_run = kernel.generation();
      (void)kernel.run(forget).has_value();
      const auto after = kernel.generation();
      out.generation = before_run && after && *before_run == known && *after == known + 1 ? *after : 0;
      return out;
    });
  }

  void done(Outcome outcome, base::Instant began) {
    busy = false;
    if (!outcome.elements.empty()) next_deep = loop.now().instant + (loop.now().instant - began) * 50;
    metrics.timer("l4lb/vips_duration_seconds").record(loop.now().instant - began);
    if (outcome.routes > 0)
      metrics.counter("l4lb/reconciled_routes_total").increment(static_cast<uint64_t>(outcome.routes));
    if (outcome.flows > 0) metrics.counter("l4lb/flows_forgotten").increment(static_cast<uint64_t>(outcome.flows));
    if (!outcome.failed.empty() && on_failed) on_failed(std::move(outcome.failed));
    if (!outcome.status) {
      problem = outcome.status.error().message;
      metrics.counter("l4lb/dataplane_errors").increment();
      LOG_WARNING("{}; everything is loaded anew", problem);
      generation = 0;
      need_full = true;
      retry_at = loop.now().instant + retry;
      loop.after(retry, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->next();
      });
      retry = std::min(retry * 2, kLongestRetry);
      return;
    }
    problem.clear();
    retry = kFirstRetry;
    generation = outcome.generation;
    if (outcome.full) structure = outcome.structure;
    if (outcome.structure_differs) {
      LOG_WARNING("somebody changed or removed the table {}: loaded anew", options.nft.table);
      metrics.counter("l4lb/reconciled_tables_total").increment();
      need_full = true;
    }
    compare(outcome);
    next();
  }

  void compare(const Outcome& outcome) {
    std::string script;
    // Changes that came meanwhile are not in the kernel and shall not look like somebody's.
    for (const auto& [name, found] : outcome.elements) script += plan.repair(name, found);
    if (!outcome.networks.empty() && outcome.networks != plan.networks()) {
      plan.set_networks(outcome.networks);
      script += plan.masquerade_script();
      structure.clear();  // told anew by the next full load or comparison
      need_full = need_full || !script.empty();
    }
    if (script.empty() || need_full) return;
    metrics.counter("l4lb/reconciled_elements_total").increment();
    LOG_WARNING("elements of the table {} were not as they should be: repaired", options.nft.table);
    submit([script = std::move(script)](Nft& kernel) {
      Outcome out;
      out.status = kernel.run(script);
      out.generation = kernel.generation().value_or(0);
      return out;
    });
  }

  base::Loop& loop;
  base::Pool& pool;
  base::Metrics& metrics;
  DriverOptions options;
  std::function<void(std::vector<Endpoint>)> on_failed;
  std::shared_ptr<Nft> nft = std::make_shared<Nft>();
  NftPlan plan;
  std::vector<ServiceChange> pending;
  std::string structure, problem;
  uint32_t generation = 0;
  bool busy = false, started = false, stopping = false, need_full = true, check_due = false, watch_due = false;
  base::Duration retry = kFirstRetry;
  base::Instant retry_at{}, next_deep{};
  base::Loop::TimerId check_timer = 0, watch_timer = 0;
};

Driver::Driver(base::Loop& loop, base::Pool& pool, base::Metrics& metrics, DriverOptions options,
               std::function<void(std::vector<Endpoint>)> failed)
    : impl_(std::make_shared<Impl>(loop, pool, metrics, std::move(options), std::move(failed))) {}

Driver::~Driver() {
  impl_->stopping = true;
  impl_->on_failed = nullptr;
  impl_->loop.cancel(impl_->check_timer);
  impl_->loop.cancel(impl_->watch_timer);
}

void Driver::change(std::vector<ServiceChange> changes) {
  impl_->pending.insert(impl_->pending.end(), std::make_move_iterator(changes.begin()),
                        std::make_move_iterator(changes.end()));
  impl_->next();
}

void Driver::start() {
  if (impl_->started) return;
  impl_->started = true;
  if (!impl_->options.routes.source6) impl_->options.routes.source6 = own_v6();
  if (auto networks = own_networks()) impl_->plan.set_networks(std::move(*networks));
  impl_->check_timer = impl_->loop.every(impl_->options.reconcile, [raw = impl_.get()] {
    raw->check_due = true;
    raw->next();
  });
  impl_->watch_timer = impl_->loop.every(kWatchPeriod, [raw = impl_.get()] {
    raw->watch_due = raw->plan.services() > 0;
    raw->next();
  });
  impl_->next();
}

bool Driver::started() const { return impl_->started; }
const std::string& Driver::problem() const { return impl_->problem; }
size_t Driver::services() const { return impl_->plan.services(); }

base::Status remove_dataplane(const DriverOptions& options) {
  // Routes first: no packet shall find the way and no rule behind it.
  const auto routes = sync_routes(options.routes, {});
  Nft kernel;
  RETURN_IF_ERROR(kernel.run(fmt::format("add table inet {0}\ndelete table inet {0}\n", options.nft.table)));
  if (!routes) return routes.error();
  return {};
}

void Driver::cleanup(std::function<void(base::Status)> done) {
  impl_->stopping = true;
  const bool queued = impl_->pool.run_for([options = impl_->options] { return remove_dataplane(options); }, done);
  if (!queued) done(remove_dataplane(impl_->options));
}

}  // namespace l4lb
