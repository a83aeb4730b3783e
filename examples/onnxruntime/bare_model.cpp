// Run a model with ONNX Runtime alone, without librgan.
//
//   bare_model MODEL.onnx ROWS COLUMNS PIXEL_SPACING MULTIPLE <source.f32 >harmonized.f32
//
// Slices are float32 in HU, row by row. MULTIPLE is `multiple` on the model's card. For models of
// format 2 (docs/model-format.md).
//
// librgan does more: it checks the file, compares the pixel spacing with the card, and refuses what
// is no image. Here that is left to you, and so is ORT_DISABLE_TELEMETRY=1 in the environment,
// without which ONNX Runtime may report to its maker.

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + ": cannot be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

// Make the input `pixel_spacing` a constant, so that ONNX Runtime computes once what depends on it.
// librgan and Python do so too: it gives the same bits. The 31 bytes that are appended are
// explained in docs/model-format.md.
std::string bind_pixel_spacing(std::string model, float pixel_spacing) {
  static_assert(std::endian::native == std::endian::little);
  const auto bits = std::bit_cast<std::array<char, sizeof pixel_spacing>>(pixel_spacing);
  model += "\x08\x03";               // IR version 3
  model += "\x3a\x1b\x2a\x19";       // graph: one more initializer,
  model += "\x08\x01\x10\x01";       // of one element of float32,
  model += "\x42\x0dpixel_spacing";  // with this name
  model += "\x4a\x04";               // and this value
  return model.append(bits.begin(), bits.end());
}

struct Size {
  std::size_t rows = 0;
  std::size_t columns = 0;

  [[nodiscard]] std::size_t pixels() const { return rows * columns; }
};

std::size_t round_up(std::size_t size, std::size_t multiple) {
  return (size + multiple - 1) / multiple * multiple;
}

// Copy a slice into one of another size: what is beyond its ends is its last row and column.
std::vector<float> resize(const std::vector<float>& slice, Size from, Size to) {
  std::vector<float> resized(to.pixels());
  for (std::size_t y = 0; y < to.rows; ++y) {
    for (std::size_t x = 0; x < to.columns; ++x) {
      const std::size_t row = std::min(y, from.rows - 1);
      resized[(y * to.columns) + x] = slice[(row * from.columns) + std::min(x, from.columns - 1)];
    }
  }
  return resized;
}

std::vector<float> infer(Ort::Session& session, std::vector<float> hu, Size size) {
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  const std::array<std::int64_t, 4> shape = {1, 1, static_cast<std::int64_t>(size.rows),
                                             static_cast<std::int64_t>(size.columns)};
  std::vector<float> harmonized(hu.size());
  const Ort::Value input =
      Ort::Value::CreateTensor<float>(memory, hu.data(), hu.size(), shape.data(), shape.size());
  Ort::Value output = Ort::Value::CreateTensor<float>(memory, harmonized.data(), harmonized.size(),
                                                      shape.data(), shape.size());
  const char* input_name = "hu";
  const char* output_name = "harmonized_hu";
  session.Run(Ort::RunOptions(), &input_name, &input, 1, &output_name, &output, 1);
  return harmonized;
}

void harmonize(const std::string& model, Size size, std::size_t multiple) {
  const Ort::Env env(ORT_LOGGING_LEVEL_WARNING, "bare_model");
  Ort::Session session(env, model.data(), model.size(), Ort::SessionOptions());
  const Size padded{.rows = round_up(size.rows, multiple),
                    .columns = round_up(size.columns, multiple)};
  std::vector<float> hu(size.pixels());
  const auto bytes = static_cast<std::streamsize>(hu.size() * sizeof(float));
  while (std::cin.read(reinterpret_cast<char*>(hu.data()), bytes)) {
    hu = resize(infer(session, resize(hu, size, padded), padded), padded, size);
    std::cout.write(reinterpret_cast<const char*>(hu.data()), bytes);
  }
  if (std::cin.gcount() != 0) throw std::runtime_error("the input is not a whole number of slices");
  if (!std::cout.flush()) throw std::runtime_error("standard output cannot be written");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::cerr << "usage: bare_model MODEL.onnx ROWS COLUMNS PIXEL_SPACING MULTIPLE\n";
    return EXIT_FAILURE;
  }
  try {
    const Size size{.rows = std::stoul(argv[2]), .columns = std::stoul(argv[3])};
    const std::size_t multiple = std::stoul(argv[5]);
    if (size.pixels() == 0 || multiple == 0) throw std::runtime_error("sizes must be positive");
    harmonize(bind_pixel_spacing(read_file(argv[1]), std::stof(argv[4])), size, multiple);
    return EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::cerr << "bare_model: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
