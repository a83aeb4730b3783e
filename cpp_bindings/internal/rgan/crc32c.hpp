// CRC-32C (Castagnoli), as in RFC 3720 (iSCSI), section 12.1: finds damage, but no forgery.
#pragma once

#include <cstdint>

#include "rgan/element.hpp"

namespace rgan {

// Return the checksum of `bytes`, or of a longer text that ends with them: `before` is that of what
// comes before. It takes the processor's own instruction for it where there is one.
[[nodiscard]] std::uint32_t crc32c(Bytes bytes, std::uint32_t before = 0) noexcept;

// The same with tables alone, for processors without the instruction.
[[nodiscard]] std::uint32_t crc32c_by_tables(Bytes bytes, std::uint32_t before = 0) noexcept;

}  // namespace rgan
