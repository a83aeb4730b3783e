// Harmonize a stack of slices, with a progress bar; Ctrl-C stops it.
//
//   harmonize_stack MODEL.onnx ROWS COLUMNS PIXEL_SPACING SOURCE.f32 HARMONIZED.f32
//
// Files hold float32 in HU, row by row, slice by slice. HARMONIZED.f32 is written when all slices
// are done: a run that was stopped leaves none, and exits with 130.

#include <pthread.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <rgan/rgan.hpp>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr int kInterrupted = 130;

// Turns SIGINT and SIGTERM into a request to stop. A signal handler may do next to nothing, so a
// thread waits for the signals instead. Made before other threads are, which inherit its mask.
class StopOnSignal {
 public:
  StopOnSignal() {
    sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, kEnd}) sigaddset(&signals_, signal);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    thread_ = std::jthread([this] {
      int signal = 0;
      sigwait(&signals_, &signal);
      if (signal != kEnd) source_.request_stop();
    });
  }
  ~StopOnSignal() { pthread_kill(thread_.native_handle(), kEnd); }

  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;

  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

 private:
  static constexpr int kEnd = SIGUSR1;  // ends the thread

  sigset_t signals_{};
  std::stop_source source_;
  std::jthread thread_;
};

bool show_progress(std::size_t done, std::size_t slices) {
  constexpr std::size_t kWidth = 40;
  const std::size_t filled = kWidth * done / slices;
  std::cerr << "\r[" << std::string(filled, '#') << std::string(kWidth - filled, ' ') << "] "
            << done << "/" << slices << std::flush;
  if (done == slices) std::cerr << '\n';
  return true;  // false would stop
}

std::vector<float> read_floats(const std::filesystem::path& path) {
  const std::uintmax_t size = std::filesystem::file_size(path);
  if (size % sizeof(float) != 0) throw std::runtime_error(path.string() + ": not whole numbers");
  std::vector<float> values(size / sizeof(float));
  std::ifstream file(path, std::ios::binary);
  const auto bytes = std::as_writable_bytes(std::span(values));
  file.read(reinterpret_cast<char*>(bytes.data()), std::ssize(bytes));
  if (!file) throw std::runtime_error(path.string() + ": cannot be read");
  return values;
}

void write_floats(const std::filesystem::path& path, const std::vector<float>& values) {
  std::ofstream file(path, std::ios::binary);
  const auto bytes = std::as_bytes(std::span(values));
  file.write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  file.close();
  if (!file) throw std::runtime_error(path.string() + ": cannot be written");
}

void harmonize(const std::vector<std::string>& arguments, const std::stop_token& stop) {
  const auto model = rgan::Model::open(arguments[0]);
  const rgan::Card card = model.card();
  std::cerr << card.name << ": to " << card.target_kernel << " from";
  for (const auto kernel : card.source_kernels) std::cerr << ' ' << kernel;
  rgan::Engine engine(model);
  std::cerr << "; " << engine.description() << '\n';

  rgan::Shape shape{.rows = std::stoul(arguments[1]), .columns = std::stoul(arguments[2])};
  const double pixel_spacing = std::stod(arguments[3]);
  std::vector<float> hu = read_floats(arguments[4]);
  if (shape.rows == 0 || shape.columns == 0) throw std::runtime_error("no slice has no pixels");
  shape.slices = hu.size() / shape.rows / shape.columns;
  engine.harmonize_in_place(hu, shape, pixel_spacing, {.progress = show_progress, .stop = stop});
  write_floats(arguments[5], hu);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() != 6) {
    std::cerr << "usage: harmonize_stack MODEL.onnx ROWS COLUMNS PIXEL_SPACING SOURCE.f32 "
                 "HARMONIZED.f32\n";
    return EXIT_FAILURE;
  }
  const StopOnSignal stop_on_signal;
  try {
    harmonize(arguments, stop_on_signal.token());
    return EXIT_SUCCESS;
  } catch (const rgan::Error& error) {
    std::cerr << "\nharmonize_stack: " << error.what() << '\n';
    return error.status() == RGAN_CANCELLED ? kInterrupted : EXIT_FAILURE;
  } catch (const std::exception& error) {
    std::cerr << "harmonize_stack: " << error.what() << '\n';
    return EXIT_FAILURE;
  }
}
