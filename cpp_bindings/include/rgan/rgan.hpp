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
// moved from can only be assigned to or destroyed; the same is true of Headers and Batch. What is
// returned as a view (std::string_view, or a structure of texts) points into its object, and lives
// as long as that one does. Arguments are borrowed for the call.
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
#include <mutex>
#include <optional>
#include <span>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rgan/rgan.h"

namespace rgan::inline v0 {

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

// C would cut a text at a null character, and so open another file.
inline void require_whole_in_c(std::string_view text) {
  if (text.find('\0') == std::string_view::npos) return;
  throw Error(RGAN_INVALID_ARGUMENT, "a path or another text holds a null character");
}

// A text for C: NULL where it is empty. Views need not end with a null character, so it is copied.
class CText {
 public:
  explicit CText(std::string_view text) : text_(text) { require_whole_in_c(text_); }
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

// ---- Log ------------------------------------------------------------------------------------

// Called with one line of text for people, without a line break at its end. Any thread may call it,
// and several may at once. It must not use this library, nor wait for a thread that may be in it.
// What it throws is dropped.
using Log = std::function<void(rgan_log_level level, std::string_view text)>;

namespace detail {

// NOLINTNEXTLINE(misc-const-correctness): the type of a rgan_log
inline void forward_log(rgan_log_level level, const char* text, void* user) noexcept {
  try {
    (*static_cast<const Log*>(user))(level, text);
  } catch (...) {  // NOLINT(bugprone-empty-catch): a log has nobody to tell
  }
}

}  // namespace detail

// Say where messages go, for the whole process. Until then, nothing is logged.
//
// log: an empty one turns it off.
// least: messages below this level are dropped.
//
// Any thread may call this at any time. When it returns, the log that was set before is not being
// called, and won't be any more.
inline void set_log(Log log, rgan_log_level least = RGAN_LOG_INFO) {
  static std::mutex mutex;
  static Log* current = nullptr;  // not deleted at exit: threads may still log then
  auto next = log ? std::make_unique<Log>(std::move(log)) : nullptr;
  const std::scoped_lock lock(mutex);
  rgan_set_log(next ? detail::forward_log : nullptr, next.get(), least);
  const std::unique_ptr<Log> earlier(std::exchange(current, next.release()));
}

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
    detail::require_whole_in_c(file);
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
  [[nodiscard]] Card card() const& {
    rgan_card card = RGAN_CARD_INIT;
    detail::check(rgan_model_card(get(), &card));
    std::optional<PixelSpacingRange> spacing;
    if (card.format > 1) {
      spacing = {.min = card.pixel_spacing_min,
                 .max = card.pixel_spacing_max,
                 .reference = card.pixel_spacing_reference};
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
  [[nodiscard]] std::string_view card_json() const& noexcept { return rgan_model_card_json(get()); }

  // The SHA-256 of the file, 64 hexadecimal digits in lower case.
  [[nodiscard]] std::string_view sha256() const& noexcept { return rgan_model_sha256(get()); }

  // Views of a temporary would end with it.
  [[nodiscard]] Card card() const&& = delete;
  [[nodiscard]] std::string_view card_json() const&& = delete;
  [[nodiscard]] std::string_view sha256() const&& = delete;

  // The object of the C interface. It stays this one's.
  [[nodiscard]] const rgan_model* get() const noexcept { return model_.get(); }

 private:
  explicit Model(rgan_model* model) noexcept : model_(model) {}

  std::unique_ptr<rgan_model, detail::Release<rgan_model_release>> model_;
};

// ---- Engines --------------------------------------------------------------------------------

// Members of options have initializers, as GCC warns where a designated one leaves out others.
// NOLINTBEGIN(readability-redundant-*)
struct EngineOptions {
  std::string_view engine = "auto";     // or a name of rgan_engine_options; that never falls back
  std::string_view device = "auto";     // the same
  std::string_view precision = "auto";  // the same
  int threads = 0;  // that compute one slice on a CPU, at most 1024; 0 is one for each usable core
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
// NOLINTEND(readability-redundant-*)

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

// Call a function of the C interface with options, and throw what it or progress says.
template <typename Call>
void call_with(const HarmonizeOptions& options, const Call& call) {
  ProgressCall progress(options.progress);
  const StopLink stop(options.stop);
  rgan_harmonize_options chosen = RGAN_HARMONIZE_OPTIONS_INIT;
  if (options.progress) {
    chosen.progress = ProgressCall::step;
    chosen.user = &progress;
  }
  chosen.stop = stop.get();
  chosen.any_spacing = options.any_spacing ? 1 : 0;
  const rgan_status status = call(chosen);
  progress.rethrow();
  check(status);
}

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

// ---- Harmonize ------------------------------------------------------------------------------

// A closed range of stored values that stand for no image.
struct Padding {
  std::int32_t value = 0;  // PixelPaddingValue (0028,0120), as a number of the type
  std::int32_t limit = 0;  // PixelPaddingRangeLimit (0028,0121); the value again if it is absent
};

// What the stored values of a slice mean: HU = stored * slope + intercept.
struct StoredFormat {
  double slope = 0;      // RescaleSlope (0028,1053): give it, 0 is refused
  double intercept = 0;  // RescaleIntercept (0028,1052)
  int bits_stored = 16;  // BitsStored (0028,0101), 1 to 16
  std::optional<Padding> padding = std::nullopt;
};

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
  [[nodiscard]] std::string_view description() const& noexcept {
    return rgan_engine_description(engine_.get());
  }

  // It would end with a temporary.
  [[nodiscard]] std::string_view description() const&& = delete;

  // Harmonize a stack of slices.
  //
  // hu, out: [slices][rows][columns] in HU, all of them finite. out may be hu itself, but must not
  //     overlap with it otherwise. Rows and columns may be any number. Padding must be -3024 HU in
  //     hu, and is so in out.
  // pixel_spacing: of all slices, in mm: the mean of both values of PixelSpacing (0028,0030).
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
    detail::call_with(options, [&](const rgan_harmonize_options& chosen) {
      return rgan_harmonize(get(), hu.data(), shape.slices, shape.rows, shape.columns,
                            pixel_spacing, out.data(), &chosen);
    });
  }

  // The same, with the result in place of the image.
  void harmonize_in_place(std::span<float> hu, const Shape& shape, double pixel_spacing,
                          const HarmonizeOptions& options = {}) {
    harmonize(hu, shape, pixel_spacing, hu, options);
  }

  // Harmonize a stack of slices of stored values, 16 bits for each pixel.
  //
  // stored, out: [slices][rows][columns], both of std::int16_t or of std::uint16_t. out may be
  // stored
  //     itself, but must not overlap with it otherwise.
  // format: of all slices.
  //
  // rgan_harmonize_stored says how values are rounded and clipped, and that padding stays as it is.
  // All else is as for harmonize.
  //
  // Returns the number of pixels that could not be stored as computed.
  std::size_t harmonize_stored(std::span<const std::int16_t> stored, const Shape& shape,
                               const StoredFormat& format, double pixel_spacing,
                               std::span<std::int16_t> out, const HarmonizeOptions& options = {}) {
    return harmonize_type(RGAN_INT16, stored, shape, format, pixel_spacing, out, options);
  }
  std::size_t harmonize_stored(std::span<const std::uint16_t> stored, const Shape& shape,
                               const StoredFormat& format, double pixel_spacing,
                               std::span<std::uint16_t> out, const HarmonizeOptions& options = {}) {
    return harmonize_type(RGAN_UINT16, stored, shape, format, pixel_spacing, out, options);
  }

  // The object of the C interface. It stays this one's.
  [[nodiscard]] rgan_engine* get() noexcept { return engine_.get(); }

 private:
  template <typename T>
  std::size_t harmonize_type(rgan_stored_type type, std::span<const T> stored, const Shape& shape,
                             const StoredFormat& format, double pixel_spacing, std::span<T> out,
                             const HarmonizeOptions& options) {
    detail::check_size(stored.size(), shape);
    detail::check_size(out.size(), shape);
    const Padding padding = format.padding.value_or(Padding{});
    const rgan_stored_format chosen_format{.size = sizeof(rgan_stored_format),
                                           .type = type,
                                           .bits_stored = format.bits_stored,
                                           .slope = format.slope,
                                           .intercept = format.intercept,
                                           .has_padding = format.padding ? 1 : 0,
                                           .padding_value = padding.value,
                                           .padding_limit = padding.limit,
                                           .reserved = 0};
    std::size_t clips = 0;
    detail::call_with(options, [&](const rgan_harmonize_options& chosen) {
      return rgan_harmonize_stored(get(), stored.data(), shape.slices, shape.rows, shape.columns,
                                   &chosen_format, pixel_spacing, out.data(), &clips, &chosen);
    });
    return clips;
  }

  std::unique_ptr<rgan_engine, detail::Release<rgan_engine_release>> engine_;
};

// ---- DICOM files ----------------------------------------------------------------------------

// For programs that have no DICOM reader of their own: rgan.h says which files are read.

namespace detail {

inline std::vector<const char*> c_texts(std::span<const std::string> texts) {
  std::vector<const char*> pointers;
  pointers.reserve(texts.size());
  for (const std::string& text : texts) {
    require_whole_in_c(text);
    pointers.push_back(text.c_str());
  }
  return pointers;
}

}  // namespace detail

// The headers of some files. They never change.
class Headers {
 public:
  // Read the headers of files, as a rule with one short read for each. A file that cannot be read
  // does not stop the others: get throws for it.
  //
  // threads: that read, at most 1024; 0 is one for each core that may be used.
  [[nodiscard]] static Headers scan(std::span<const std::string> paths, int threads = 0) {
    rgan_headers* headers = nullptr;
    const auto texts = detail::c_texts(paths);
    detail::check(rgan_scan(texts.data(), texts.size(), threads, &headers));
    return {headers, paths.size()};
  }

