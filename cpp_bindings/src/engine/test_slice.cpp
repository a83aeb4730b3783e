#include "test_slice.hpp"

#include <array>
#include <cstdint>

namespace rgan {
namespace {

constexpr float kAir = -1000;
constexpr float kPadding = -3024;
constexpr float kMetal = 3071;
constexpr double kNoise = 60;  // standard deviation in HU, of a sharp kernel

// In units of half the slice, from its middle.
struct Ellipse {
  double x, y, a, b;
  float hu;
};

constexpr std::array<Ellipse, 14> kAnatomy = {
    {{.x = 0, .y = 0.8, .a = 0.85, .b = 0.08, .hu = -350},  // table
     {.x = 0, .y = 0, .a = 0.88, .b = 0.62, .hu = -100},    // fat
     {.x = 0, .y = 0, .a = 0.8, .b = 0.55, .hu = 45},       // muscle
     {.x = -0.4, .y = 0, .a = 0.3, .b = 0.43, .hu = -850},  // lungs
     {.x = 0.4, .y = 0, .a = 0.3, .b = 0.43, .hu = -850},
     {.x = 0.07, .y = -0.16, .a = 0.26, .b = 0.22, .hu = 60},  // heart
     {.x = 0.12, .y = 0.26, .a = 0.07, .b = 0.07, .hu = 60},   // aorta
     {.x = 0, .y = 0.4, .a = 0.1, .b = 0.1, .hu = 550},        // vertebra
     {.x = 0, .y = 0.4, .a = 0.07, .b = 0.07, .hu = 180},
     {.x = -0.83, .y = 0.1, .a = 0.03, .b = 0.12, .hu = 550},  // ribs
     {.x = 0.83, .y = 0.1, .a = 0.03, .b = 0.12, .hu = 550},
     {.x = -0.45, .y = 0.1, .a = 0.02, .b = 0.02, .hu = 40},  // vessels, a nodule
     {.x = -0.35, .y = -0.2, .a = 0.012, .b = 0.012, .hu = 40},
     {.x = 0.45, .y = 0.15, .a = 0.04, .b = 0.04, .hu = 30}}};

// Nearly normal, with a standard deviation of 1; the same sequence on each machine.
class Noise {
 public:
  double next() noexcept {
    double sum = 0;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum - 6;
  }

 private:
  double uniform() noexcept {
    state_ = (state_ * 6364136223846793005U) + 1442695040888963407U;
    return static_cast<double>(state_ >> 11) * 0x1p-53;
  }

  std::uint64_t state_ = 1;
};

float find_hu(double x, double y) {
  float hu = kAir;
  for (const Ellipse& shape : kAnatomy) {
    const double u = (x - shape.x) / shape.a;
    const double v = (y - shape.y) / shape.b;
    if ((u * u) + (v * v) <= 1) hu = shape.hu;
  }
  return hu;
}

}  // namespace

std::vector<float> make_test_slice(std::size_t size) {
  std::vector<float> slice(size * size);
  Noise noise;
  const double half = static_cast<double>(size) / 2;
  for (std::size_t row = 0; row < size; ++row) {
    for (std::size_t column = 0; column < size; ++column) {
      const double x = (static_cast<double>(column) + 0.5 - half) / half;
      const double y = (static_cast<double>(row) + 0.5 - half) / half;
      const auto added = static_cast<float>(kNoise * noise.next());
      float& hu = slice[(row * size) + column];
      hu = find_hu(x, y) + added;
      if (row < 4 && column < 16) hu = kPadding;
      if (row / 4 == size / 8 && column / 4 == size / 8) hu = kMetal;
    }
  }
  return slice;
}

}  // namespace rgan
