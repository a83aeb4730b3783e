// rgan_sdk._core: files of CT slices, many at a time.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <tuple>
#include <type_traits>

#include "bindings.hpp"
#include "rgan/batch.hpp"
#include "rgan/scan.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

template <typename Value>
using Batch = nb::ndarray<Value, nb::numpy, nb::ndim<3>, nb::c_contig, nb::device::cpu>;

using StampFields = std::tuple<std::int64_t, std::int64_t, std::uint64_t>;
using Elements = std::vector<std::pair<std::uint32_t, nb::bytes>>;

std::optional<std::string> problem(const rgan::Verdict& verdict) {
  if (verdict) return std::nullopt;
  return rgan::describe(verdict);
}

std::string to_string(const nb::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }

std::vector<std::uint8_t> to_vector(const nb::bytes& bytes) {
  const auto* data = static_cast<const std::uint8_t*>(bytes.data());
  return {data, data + bytes.size()};
}

std::vector<rgan::EncodedElement> to_elements(const Elements& elements) {
  std::vector<rgan::EncodedElement> result;
  result.reserve(elements.size());
  for (const auto& [tag, bytes] : elements) result.push_back({tag, to_vector(bytes)});
  if (!std::ranges::is_sorted(result, {}, &rgan::EncodedElement::tag)) {
    throw nb::value_error("elements must be in the order of their tags");
  }
  return result;
}

std::vector<rgan::Head> scan(const std::vector<nb::bytes>& paths, rgan::ThreadPool& pool) {
  std::vector<std::string> names;
  names.reserve(paths.size());
  for (const nb::bytes& path : paths) names.push_back(to_string(path));
  const nb::gil_scoped_release release;
  return rgan::scan(names, pool);
}

std::vector<rgan::SourceSlice> read_batch(
    const std::vector<std::pair<nb::bytes, std::optional<StampFields>>>& files, Batch<float> out,
    rgan::ThreadPool& pool) {
  if (out.shape(0) < files.size()) throw nb::value_error("out has fewer slices than files");
  std::vector<rgan::ReadJob> jobs;
  jobs.reserve(files.size());
  for (const auto& [path, stamp] : files) {
    rgan::ReadJob job{to_string(path), {}};
    if (stamp) std::tie(job.stamp.size, job.stamp.modified_ns, job.stamp.inode) = *stamp;
    jobs.push_back(std::move(job));
  }
  const auto rows = static_cast<int>(out.shape(1));
  const auto columns = static_cast<int>(out.shape(2));
  const nb::gil_scoped_release release;
  return rgan::read_batch(jobs, rows, columns, out.data(), pool);
}

template <typename Value>
using Image = nb::ndarray<Value, nb::numpy, nb::ndim<2>, nb::c_contig, nb::device::cpu>;

template <typename Stored>
void complete(rgan::SourceSlice& slice, const Image<const Stored>& cells, Image<float> hu) {
  const rgan::PixelFormat& format = slice.header.format;
  const auto is_slice = [&](const auto& array) {
    return array.shape(0) == static_cast<std::size_t>(format.rows) &&
           array.shape(1) == static_cast<std::size_t>(format.columns);
  };
  const bool is_of_type = format.is_signed == std::is_signed_v<Stored> &&
                          format.bits_allocated == 8 * static_cast<int>(sizeof(Stored));
  if (!slice.is_encoded() || !is_slice(cells) || !is_slice(hu) || !is_of_type) {
    throw nb::value_error("the slice must be encoded, and the arrays of its size and format");
  }
  const nb::gil_scoped_release release;
  rgan::complete(slice, reinterpret_cast<const std::uint8_t*>(cells.data()), hu.data());
}

// Whether a slower writer may do better, or only has to say what is wrong.
bool is_handed_back(const rgan::Written& written) {
  const rgan::Problem problem = written.verdict.problem;
  return !written.verdict && problem != rgan::Problem::cannot_write &&
         problem != rgan::Problem::no_memory;
}

std::vector<rgan::Written> write_batch(
    const std::vector<const rgan::SourceSlice*>& sources, Batch<const float> hu,
    const rgan::SplicePlan& plan,
    const std::vector<std::tuple<nb::bytes, nb::bytes, Elements>>& files, bool durable,
    rgan::ThreadPool& pool) {
  if (sources.size() != files.size() || hu.shape(0) < files.size()) {
    throw nb::value_error("there must be one source and one slice of HU for each file");
  }
  for (const rgan::SourceSlice* source : sources) {
    const rgan::PixelFormat& format = source->header.format;
    if (!source->verdict || static_cast<std::size_t>(format.rows) != hu.shape(1) ||
        static_cast<std::size_t>(format.columns) != hu.shape(2)) {
      throw nb::value_error("each source must have been read, and have the shape of its HU");
    }
  }
  std::vector<rgan::WriteJob> jobs;
  jobs.reserve(files.size());
  for (const auto& [path, file_meta, elements] : files) {
    jobs.push_back({to_string(path), to_vector(file_meta), to_elements(elements)});
  }
  const nb::gil_scoped_release release;
  return rgan::write_batch(sources, hu.data(), plan, jobs, durable, pool);
}

