// The error that the SDK's own functions throw, and that its C interface turns into a status.
#pragma once

#include <stdexcept>
#include <string>

#include "rgan/rgan.h"

namespace rgan {

class Error : public std::runtime_error {
 public:
  Error(rgan_status status, const std::string& what) : std::runtime_error(what), status_(status) {}

  [[nodiscard]] rgan_status status() const noexcept { return status_; }

 private:
  rgan_status status_;
};

}  // namespace rgan
