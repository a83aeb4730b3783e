// rgan for C++20: harmonize CT slices in memory. Header-only, over the C interface of rgan.h.
//
//   const auto model = rgan::Model::open("b40f-to-b70f.onnx");
//   rgan::Engine engine(model);
//   engine.harmonize_in_place(hu, {.slices = 40, .rows = 512, .columns = 512}, 0.65,
//                             {.progress = show, .stop = token});
//
// Images. float, row by row, slice by slice, in Hounsfield units (HU): [slices][rows][columns]
// without gaps. Distances are in millimetres.
//
// Ownership. Model and Engine own what they stand for: they can be moved, not copied. One that was
// moved from can only be assigned to or destroyed. What is returned as a view (std::string_view, or
// a Card, which is made of views) points into its object, and lives as long as that one does.
// Arguments are borrowed for the call.
//
// Errors. Whatever cannot be done throws rgan::Error: status() says of what kind it is, what() says
// to people what is wrong, which value, and what to do. A call that was stopped throws it too, with
// RGAN_CANCELLED, as it has no result. Nothing is reported in a second way. Apart from that,
// std::bad_alloc is thrown where the header itself needs memory, and what your progress function
// throws comes out as it is.
//
// Threads. A Model never changes, so any number of threads may use one. Any thread may use an
// Engine too; calls on one engine wait for each other. An object must not be moved or destroyed
// while another thread uses it.
//
// Names. All of it lies in namespace rgan, in an inline namespace that changes with
// RGAN_ABI_VERSION. So a program can be linked with librgan.a, which has names of its own in rgan.
//
// For research only: not a medical device, and not for diagnosis.
#ifndef RGAN_RGAN_HPP
#define RGAN_RGAN_HPP

#if __cplusplus < 202002L
#error "rgan.hpp needs C++20; rgan.h has all of it for C and for older C++"
#endif

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rgan/rgan.h"

