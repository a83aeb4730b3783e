#include "rgan/crc32c.hpp"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#ifdef __x86_64__
#include <nmmintrin.h>
#endif

namespace rgan {
namespace {

// Polynomials are reflected: the highest bit belongs to x^0. The register of a CRC is the remainder
// of what came so far, and a bit more multiplies it by x.
constexpr std::uint32_t kPolynomial = 0x82f63b78;

constexpr std::uint32_t times_x(std::uint32_t value) noexcept {
  return (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0);
}

using Table = std::array<std::uint32_t, 256>;

// The table k tells what a byte adds to the register if k more bytes follow it.
constexpr std::array<Table, 8> make_tables() noexcept {
  std::array<Table, 8> tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = times_x(value);
    tables[0][byte] = value;
  }
  for (std::size_t k = 1; k < tables.size(); ++k) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t value = tables[k - 1][byte];
      tables[k][byte] = (value >> 8) ^ tables[0][value & 0xff];
    }
  }
  return tables;
}

constexpr std::array<Table, 8> kTables = make_tables();

std::uint32_t update_by_tables(std::uint32_t value, Bytes bytes) noexcept {
  while (bytes.size() >= 8) {
    const std::uint32_t low = value ^ load32(bytes.data());
    const std::uint32_t high = load32(bytes.data() + 4);
    value = kTables[7][low & 0xff] ^ kTables[6][(low >> 8) & 0xff] ^
            kTables[5][(low >> 16) & 0xff] ^ kTables[4][low >> 24] ^ kTables[3][high & 0xff] ^
            kTables[2][(high >> 8) & 0xff] ^ kTables[1][(high >> 16) & 0xff] ^
            kTables[0][high >> 24];
    bytes = bytes.subspan(8);
  }
  for (const std::uint8_t byte : bytes) value = (value >> 8) ^ kTables[0][(value ^ byte) & 0xff];
  return value;
}

#ifdef __x86_64__

// An instruction waits three cycles for the one before, so three lanes go on at a time. Each has
// this many bytes, a power of two.
constexpr std::size_t kLane = 2048;

constexpr std::uint32_t multiply(std::uint32_t left, std::uint32_t right) noexcept {
  std::uint32_t product = 0;
  for (; left != 0; left <<= 1) {
    if ((left & 0x80000000) != 0) product ^= right;
    right = times_x(right);
  }
  return product;
}

// The table k tells what byte k of the register becomes when a lane of zeros follows.
constexpr std::array<Table, 4> make_shift() noexcept {
  std::uint32_t lane = 0x00800000;  // x^8, squared until it is x^(8 * kLane)
  for (std::size_t bytes = 1; bytes < kLane; bytes *= 2) lane = multiply(lane, lane);
  std::array<Table, 4> shift{};
  for (std::uint32_t k = 0; k < 4; ++k) {
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      shift[k][byte] = multiply(byte << (8 * k), lane);
    }
  }
  return shift;
}

constexpr std::array<Table, 4> kShift = make_shift();
static_assert(std::has_single_bit(kLane));

std::uint64_t shift_by_lane(std::uint64_t value) noexcept {
  return kShift[0][value & 0xff] ^ kShift[1][(value >> 8) & 0xff] ^
         kShift[2][(value >> 16) & 0xff] ^ kShift[3][(value >> 24) & 0xff];
}

std::uint64_t load64(const std::uint8_t* bytes) noexcept {
  std::uint64_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

__attribute__((target("sse4.2"))) std::uint32_t update_by_instruction(std::uint32_t before,
                                                                      Bytes bytes) noexcept {
  std::uint64_t value = before;
  while (bytes.size() >= 3 * kLane) {
    const std::uint8_t* data = bytes.data();
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < kLane; i += 8) {
      value = _mm_crc32_u64(value, load64(data + i));
      second = _mm_crc32_u64(second, load64(data + kLane + i));
      third = _mm_crc32_u64(third, load64(data + (2 * kLane) + i));
    }
    value = shift_by_lane(shift_by_lane(value) ^ second) ^ third;
    bytes = bytes.subspan(3 * kLane);
  }
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    value = _mm_crc32_u64(value, load64(bytes.data()));
  }
  auto rest = static_cast<std::uint32_t>(value);
  for (const std::uint8_t byte : bytes) rest = _mm_crc32_u8(rest, byte);
  return rest;
}

#endif

}  // namespace

std::uint32_t crc32c_by_tables(Bytes bytes, std::uint32_t before) noexcept {
  return ~update_by_tables(~before, bytes);
}

std::uint32_t crc32c(Bytes bytes, std::uint32_t before) noexcept {
#ifdef __x86_64__
  static const auto has_instruction = __builtin_cpu_supports("sse4.2");  // bool or int
  if (has_instruction) return ~update_by_instruction(~before, bytes);
#endif
  return crc32c_by_tables(bytes, before);
}

}  // namespace rgan
