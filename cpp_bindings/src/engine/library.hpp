// Finds and loads the library of a runtime.
#pragma once

#include <span>
#include <string>

namespace rgan {

struct Library {
  const char* name;                      // for people
  const char* variable;                  // the environment variable that may hold a path
  std::span<const char* const> sonames;  // what is asked of the loader, in this order
};

// Load the library at `path`; empty takes the environment variable, or else what the loader finds.
// It is never unloaded. Throws Error (RGAN_ENGINE_UNAVAILABLE), which says what was tried.
[[nodiscard]] void* open_library(const Library& library, const std::string& path);

}  // namespace rgan
