// rgan_sdk._core: the headers of files are read, and slices that have one in common are found.

#include <nanobind/nanobind.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "convert.hpp"
#include "rgan/scan.hpp"
#include "rgan/splice.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using rgan_python::describe_problem;
using rgan_python::Elements;
using rgan_python::StampFields;
using rgan_python::to_paths;

namespace {

std::vector<rgan::Head> scan(const std::vector<nb::bytes>& paths, rgan::ThreadPool& pool,
                             std::vector<std::uint32_t> tags) {
  const std::vector<std::string> names = to_paths(paths);
  const nb::gil_scoped_release release;
  std::ranges::sort(tags);
  return rgan::scan(names, pool, tags);
}

// Return (tag, value) of those top-level elements of a head that have one of the tags.
Elements find_values(const rgan::Head& head, std::vector<std::uint32_t> tags) {
  if (!head.status) throw nb::value_error("a head with a problem has no values");
  Elements result;
  for (const auto& [tag, value] :
       rgan::find_dependencies(head.bytes, head.header, std::move(tags))) {
    if (value) result.emplace_back(tag, nb::bytes(value->data(), value->size()));
  }
  return result;
}

// Where a slice lies, and which file it is.
struct Place {
  std::array<double, 3> position;  // mm
  std::int64_t size;
  std::int64_t modified_ns;
  std::uint64_t inode;
};
static_assert(sizeof(Place) == 48);

Place place_of(const rgan::Head& head) {
  return {.position = head.header.position,
          .size = head.stamp.size,
          .modified_ns = head.stamp.modified_ns,
          .inode = head.stamp.inode};
}

// Numbers with points between them, at least two (PS3.5 9.1).
bool is_uid(std::string_view uid) {
  constexpr std::size_t kLongest = 64;
  if (uid.size() > kLongest) return false;
  bool has_point = false;
  char before = '.';
  for (const char character : uid) {
    if (character == '.') {
      if (before == '.') return false;
      has_point = true;
    } else if (character < '0' || character > '9') {
      return false;
    }
    before = character;
  }
  return has_point && before != '.';
}

using Heads = nb::typed<nb::list, rgan::Head>;

// How many heads in a row are alike and have valid UIDs; with their places and UIDs. A head without
// a valid UID is alone, and has neither.
using Run = std::tuple<std::size_t, nb::bytes, nb::typed<nb::list, nb::str>>;

Run take_run(const Heads& heads, std::size_t start) {
  const auto head_at = [&](std::size_t i) -> const rgan::Head& {
    return nb::cast<const rgan::Head&>(heads[i]);
  };
  const std::string& common = head_at(start).common;
  std::vector<Place> places;
  nb::typed<nb::list, nb::str> uids;
  for (std::size_t i = start; i < heads.size(); ++i) {
    const rgan::Head& head = head_at(i);
    const std::string_view uid = head.header.sop_instance_uid;
    if (head.common != common || !is_uid(uid)) break;
    places.push_back(place_of(head));
    uids.append(nb::str(uid.data(), uid.size()));
  }
  const std::size_t count = std::max(places.size(), std::size_t{1});
  return {count, nb::bytes(places.data(), places.size() * sizeof(Place)), std::move(uids)};
}

std::vector<Run> split_alike(const Heads& heads) {
  std::vector<Run> runs;
  for (std::size_t start = 0; start < heads.size(); start += std::get<0>(runs.back())) {
    runs.push_back(take_run(heads, start));
  }
  return runs;
}

template <auto Member>
auto header_field() {
  return [](const rgan::Head& head) { return head.header.*Member; };
}

void define_head(const nb::module_& module) {
  using Header = rgan::SliceHeader;
  nb::class_<rgan::Head>(module, "Head", "The header of one file; see rgan/slice_header.hpp.")
      .def_prop_ro(
          "problem", [](const rgan::Head& head) { return describe_problem(head.status); },
          "Why the file is left to pydicom, or None. If there is a problem, only stamp can be "
          "used.")
      .def_prop_ro(
          "stamp",
          [](const rgan::Head& head) {
            const rgan::Stamp& stamp = head.stamp;
            return StampFields{stamp.size, stamp.modified_ns, stamp.inode};
          },
          "The file's size in bytes, time of its last change in ns since 1970, and inode.")
      .def_prop_ro(
          "common",
          [](const rgan::Head& head) { return nb::bytes(head.common.data(), head.common.size()); },
          "Equal for two slices whose headers agree in all but sop_instance_uid and position, and\n"
          "in the elements with the tags that scan was given. Empty if there is a problem.")
      .def_prop_ro("sop_class_uid", header_field<&Header::sop_class_uid>())
      .def_prop_ro("sop_instance_uid", header_field<&Header::sop_instance_uid>())
      .def_prop_ro("study_instance_uid", header_field<&Header::study_instance_uid>())
      .def_prop_ro("series_instance_uid", header_field<&Header::series_instance_uid>())
      .def_prop_ro("frame_of_reference_uid", header_field<&Header::frame_of_reference_uid>())
      .def_prop_ro("patient_id", header_field<&Header::patient_id>())
      .def_prop_ro("modality", header_field<&Header::modality>())
      .def_prop_ro("image_type", header_field<&Header::image_type>())
      .def_prop_ro("photometric_interpretation",
                   header_field<&Header::photometric_interpretation>())
      .def_prop_ro("manufacturer", header_field<&Header::manufacturer>())
      .def_prop_ro("convolution_kernel", header_field<&Header::convolution_kernel>())
      .def_prop_ro("rescale_type", header_field<&Header::rescale_type>())
      .def_prop_ro("pixel_spacing", header_field<&Header::pixel_spacing>())
      .def_prop_ro("slice_thickness", header_field<&Header::slice_thickness>())
      .def_prop_ro("orientation", header_field<&Header::orientation>())
      .def_prop_ro("position", header_field<&Header::position>())
      .def(
          "values", &find_values, "tags"_a,
          "Return (tag, value as the file has it) of the elements with these tags that are there,\n"
          "at the top level and before the pixel data.")
      .def_prop_ro("rows", [](const rgan::Head& head) { return head.header.format.rows; })
      .def_prop_ro("columns", [](const rgan::Head& head) { return head.header.format.columns; });
}

}  // namespace

void define_heads(nb::module_& module) {
  define_head(module);
  module.def("scan", &scan, "paths"_a, "pool"_a, "tags"_a = std::vector<std::uint32_t>{},
             "Read the headers of files in parallel; for tags see Head.common.");
  module.def(
      "split_alike", &split_alike, "heads"_a,
      "Split heads where common changes, and around each whose sop_instance_uid is not valid\n"
      "(PS3.5 9.1).\n\n"
      "Return of each part how many heads it has, their places, packed as three float64 for\n"
      "the position, two int64 and one uint64 for the stamp, and each sop_instance_uid.\n"
      "A head without a valid UID is alone; there are no places and UIDs then.");
}