namespace rgan {
inline namespace v0 {

// ---- Errors and versions --------------------------------------------------------------------

class Error : public std::runtime_error {
 public:
  Error(rgan_status status, const char* what) : std::runtime_error(what), status_(status) {}

  [[nodiscard]] rgan_status status() const noexcept { return status_; }

 private:
  rgan_status status_;
};

// The version of the library, such as "0.1.0". It lives for ever.
[[nodiscard]] inline std::string_view version() noexcept { return rgan_version(); }

namespace detail {

inline void check(rgan_status status) {
  if (status != RGAN_OK) throw Error(status, rgan_last_error());
}

// A text for C: NULL where it is empty. Views need not end with a null character, so it is copied.
class CText {
 public:
  explicit CText(std::string_view text) : text_(text) {}
  [[nodiscard]] const char* get() const noexcept { return text_.empty() ? nullptr : text_.c_str(); }

 private:
  std::string text_;
};

// Owns an object of the C interface.
template <auto release>
struct Release {
  template <typename Object>
  void operator()(Object* object) const noexcept {
    release(object);
  }
};

}  // namespace detail

// ---- Models ---------------------------------------------------------------------------------

// Pixel spacings in mm.
struct PixelSpacingRange {
  double min = 0;
  double max = 0;
  double reference = 0;
};

// What most programs want to know of a model. All else is in Model::card_json.
struct Card {
  int format = 0;  // 1, or 2: the model takes the pixel spacing into account
  std::string_view name;
  std::string_view version;
  std::string_view precision;                    // "fp32", "fp16" or "int8"
  std::vector<std::string_view> source_kernels;  // values of ConvolutionKernel (0018,1210)
  std::string_view target_kernel;
  double window_lower = 0;  // HU; pixels at or beyond the ends of the window do not change
  double window_upper = 0;
  std::optional<PixelSpacingRange> pixel_spacing;  // format 1 states none
};

// A model file that has passed all checks of docs/model-format.md.
class Model {
 public:
  // Open and check a model file.
  //
  // sha256: the expected hash of the file, 64 hexadecimal digits; empty takes any file.
  //
  // Throws Error: RGAN_NOT_FOUND, RGAN_MODEL_FORMAT, RGAN_OUT_OF_MEMORY.
  [[nodiscard]] static Model open(std::string_view path, std::string_view sha256 = {}) {
    rgan_model* model = nullptr;
    const std::string file(path);
    detail::check(rgan_model_open(file.c_str(), detail::CText(sha256).get(), &model));
    return Model(model);
  }

  // Check a model file that is in memory. The bytes are copied. Otherwise like open.
  [[nodiscard]] static Model from_memory(std::span<const std::byte> bytes,
                                         std::string_view sha256 = {}) {
    rgan_model* model = nullptr;
    const detail::CText hash(sha256);
    detail::check(rgan_model_open_memory(bytes.data(), bytes.size(), hash.get(), &model));
    return Model(model);
  }

  // What the model is for. Its texts live as long as the model does.
  [[nodiscard]] Card card() const {
    rgan_card card = RGAN_CARD_INIT;
    detail::check(rgan_model_card(get(), &card));
    std::optional<PixelSpacingRange> spacing;
    if (card.format > 1) {
      spacing = {card.pixel_spacing_min, card.pixel_spacing_max, card.pixel_spacing_reference};
    }
    return {.format = card.format,
            .name = card.name,
            .version = card.version,
            .precision = card.precision,
            .source_kernels = {card.source_kernels, card.source_kernels + card.source_kernel_count},
            .target_kernel = card.target_kernel,
            .window_lower = card.window_lower,
            .window_upper = card.window_upper,
            .pixel_spacing = spacing};
  }

  // The whole card as it is in the file, JSON in UTF-8.
  [[nodiscard]] std::string_view card_json() const noexcept { return rgan_model_card_json(get()); }

  // The SHA-256 of the file, 64 hexadecimal digits in lower case.
  [[nodiscard]] std::string_view sha256() const noexcept { return rgan_model_sha256(get()); }

  // The object of the C interface. It stays this one's.
  [[nodiscard]] const rgan_model* get() const noexcept { return model_.get(); }

 private:
  explicit Model(rgan_model* model) noexcept : model_(model) {}

  std::unique_ptr<rgan_model, detail::Release<rgan_model_release>> model_;
};

// ---- Engines --------------------------------------------------------------------------------

struct EngineOptions {
  std::string_view engine = "auto";     // or a name of rgan_engine_options; that never falls back
  std::string_view device = "auto";     // the same
  std::string_view precision = "auto";  // the same
  int threads = 0;                // that compute one slice; 0 is one for each core that may be used
  std::string_view runtime = "";  // path of the runtime's library; empty looks for it, as
                                  // rgan_engine_options says
};

// How many slices, and how large they are.
struct Shape {
  std::size_t slices = 0;
  std::size_t rows = 0;
  std::size_t columns = 0;
};

// Called after each slice, in the thread of the call. false stops: the call then throws Error,
// RGAN_CANCELLED. What it throws ends the call too, and comes out of it. It must not use the
// engine.
using Progress = std::function<bool(std::size_t done, std::size_t slices)>;

struct HarmonizeOptions {
  Progress progress = nullptr;
  std::stop_token stop = {};  // stopping makes the call throw Error, RGAN_CANCELLED
  bool any_spacing = false;   // take pixel spacings that the model is not made for, and models of
                              // format 1, which state none
};

namespace detail {

// Hands progress from C to a function that may throw.
class ProgressCall {
 public:
  explicit ProgressCall(const Progress& progress) : progress_(progress) {}

  static int step(std::size_t done, std::size_t slices, void* user) noexcept {
    auto& call = *static_cast<ProgressCall*>(user);
    try {
      return call.progress_(done, slices) ? 1 : 0;
    } catch (...) {
      call.thrown_ = std::current_exception();
      return 0;
    }
  }

  void rethrow() const {
    if (thrown_) std::rethrow_exception(thrown_);
  }

 private:
  const Progress& progress_;
  std::exception_ptr thrown_;
};

// Turns a std::stop_token into what the C interface takes, for as long as it lives.
class StopLink {
 public:
  explicit StopLink(const std::stop_token& token) {
    if (!token.stop_possible()) return;
    rgan_stop* stop = nullptr;
    check(rgan_stop_create(&stop));
    stop_.reset(stop);
    callback_.emplace(token, Request{stop});
  }

  [[nodiscard]] rgan_stop* get() const noexcept { return stop_.get(); }

 private:
  struct Request {
    rgan_stop* stop;
    void operator()() const noexcept { rgan_stop_request(stop); }
  };

  std::unique_ptr<rgan_stop, Release<rgan_stop_release>> stop_;
  std::optional<std::stop_callback<Request>> callback_;  // goes before what it calls
};

inline void check_size(std::size_t size, const Shape& shape) {
  const auto fits = [](std::size_t a, std::size_t b) {
    return b == 0 || a <= std::numeric_limits<std::size_t>::max() / b;
  };
  const bool is_right = fits(shape.rows, shape.columns) &&
                        fits(shape.rows * shape.columns, shape.slices) &&
                        size == shape.rows * shape.columns * shape.slices;
  if (!is_right) {
    throw Error(RGAN_INVALID_ARGUMENT, "an image has not slices * rows * columns pixels");
  }
}

}  // namespace detail

// A model that is ready to run. It keeps what it needs of the model, which may go first.
class Engine {
 public:
  // Load the runtime if no engine has, and get the model ready to run.
  //
  // Throws Error: RGAN_ENGINE_UNAVAILABLE if there is no runtime or it cannot run the model,
  // RGAN_ACCURACY if a named engine fails its self-test.
  explicit Engine(const Model& model, const EngineOptions& options = {}) {
    const detail::CText engine(options.engine);
    const detail::CText device(options.device);
    const detail::CText precision(options.precision);
    const detail::CText runtime(options.runtime);
    rgan_engine_options chosen = RGAN_ENGINE_OPTIONS_INIT;
    chosen.engine = engine.get();
    chosen.device = device.get();
    chosen.precision = precision.get();
    chosen.threads = options.threads;
    chosen.runtime = runtime.get();
    rgan_engine* created = nullptr;
    detail::check(rgan_engine_create(model.get(), &chosen, &created));
    engine_.reset(created);
  }

  // What runs the model and where, such as "onnxruntime 1.32.0 (cpu, fp32)".
  [[nodiscard]] std::string_view description() const noexcept {
    return rgan_engine_description(get());
  }

  // Harmonize a stack of slices.
  //
  // hu, out: [slices][rows][columns] in HU, all of them finite. out may be hu itself, but must not
  //     overlap with it otherwise. Rows and columns may be any number.
  // pixel_spacing: of all slices, in mm: a value of PixelSpacing (0028,0030).
  //
  // Each slice is computed by itself. On a CPU it gets the bits that rgan_sdk.Harmonizer gives it
  // in Python with the same runtime. If this throws, slices before the one at fault are harmonized
  // in out, and the others are unchanged.
  //
  // Throws Error: RGAN_INVALID_ARGUMENT if an image has not the size that shape says,
  // RGAN_OUTSIDE_DOMAIN, RGAN_INFERENCE, RGAN_OUT_OF_MEMORY, RGAN_CANCELLED.
  void harmonize(std::span<const float> hu, const Shape& shape, double pixel_spacing,
                 std::span<float> out, const HarmonizeOptions& options = {}) {
    detail::check_size(hu.size(), shape);
    detail::check_size(out.size(), shape);
    detail::ProgressCall call(options.progress);
    const detail::StopLink stop(options.stop);
    rgan_harmonize_options chosen = RGAN_HARMONIZE_OPTIONS_INIT;
    if (options.progress) {
      chosen.progress = detail::ProgressCall::step;
      chosen.user = &call;
    }
    chosen.stop = stop.get();
    chosen.any_spacing = options.any_spacing ? 1 : 0;
    const rgan_status status = rgan_harmonize(get(), hu.data(), shape.slices, shape.rows,
                                              shape.columns, pixel_spacing, out.data(), &chosen);
    call.rethrow();
    detail::check(status);
  }

  // The same, with the result in place of the image.
  void harmonize_in_place(std::span<float> hu, const Shape& shape, double pixel_spacing,
                          const HarmonizeOptions& options = {}) {
    harmonize(hu, shape, pixel_spacing, hu, options);
  }

  // The object of the C interface. It stays this one's.
  [[nodiscard]] rgan_engine* get() const noexcept { return engine_.get(); }

 private:
  std::unique_ptr<rgan_engine, detail::Release<rgan_engine_release>> engine_;
};

}  // namespace v0
}  // namespace rgan

#endif  // RGAN_RGAN_HPP
