#include "sessions.hpp"

#include <algorithm>

namespace rgan {

Session& Sessions::get(const SessionKey& key) {
  const auto found =
      std::ranges::find_if(by_use_, [&](const auto& entry) { return entry.first == key; });
  if (found != by_use_.end()) {
    by_use_.splice(by_use_.begin(), by_use_, found);
  } else {
    while (by_use_.size() >= kMaxSessions) by_use_.pop_back();
    by_use_.emplace_front(key, open_(key));
  }
  return *by_use_.front().second;
}

bool Sessions::clear() noexcept {
  const bool had_any = !by_use_.empty();
  by_use_.clear();
  return had_any;
}

}  // namespace rgan
