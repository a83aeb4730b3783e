// The least that a test needs: `check` says where a condition failed, and counts the failures.
#pragma once

#include <cstdio>
#include <source_location>

inline int failures = 0;

template <typename Condition>
void check(const Condition& condition,
           const std::source_location& here = std::source_location::current()) {
  if (static_cast<bool>(condition)) return;
  std::fprintf(stderr, "%s:%u: this check failed\n", here.file_name(),
               static_cast<unsigned>(here.line()));
  ++failures;
}
