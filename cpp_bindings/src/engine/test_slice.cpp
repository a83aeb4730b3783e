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

constexpr std::array<Ellipse, 14> kAnatomy = {{{0, 0.8, 0.85, 0.08, -350},  // table
                                               {0, 0, 0.88, 0.62, -100},    // fat
                                               {0, 0, 0.8, 0.55, 45},       // muscle
                                               {-0.4, 0, 0.3, 0.43, -850},  // lungs
                                               {0.4, 0, 0.3, 0.43, -850},
                                               {0.07, -0.16, 0.26, 0.22, 60},  // heart
                                               {0.12, 0.26, 0.07, 0.07, 60},   // aorta
                                               {0, 0.4, 0.1, 0.1, 550},        // vertebra
                                               {0, 0.4, 0.07, 0.07, 180},
                                               {-0.83, 0.1, 0.03, 0.12, 550},  // ribs
                                               {0.83, 0.1, 0.03, 0.12, 550},
                                               {-0.45, 0.1, 0.02, 0.02, 40},  // vessels, a nodule
                                               {-0.35, -0.2, 0.012, 0.012, 40},
                                               {0.45, 0.15, 0.04, 0.04, 30}}};

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
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state_ >> 11) * 0x1p-53;
  }

  std::uint64_t state_ = 1;
};

float find_hu(double x, double y) {
  float hu = kAir;
  for (const Ellipse& shape : kAnatomy) {
    const double u = (x - shape.x) / shape.a;
    const double v = (y - shape.y) / shape.b;
    if (u * u + v * v <= 1) hu = shape.hu;
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
