// The C++ interface, rgan.hpp:
//
//   test_api_cpp MODEL.onnx
//
// MODEL.onnx is the packaged model b40f-to-b70f. Exits with 77, skipped, if there is no ONNX
// Runtime to harmonize with.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "check.hpp"
#include "dicom_bytes.hpp"
#include "rgan/rgan.hpp"

static_assert(!std::is_copy_constructible_v<rgan::Model>);
static_assert(!std::is_copy_constructible_v<rgan::Engine>);
static_assert(std::is_nothrow_move_constructible_v<rgan::Model>);
static_assert(std::is_nothrow_move_assignable_v<rgan::Engine>);

namespace {

constexpr rgan::Shape kShape{.slices = 3, .rows = 33, .columns = 40};
constexpr std::size_t kPixels = kShape.rows * kShape.columns;
constexpr double kSpacing = 0.65;
constexpr rgan::EngineOptions kOneThread{.engine = "onnxruntime", .device = "cpu", .threads = 1};

template <typename Call>
rgan_status status_of(const Call& call) {
  try {
    call();
  } catch (const rgan::Error& error) {
    check(!std::string_view(error.what()).empty());
    return error.status();
  }
  return RGAN_OK;
}

std::vector<float> make_slices() {
  std::vector<float> hu(kShape.slices * kPixels);
  for (std::size_t i = 0; i < hu.size(); ++i) hu[i] = static_cast<float>(i % 700) - 800;
  return hu;
}

void test_models(const std::string& path) {
  auto model = rgan::Model::open(path);
  const rgan::Card card = model.card();
  check(card.format == 2);
  check(card.name == "b40f-to-b70f");
  check(card.precision == "fp32");
  check(card.source_kernels == std::vector<std::string_view>{"B40f"});
  check(card.target_kernel == "B70f");
  check(card.window_lower < card.window_upper);
  check(card.pixel_spacing && card.pixel_spacing->min <= kSpacing);
  check(model.card_json().find("B70f") != std::string_view::npos);

  const rgan::Model moved = std::move(model);
  check(moved.card().name.data() == card.name.data());  // views stay right
  std::ifstream file(path, std::ios::binary);
  const std::vector<char> content{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(content));
  const auto again = rgan::Model::from_memory(bytes, moved.sha256());
  check(again.sha256() == moved.sha256());

  const std::string other(64, '0');
  check(status_of([&] { (void)rgan::Model::open(path, other); }) == RGAN_MODEL_FORMAT);
  check(status_of([&] { (void)rgan::Model::from_memory(bytes.first(9)); }) == RGAN_MODEL_FORMAT);
  check(status_of([&] { (void)rgan::Model::from_memory({}); }) == RGAN_INVALID_ARGUMENT);
  // A part of a text, which does not end where the view ends.
  const std::string longer = path + ".none";
  check(rgan::Model::open(std::string_view(longer).substr(0, path.size())).get() != nullptr);
  check(status_of([&] { (void)rgan::Model::open(longer); }) == RGAN_NOT_FOUND);
  // C would cut this one, and open the model.
  const std::string with_null = path + '\0' + "none";
  check(status_of([&] { (void)rgan::Model::open(with_null); }) == RGAN_INVALID_ARGUMENT);
}

void test_slices() {
  const std::string path = std::filesystem::temp_directory_path() / "rgan-test-api.dcm";
  const bytes::Vector content = bytes::slice();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(content.data()), std::ssize(content));
  const std::vector<std::string> paths = {path, path + ".gone"};

  const auto headers = rgan::Headers::scan(paths);
  check(headers.size() == 2);
  const rgan_slice_header header = headers.get(0);
  check(std::string_view(header.series_instance_uid) == "1.2.3.6");
  check(status_of([&] { (void)headers.get(1); }) == RGAN_NOT_FOUND);
  check(status_of([&] { (void)headers.get(2); }) == RGAN_INVALID_ARGUMENT);

  const std::vector with_null = {path + '\0' + "none"};
  check(status_of([&] { (void)rgan::Headers::scan(with_null); }) == RGAN_INVALID_ARGUMENT);

