#include "cores.hpp"

#include <sched.h>

#include "boundary.hpp"

namespace rgan::c_api {

int choose_threads(std::int32_t wanted) {
  require(wanted >= 0, "threads must not be negative");
  if (wanted != 0) return wanted;
  cpu_set_t cores;
  return ::sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

}  // namespace rgan::c_api
