// How many threads a call may use.
#pragma once

#include <cstdint>

namespace rgan::c_api {

// Return the number of threads that the caller asks for; 0 asks for one for each core that this
// process may use. Throws Error (RGAN_INVALID_ARGUMENT) if it is negative or more than 1,024.
[[nodiscard]] int choose_threads(std::int32_t wanted);

}  // namespace rgan::c_api
