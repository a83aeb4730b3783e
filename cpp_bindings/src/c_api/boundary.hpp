// The wall of the C interface: no exception gets out, and each failure leaves a text.
#pragma once

#include "../error.hpp"
#include "rgan/rgan.h"

namespace rgan::c_api {

// Keep the text of the last error of this thread, and return the status.
rgan_status fail(rgan_status status, const char* text) noexcept;

// Turn the exception that is being handled into a status. For catch blocks only.
rgan_status fail_with_caught() noexcept;

// Call `body`, which throws Error or FormatError where it fails.
template <typename Body>
rgan_status guarded(Body body) noexcept {
  try {
    body();
    return RGAN_OK;
  } catch (...) {
    return fail_with_caught();
  }
}

// Throw Error (RGAN_INVALID_ARGUMENT) if a condition on the arguments does not hold.
inline void require(bool condition, const char* what) {
  if (!condition) throw Error(RGAN_INVALID_ARGUMENT, what);
}

}  // namespace rgan::c_api
