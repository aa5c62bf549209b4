#include "admin-router/login/tokens.hpp"

namespace admin_router {

std::shared_ptr<const Claims> Tokens::check(std::string_view token, base::Time now) {
  auto it = index_.find(token);
  if (it != index_.end()) {
    Entry& entry = *it->second;
    bool expired = entry.claims->exp && now.since_epoch >= base::seconds(*entry.claims->exp);
    bool same = entry.revocations == identity_.revocations();
    if (!expired && (same || identity_.worth(*entry.claims, now))) {
      entry.revocations = identity_.revocations();
      if (it->second != entries_.begin()) entries_.splice(entries_.begin(), entries_, it->second);
      return entry.claims;
    }
    auto gone = it->second;
    index_.erase(it);
    entries_.erase(gone);
    return nullptr;
  }
  ++checked_;
  auto claims = identity_.check_token(token, now);
  if (!claims) return nullptr;
  while (entries_.size() >= most_) {
    index_.erase(entries_.back().token);
    entries_.pop_back();
  }
  entries_.push_front({std::string(token), std::make_shared<const Claims>(std::move(*claims)),
                       identity_.revocations()});
  index_[entries_.front().token] = entries_.begin();
  return entries_.front().claims;
}

}  // namespace admin_router
