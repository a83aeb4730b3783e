// rgan_sdk._core: the native core for Python. This part converts arrays in memory.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <cstdint>
#include <exception>
#include <limits>
#include <new>
#include <system_error>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "rgan/rescale.hpp"

namespace nb = nanobind;

namespace {

template <typename Left, typename Right>
void require_same_shape(const Left& left, const Right& right) {
  if (left.shape(0) != right.shape(0) || left.shape(1) != right.shape(1)) {
    throw nb::value_error("both arrays must have the same shape");
  }
}

rgan::Rescale make_rescale(double slope, double intercept) {
  if (!std::isfinite(slope) || slope == 0.0 || !std::isfinite(intercept)) {
    throw nb::value_error("the slope must be finite and not zero, the intercept finite");
  }
  return {.slope = slope, .intercept = intercept};
}

template <typename Stored>
void stored_to_hu(const Slice<const Stored>& stored, double slope, double intercept,
                  const Slice<float>& out) {
  require_same_shape(stored, out);
  const rgan::Rescale rescale = make_rescale(slope, intercept);
  const nb::gil_scoped_release release;
  rgan::stored_to_hu(stored.data(), stored.size(), rescale, out.data());
}

template <typename Stored>
std::size_t hu_to_stored(const Slice<const float>& hu, double slope, double intercept,
                         std::int64_t minimum, std::int64_t maximum, const Slice<Stored>& out) {
  require_same_shape(hu, out);
  const rgan::Rescale rescale = make_rescale(slope, intercept);
  if (minimum > maximum || minimum < std::numeric_limits<Stored>::min() ||
      maximum > std::numeric_limits<Stored>::max()) {
    throw nb::value_error("minimum and maximum must be in order and fit the type of out");
  }
  const rgan::StoredRange range{.minimum = static_cast<double>(minimum),
                                .maximum = static_cast<double>(maximum)};
  const nb::gil_scoped_release release;
  return rgan::hu_to_stored(hu.data(), hu.size(), rescale, range, out.data());
}

std::vector<std::pair<float, float>> extremes(const Stack<const float>& hu) {
  std::vector<std::pair<float, float>> result(hu.shape(0));
  const std::size_t size = hu.shape(1) * hu.shape(2);
  const nb::gil_scoped_release release;
  for (std::size_t i = 0; i < result.size(); ++i) {
    const rgan::Extremes found = rgan::find_extremes(hu.data() + (i * size), size);
    result[i] = {found.lowest, found.highest};
  }
  return result;
}

// Raise the error of ours, `kind`, where the system has no memory or no thread left. All else is
// nanobind's to translate.
void translate(const std::exception_ptr& caught, void* kind) {
  auto* error = static_cast<PyObject*>(kind);
  try {
    std::rethrow_exception(caught);
  } catch (const std::bad_alloc&) {
    PyErr_SetString(error, "the system has not enough memory");
  } catch (const std::system_error& problem) {
    PyErr_SetString(error, problem.what());
  }
}

template <typename Stored>
void define(nb::module_& module) {
  module.def("stored_to_hu", &stored_to_hu<Stored>, nb::arg("stored").noconvert(), nb::arg("slope"),
             nb::arg("intercept"), nb::arg("out").noconvert(),
             "Fill out [H, W] float32 with float32(double(stored) * slope + intercept).");
  module.def(
      "hu_to_stored", &hu_to_stored<Stored>, nb::arg("hu").noconvert(), nb::arg("slope"),
      nb::arg("intercept"), nb::arg("minimum"), nb::arg("maximum"), nb::arg("out").noconvert(),
      "Fill out [H, W] with the stored values of hu [H, W] float32, rounded half to even and\n"
      "clamped to [minimum, maximum]. Return how many values were clamped.");
}

}  // namespace

NB_MODULE(_core, module) {
  module.doc() = "Native core of rgan_sdk. What works on files or pixels releases the GIL.";
  nb::set_leak_warnings(false);  // an interrupt may leave objects alive
  nb::object kind = nb::module_::import_("rgan_sdk.errors").attr("ResourceError");
  nb::register_exception_translator(translate, kind.release().ptr());  // kept for ever
  define<std::uint8_t>(module);
  define<std::int8_t>(module);
  define<std::uint16_t>(module);
  define<std::int16_t>(module);
  module.def("extremes", &extremes, nb::arg("hu").noconvert(),
             "Return the smallest and the largest value of each slice of hu [N, H, W] float32.\n"
             "Both are NaN if a value of the slice is not finite.");
  define_dicom(module);
  define_heads(module);
  define_model(module);
}