  const rgan::Shape shape{.slices = 2, .rows = 4, .columns = 4};
  std::vector<float> hu(32);
  const std::vector stamps = {header.stamp, header.stamp};
  const auto batch = rgan::Batch::read(paths, shape, hu, stamps, 1);
  batch.check(0);
  check(status_of([&] { batch.check(1); }) == RGAN_NOT_FOUND);
  check(!std::isnan(hu[15]) && std::isnan(hu[16]));

  const auto read = [&](const rgan::Shape& other, std::span<const rgan_stamp> some) {
    return status_of([&] { (void)rgan::Batch::read(paths, other, hu, some); });
  };
  check(read({.slices = 1, .rows = 4, .columns = 8}, {}) == RGAN_INVALID_ARGUMENT);
  check(read({.slices = 2, .rows = 4, .columns = 5}, {}) == RGAN_INVALID_ARGUMENT);
  check(read(shape, std::span(stamps).first(1)) == RGAN_INVALID_ARGUMENT);
  std::filesystem::remove(path);
}

void test_engines_that_are_not_there(const rgan::Model& model) {
  const auto create = [&](const rgan::EngineOptions& options) {
    return status_of([&] { const rgan::Engine engine(model, options); });
  };
  check(create({.engine = "none"}) == RGAN_INVALID_ARGUMENT);
  check(create({.device = "none"}) == RGAN_INVALID_ARGUMENT);
  check(create({.precision = "none"}) == RGAN_INVALID_ARGUMENT);
  check(create({.threads = -1}) == RGAN_INVALID_ARGUMENT);
  check(create({.runtime = "./no-such-library.so"}) == RGAN_ENGINE_UNAVAILABLE);
}

void test_harmonize(rgan::Engine& engine) {
  auto hu = make_slices();
  std::vector<float> out(hu.size());
  engine.harmonize(hu, kShape, kSpacing, out);
  check(hu == make_slices());
  check(hu != out);
  engine.harmonize_in_place(hu, kShape, kSpacing);
  check(hu == out);

  const auto harmonize = [&](std::size_t size, const rgan::Shape& shape, double spacing) {
    return status_of([&] { engine.harmonize_in_place(std::span(hu).first(size), shape, spacing); });
  };
  check(harmonize(kPixels, kShape, kSpacing) == RGAN_INVALID_ARGUMENT);
  constexpr std::size_t kHuge = std::size_t{1} << 63;
  check(harmonize(0, {.slices = 2, .rows = kHuge, .columns = 1}, kSpacing) ==
        RGAN_INVALID_ARGUMENT);
  check(harmonize(hu.size(), kShape, 5) == RGAN_OUTSIDE_DOMAIN);
  engine.harmonize_in_place(hu, kShape, 5, {.any_spacing = true});
}

void test_stored(rgan::Engine& engine) {
  const rgan::StoredFormat format{
      .slope = 1, .intercept = -1024, .bits_stored = 12, .padding = {{.value = 0, .limit = 9}}};
  std::vector<std::uint16_t> stored(kShape.slices * kPixels);
  std::vector<float> hu(stored.size());
  for (std::size_t i = 0; i < stored.size(); ++i) {
    stored[i] = static_cast<std::uint16_t>(i % 700);
    hu[i] = stored[i] > 9 ? static_cast<float>(stored[i]) - 1024 : -3024;
  }
  engine.harmonize_in_place(hu, kShape, kSpacing);
  const auto source = stored;
  const std::size_t clips = engine.harmonize_stored(stored, kShape, format, kSpacing, stored);
  std::size_t expected_clips = 0;
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const double value = std::nearbyint(static_cast<double>(hu[i]) + 1024);
    const double clipped = std::clamp(value, 10., 4095.);
    if (source[i] > 9 && clipped != value) ++expected_clips;
    check(stored[i] == (source[i] > 9 ? clipped : source[i]));
  }
  check(clips == expected_clips);

  std::vector<std::int16_t> with_sign(stored.size(), -700);
  const auto without_slope = [&] {
    engine.harmonize_stored(with_sign, kShape, {}, kSpacing, with_sign);
  };
  check(status_of(without_slope) == RGAN_INVALID_ARGUMENT);
  engine.harmonize_stored(with_sign, kShape, {.slope = 1}, kSpacing, with_sign);
}

