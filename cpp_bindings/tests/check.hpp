// The least that a test needs: CHECK says where it failed, and the program exits with 1.
#pragma once

#include <cstdio>

namespace check {

inline int failures = 0;

inline void that(bool condition, const char* text, const char* file, int line) {
  if (condition) return;
  std::fprintf(stderr, "%s:%d: %s\n", file, line, text);
  ++failures;
}

}  // namespace check

#define CHECK(condition) check::that(static_cast<bool>(condition), #condition, __FILE__, __LINE__)
