// The least that a test needs: `check` says where a condition failed, and counts the failures, and
// `report` is what main returns.
#pragma once

#include <cstdio>

inline int failures = 0;

// The defaults are the place of the call. Clang 14 has no std::source_location yet.
template <typename Condition>
void check(const Condition& condition, const char* file = __builtin_FILE(),
           int line = __builtin_LINE()) {
  if (static_cast<bool>(condition)) return;
  std::fprintf(stderr, "%s:%d: this check failed\n", file, line);
  ++failures;
}

inline int report() {
  if (failures == 0) std::puts("all passed");
  return failures == 0 ? 0 : 1;
}
