#include "cores.hpp"

#include <sched.h>

#include <algorithm>
#include <thread>

#include "boundary.hpp"

namespace rgan::c_api {

int choose_threads(std::int32_t wanted) {
  require(wanted >= 0, "threads must not be negative");
  require(wanted <= 1024, "threads must be at most 1024; 0 is one for each core");
  if (wanted != 0) return wanted;
  cpu_set_t cores;
  if (::sched_getaffinity(0, sizeof cores, &cores) == 0) return CPU_COUNT(&cores);
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));  // more than 1024
}

}  // namespace rgan::c_api
