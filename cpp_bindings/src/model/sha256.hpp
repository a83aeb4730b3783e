// SHA-256 (FIPS 180-4), which tells model files apart.
#pragma once

#include <string>

#include "rgan/element.hpp"

namespace rgan {

// Return the hash of `bytes` as 64 hexadecimal digits in lower case.
[[nodiscard]] std::string sha256(Bytes bytes);

}  // namespace rgan
