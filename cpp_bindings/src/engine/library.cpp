#include "library.hpp"

#include <dlfcn.h>

#include <vector>

#include "../error.hpp"
#include "../log.hpp"
#include "environment.hpp"

namespace rgan {
namespace {

std::vector<std::string> find_candidates(const Library& library, const std::string& path) {
  if (!path.empty()) return {path};
  if (const std::string chosen = read_environment(library.variable); !chosen.empty()) {
    return {chosen};
  }
  return {library.sonames.begin(), library.sonames.end()};
}

}  // namespace

void log_loaded(const Library& library, const std::string& version, const void* symbol) {
  log(RGAN_LOG_INFO, [&] {
    Dl_info found{};
    const bool is_found = ::dladdr(symbol, &found) != 0 && found.dli_fname != nullptr;
    return std::string(library.name) + " " + version + " was loaded from " +
           (is_found ? found.dli_fname : "an unknown place");
  });
}

void* open_library(const Library& library, const std::string& path) {
  std::string problems;
  for (const std::string& candidate : find_candidates(library, path)) {
    if (void* loaded = ::dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL)) return loaded;
    problems += "\n  ";
    problems += ::dlerror();
  }
  throw Error(RGAN_ENGINE_UNAVAILABLE,
              std::string(library.name) + " cannot be loaded; install it, or give the path of " +
                  library.sonames.back() + " in the options or in the environment variable " +
                  library.variable + ":" + problems);
}

}  // namespace rgan