void test_log(const rgan::Model& model) {
  std::vector<std::string> lines;
  rgan::set_log([&](rgan_log_level, std::string_view text) {
    lines.emplace_back(text);
    throw std::runtime_error("dropped");
  });
  const rgan::Engine engine(model, kOneThread);
  check(!lines.empty());
  rgan::set_log(nullptr);
  const std::size_t before = lines.size();
  const rgan::Engine other(model, kOneThread);
  check(lines.size() == before);
}

void test_progress(rgan::Engine& engine) {
  auto hu = make_slices();
  std::vector<std::pair<std::size_t, std::size_t>> calls;
  engine.harmonize_in_place(hu, kShape, kSpacing, {.progress = [&](auto done, auto slices) {
                              calls.emplace_back(done, slices);
                              return true;
                            }});
  check(calls == std::vector<std::pair<std::size_t, std::size_t>>{{1, 3}, {2, 3}, {3, 3}});

  auto stopped = make_slices();
  const auto stop_at_once = [](std::size_t, std::size_t) { return false; };
  check(status_of([&] {
          engine.harmonize_in_place(stopped, kShape, kSpacing, {.progress = stop_at_once});
        }) == RGAN_CANCELLED);
  check(std::equal(stopped.begin(), stopped.begin() + kPixels, hu.begin()));
  check(stopped[kPixels] == make_slices()[kPixels]);
}

void test_what_progress_throws_comes_out(rgan::Engine& engine) {
  auto hu = make_slices();
  const auto fail = [](std::size_t, std::size_t) -> bool { throw std::out_of_range("by caller"); };
  std::string caught;
  try {
    engine.harmonize_in_place(hu, kShape, kSpacing, {.progress = fail});
  } catch (const std::out_of_range& error) {
    caught = error.what();
  }
  check(caught == "by caller");
  engine.harmonize_in_place(hu, kShape, kSpacing);  // it still works
}

void test_stopping(rgan::Engine& engine) {
  std::stop_source source;
  std::size_t last = 0;
  const auto stop_after_the_first = [&](std::size_t done, std::size_t) {
    last = done;
    return source.request_stop();
  };
  auto hu = make_slices();
  const auto harmonize = [&] {
    engine.harmonize_in_place(hu, kShape, kSpacing,
                              {.progress = stop_after_the_first, .stop = source.get_token()});
  };
  check(status_of(harmonize) == RGAN_CANCELLED);
  check(last == 1);
  last = 0;
  check(status_of(harmonize) == RGAN_CANCELLED);  // at once
  check(last == 0);
}

void test_engine(const rgan::Model& model) {
  rgan::Engine created(model, kOneThread);
  rgan::Engine engine = std::move(created);
  check(engine.description().starts_with("onnxruntime "));
  test_log(model);
  test_harmonize(engine);
  test_stored(engine);
  test_progress(engine);
  test_what_progress_throws_comes_out(engine);
  test_stopping(engine);
}

bool has_runtime(const rgan::Model& model) {
  const rgan_status status = status_of([&] { const rgan::Engine engine(model, kOneThread); });
  if (status != RGAN_OK) std::fprintf(stderr, "%s\n", rgan_last_error());
  return status != RGAN_ENGINE_UNAVAILABLE;
}

// Return whether all of it could be tested.
bool test_all(const std::string& path) {
  check(rgan::version() == rgan_version());
  test_models(path);
  test_slices();
  const auto model = rgan::Model::open(path);
  test_engines_that_are_not_there(model);
  if (!has_runtime(model)) return false;
  test_engine(model);
  return true;
}

}  // namespace

// NOLINTNEXTLINE(misc-const-correctness): the type of argv is given
int main(int argc, char** argv) {
  if (argc != 2) return EXIT_FAILURE;
  try {
    const bool is_complete = test_all(argv[1]);
    if (failures != 0) return EXIT_FAILURE;
    return is_complete ? EXIT_SUCCESS : 77;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return EXIT_FAILURE;
  }
}
