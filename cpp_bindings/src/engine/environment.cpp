#include "environment.hpp"

#include <cstdlib>
#include <mutex>

namespace rgan {
namespace {

std::mutex mutex;

// What the rest of the program must not do at the same time is said in rgan.h.
const char* find(const char* name) { return std::getenv(name); }  // NOLINT(concurrency-mt-unsafe)

}  // namespace

std::string read_environment(const char* name) {
  const std::scoped_lock lock(mutex);
  const char* value = find(name);
  return value == nullptr ? "" : value;
}

void set_in_environment(const char* name, const char* value) {
  const std::scoped_lock lock(mutex);
  if (find(name) == nullptr) ::setenv(name, value, 1);  // NOLINT(concurrency-mt-unsafe)
}

}  // namespace rgan
