// Calls of the system that a signal may interrupt.
#pragma once

#include <cerrno>

namespace rgan {

// Make a call until no signal interrupts it, as Python does. It returns less than 0 if it fails.
template <typename Call>
auto retry_interrupted(Call call) noexcept {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

}  // namespace rgan