  // The number of files.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  // The header of the file at paths[index]. Its texts live as long as this object.
  //
  // Throws Error: RGAN_NOT_FOUND, RGAN_SLICE_FORMAT or RGAN_OUT_OF_MEMORY if the file could not be
  // read.
  [[nodiscard]] rgan_slice_header get(std::size_t index) const& {
    rgan_slice_header header = RGAN_SLICE_HEADER_INIT;
    detail::check(rgan_headers_get(headers_.get(), index, &header));
    return header;
  }
  // Its texts would end with a temporary.
  [[nodiscard]] rgan_slice_header get(std::size_t index) const&& = delete;

 private:
  Headers(rgan_headers* headers, std::size_t size) noexcept : headers_(headers), size_(size) {}

  std::unique_ptr<rgan_headers, detail::Release<rgan_headers_release>> headers_;
  std::size_t size_;
};

// What became of the files of a batch. It never changes.
class Batch {
 public:
  // Read the pixels of files. A file that cannot be read does not stop the others: check throws for
  // it, and its slice is filled with NaN, which Engine::harmonize refuses.
  //
  // shape: as many slices as there are paths; rows and columns are those of every file.
  // hu: [slices][rows][columns], filled with HU; padding is -3024 HU, as Engine::harmonize needs
  // it. stamps: of the files, from their headers: a file with another stamp is not read. Empty
  // takes any. threads: as for Headers::scan.
  [[nodiscard]] static Batch read(std::span<const std::string> paths, const Shape& shape,
                                  std::span<float> hu, std::span<const rgan_stamp> stamps = {},
                                  int threads = 0) {
    detail::check_size(hu.size(), shape);
    constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max();
    const bool is_right = paths.size() == shape.slices && shape.rows <= kMost &&
                          shape.columns <= kMost &&
                          (stamps.empty() || stamps.size() == paths.size());
    if (!is_right) throw Error(RGAN_INVALID_ARGUMENT, "paths, stamps and shape do not agree");
    rgan_batch* batch = nullptr;
    const auto texts = detail::c_texts(paths);
    detail::check(rgan_read_batch(texts.data(), stamps.empty() ? nullptr : stamps.data(),
                                  texts.size(), static_cast<std::int32_t>(shape.rows),
                                  static_cast<std::int32_t>(shape.columns), hu.data(), threads,
                                  &batch));
    return Batch(batch);
  }

  // Throw Error if the file at paths[index] could not be read, as Headers::get does.
  void check(std::size_t index) const { detail::check(rgan_batch_status(batch_.get(), index)); }

 private:
  explicit Batch(rgan_batch* batch) noexcept : batch_(batch) {}

  std::unique_ptr<rgan_batch, detail::Release<rgan_batch_release>> batch_;
};

}  // namespace rgan::inline v0

#endif  // RGAN_RGAN_HPP
