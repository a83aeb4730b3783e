// The sessions of a runtime that an engine keeps open: those that it used last.
#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <utility>

#include "session.hpp"

namespace rgan {

inline constexpr std::size_t kMaxSessions = 4;  // one for each of the last pixel spacings

// A session holds a copy of the weights, and memory to compute in. So the one that was not used for
// longest is let go before another is opened. Not for several threads at once.
class Sessions {
 public:
  using Open = std::function<std::unique_ptr<Session>(const SessionKey&)>;

  explicit Sessions(Open open) : open_(std::move(open)) {}

  // Return the session for a key; open it if it is not open.
  [[nodiscard]] Session& get(const SessionKey& key);

  // Let all sessions go; false if there were none.
  bool clear() noexcept;

 private:
  Open open_;
  std::list<std::pair<SessionKey, std::unique_ptr<Session>>> by_use_;  // the last one is in front
};

}  // namespace rgan