std::vector<rgan::SplicePlan::Representation> to_representations(
    const std::vector<std::pair<std::uint32_t, std::string>>& named) {
  std::vector<rgan::SplicePlan::Representation> result;
  result.reserve(named.size());
  for (const auto& [tag, name] : named) {
    if (name.size() != 2) throw nb::value_error("a value representation has two letters");
    result.push_back({tag, rgan::vr({name[0], name[1], '\0'})});
  }
  return result;
}

void make_plan(rgan::SplicePlan* self, const rgan::SourceSlice& first, const Elements& elements,
               std::vector<std::uint32_t> removed, const std::vector<std::uint32_t>& read,
               const std::vector<std::pair<std::uint32_t, std::string>>& representations) {
  if (!first.verdict) throw nb::value_error("the first slice must have been read");
  rgan::SplicePlan plan;
  plan.elements = to_elements(elements);
  plan.removed = std::move(removed);
  plan.dependencies = rgan::find_dependencies(first.head, first.header, read);
  plan.representations = to_representations(representations);
  std::ranges::sort(plan.removed);
  std::ranges::sort(plan.representations, {}, &rgan::SplicePlan::Representation::tag);
  new (self) rgan::SplicePlan(std::move(plan));
}

template <auto Member>
auto header_field() {
  return [](const rgan::Head& head) { return head.header.*Member; };
}

void define_head(nb::module_& module) {
  using Header = rgan::SliceHeader;
  nb::class_<rgan::Head>(module, "Head", "What the head of a file says; see rgan/slice_header.hpp.")
      .def_prop_ro(
          "problem", [](const rgan::Head& head) { return problem(head.verdict); },
          "Why the file is handed back; None where the rest can be used.")
      .def_prop_ro(
          "stamp",
          [](const rgan::Head& head) {
            const rgan::Stamp& stamp = head.stamp;
            return StampFields{stamp.size, stamp.modified_ns, stamp.inode};
          },
          "Size, nanoseconds of the last change, and inode.")
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
      .def_prop_ro("pixel_spacing", header_field<&Header::pixel_spacing>())
      .def_prop_ro("slice_thickness", header_field<&Header::slice_thickness>())
      .def_prop_ro("orientation", header_field<&Header::orientation>())
      .def_prop_ro("position", header_field<&Header::position>())
      .def_prop_ro("rows", [](const rgan::Head& head) { return head.header.format.rows; })
      .def_prop_ro("columns", [](const rgan::Head& head) { return head.header.format.columns; });
}

template <typename Stored>
void define_complete(nb::class_<rgan::SourceSlice>& source) {
  source.def(
      "complete", &complete<Stored>, "cells"_a.noconvert(), "hu"_a.noconvert(),
      "Take the pixel cells [H, W] that an encoded frame was decoded to, and fill hu [H, W]\n"
      "float32. There may be a problem after it as before.");
}

void define_source(nb::module_& module) {
  nb::class_<rgan::SourceSlice> source(
      module, "SourceSlice", "A slice that was read, less its pixels; see rgan/batch.hpp.");
  source
      .def_prop_ro(
          "problem", [](const rgan::SourceSlice& slice) { return problem(slice.verdict); },
          "Why the file is handed back; None where its place in the batch is filled.")
      .def_prop_ro("is_encoded", &rgan::SourceSlice::is_encoded,
                   "Whether all is there but the pixels, whose frame takes a decoder.");
  define_complete<std::uint8_t>(source);
  define_complete<std::int8_t>(source);
  define_complete<std::uint16_t>(source);
  define_complete<std::int16_t>(source);
}

void define_written(nb::module_& module) {
  nb::class_<rgan::Written>(module, "Written", "What became of one file to be written.")
      .def_prop_ro(
          "problem", [](const rgan::Written& written) { return problem(written.verdict); },
          "Why the file was not written; None where it was.")
      .def_prop_ro("handed_back", &is_handed_back,
                   "Whether the slice itself is the reason, not the disk or the memory.")
      .def_ro("clips", &rgan::Written::clips, "Pixels that could not be stored as computed.");
}

}  // namespace

void define_dicom(nb::module_& module) {
  nb::class_<rgan::ThreadPool>(module, "ThreadPool", "Threads that share out a batch.")
      .def(nb::init<int>(), "threads"_a)
      .def_prop_ro("threads", &rgan::ThreadPool::threads);
  define_head(module);
  define_source(module);
  define_written(module);
  nb::class_<rgan::SplicePlan>(module, "SplicePlan",
                               "How the headers of a series become derived ones; see "
                               "rgan/splice.hpp.")
      .def(
          "__init__", &make_plan, "first"_a, "elements"_a, "removed"_a, "read"_a,
          "representations"_a,
          "Elements and tags are those of a data set in Explicit VR Little Endian; `read` are the\n"
          "tags that the elements depend on, and which every slice must share with the first.");
  module.def("scan", &scan, "paths"_a, "pool"_a, "Read the heads of files, in parallel.");
  module.def("read_batch", &read_batch, "files"_a, "out"_a.noconvert(), "pool"_a,
             "Fill out [N, H, W] float32 with the HU of files, each a path and the stamp that it "
             "must\nhave, or None. A file with a problem leaves its place undefined.");
  module.def("write_batch", &write_batch, "sources"_a, "hu"_a.noconvert(), "plan"_a, "files"_a,
             "durable"_a, "pool"_a,
             "Write the derived objects of sources with hu [N, H, W] float32; each file is a path,"
             "\nits file meta information and its own elements.");
}
