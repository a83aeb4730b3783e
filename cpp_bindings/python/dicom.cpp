// rgan_sdk._core: files of CT slices are read and written, many at a time.

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "bindings.hpp"
#include "convert.hpp"
#include "rgan/batch.hpp"
#include "rgan/checksum.hpp"
#include "rgan/crc32c.hpp"
#include "rgan/pixels.hpp"
#include "rgan/splice.hpp"

namespace nb = nanobind;
using namespace nb::literals;
using rgan_python::describe_problem;
using rgan_python::Elements;
using rgan_python::StampFields;
using rgan_python::to_path;
using rgan_python::to_paths;

namespace {

std::vector<std::uint8_t> to_vector(const nb::bytes& bytes) {
  const auto* data = static_cast<const std::uint8_t*>(bytes.data());
  return {data, data + bytes.size()};
}

std::vector<rgan::EncodedElement> to_elements(const Elements& elements) {
  std::vector<rgan::EncodedElement> result;
  result.reserve(elements.size());
  for (const auto& [tag, bytes] : elements)
    result.push_back({.tag = tag, .bytes = to_vector(bytes)});
  if (!std::ranges::is_sorted(result, {}, &rgan::EncodedElement::tag)) {
    throw nb::value_error("elements must be in the order of their tags");
  }
  return result;
}

std::uint32_t crc32c(const nb::bytes& content) {
  const rgan::Bytes bytes{static_cast<const std::uint8_t*>(content.data()), content.size()};
  const nb::gil_scoped_release release;
  return rgan::crc32c(bytes);
}

std::vector<std::pair<std::optional<std::string>, std::uint32_t>> checksum_files(
    const std::vector<nb::bytes>& paths, rgan::ThreadPool& pool) {
  const std::vector<std::string> names = to_paths(paths);
  std::vector<std::pair<std::optional<std::string>, std::uint32_t>> result;
  const nb::gil_scoped_release release;
  for (const rgan::FileChecksum& one : rgan::checksum_files(names, pool)) {
    result.emplace_back(describe_problem(one.status), one.crc32c);
  }
  return result;
}

std::vector<rgan::SourceSlice> read_batch(
    const std::vector<std::pair<nb::bytes, std::optional<StampFields>>>& files,
    const Stack<float>& out, rgan::ThreadPool& pool) {
  if (out.shape(0) < files.size()) throw nb::value_error("out has fewer slices than files");
  std::vector<rgan::ReadJob> jobs;
  jobs.reserve(files.size());
  for (const auto& [path, stamp] : files) {
    rgan::ReadJob job{.path = to_path(path), .stamp = {}};
    if (stamp) std::tie(job.stamp.size, job.stamp.modified_ns, job.stamp.inode) = *stamp;
    jobs.push_back(std::move(job));
  }
  const auto rows = static_cast<int>(out.shape(1));
  const auto columns = static_cast<int>(out.shape(2));
  const nb::gil_scoped_release release;
  return rgan::read_batch(jobs, rows, columns, out.data(), pool);
}

template <typename Stored>
void complete(rgan::SourceSlice& slice, const Slice<const Stored>& cells, const Slice<float>& hu) {
  const rgan::PixelFormat& format = slice.header.format;
  const auto has_size = [&](const auto& array) {
    return array.shape(0) == static_cast<std::size_t>(format.rows) &&
           array.shape(1) == static_cast<std::size_t>(format.columns);
  };
  const bool has_cell_type = format.is_signed == std::is_signed_v<Stored> &&
                             format.bits_allocated == 8 * static_cast<int>(sizeof(Stored));
  if (!slice.is_encoded() || !has_size(cells) || !has_size(hu) || !has_cell_type) {
    throw nb::value_error(
        "the slice must be encoded, and the arrays must have its size and format");
  }
  const nb::gil_scoped_release release;
  rgan::complete_slice(slice, reinterpret_cast<const std::uint8_t*>(cells.data()), hu.data());
}

void fill_padding(const rgan::SourceSlice& slice, const Slice<float>& hu, float value) {
  const rgan::PixelFormat& format = slice.header.format;
  if (!slice.status || hu.shape(0) != static_cast<std::size_t>(format.rows) ||
      hu.shape(1) != static_cast<std::size_t>(format.columns)) {
    throw nb::value_error("the slice must have no problem, and hu must have its size");
  }
  const nb::gil_scoped_release release;
  rgan::fill_padding(slice.header, slice.stored, value, hu.data());
}

// Whether the slice is the reason. Then the writer that goes through pydicom may do better.
bool is_handed_back(const rgan::WriteResult& result) {
  const rgan::Problem problem = result.status.problem;
  return !result.status && problem != rgan::Problem::cannot_write &&
         problem != rgan::Problem::no_memory;
}

using Sources = nb::typed<nb::sequence, rgan::SourceSlice>;

std::vector<rgan::WriteResult> write_batch(
    const Sources& given, const Stack<const float>& hu, const rgan::HeaderTemplate& header_template,
    const std::vector<std::tuple<nb::bytes, nb::bytes, Elements>>& files, bool durable,
    rgan::ThreadPool& pool) {
  const nb::tuple kept(given);  // while others have the GIL, a list may lose what is in it
  std::vector<const rgan::SourceSlice*> sources;
  if (!nb::try_cast(kept, sources)) throw nb::type_error("each source must be a SourceSlice");
  if (sources.size() != files.size() || hu.shape(0) < files.size()) {
    throw nb::value_error("there must be one source and one slice of HU for each file");
  }
  for (const rgan::SourceSlice* source : sources) {
    if (source == nullptr) throw nb::type_error("a source must not be None");
    const rgan::PixelFormat& format = source->header.format;
    if (!source->status || static_cast<std::size_t>(format.rows) != hu.shape(1) ||
        static_cast<std::size_t>(format.columns) != hu.shape(2)) {
      throw nb::value_error("each source must have been read, and have the shape of its HU");
    }
  }
  std::vector<rgan::WriteJob> jobs;
  jobs.reserve(files.size());
  for (const auto& [path, file_meta, elements] : files) {
    jobs.push_back({.path = to_path(path),
                    .file_meta = to_vector(file_meta),
                    .elements = to_elements(elements)});
  }
  const nb::gil_scoped_release release;
  return rgan::write_batch(sources, hu.data(), header_template, jobs, durable, pool);
}

std::vector<rgan::HeaderTemplate::Representation> to_representations(
    const std::vector<std::pair<std::uint32_t, std::string>>& named) {
  std::vector<rgan::HeaderTemplate::Representation> result;
  result.reserve(named.size());
  for (const auto& [tag, name] : named) {
    if (name.size() != 2) throw nb::value_error("a value representation must have two letters");
    result.push_back({.tag = tag, .vr = rgan::vr(name)});
  }
  return result;
}

void make_template(rgan::HeaderTemplate* self, const rgan::SourceSlice& first,
                   const Elements& elements, std::vector<std::uint32_t> removed,
                   std::vector<std::uint32_t> dependencies,
                   const std::vector<std::pair<std::uint32_t, std::string>>& representations) {
  if (!first.status) throw nb::value_error("the first slice must have been read");
  rgan::HeaderTemplate header_template;
  header_template.elements = to_elements(elements);
  header_template.removed = std::move(removed);
  header_template.dependencies =
      rgan::find_dependencies(first.head, first.header, std::move(dependencies));
  header_template.representations = to_representations(representations);
  std::ranges::sort(header_template.removed);
  std::ranges::sort(header_template.representations, {},
                    &rgan::HeaderTemplate::Representation::tag);
  new (self) rgan::HeaderTemplate(std::move(header_template));
}

template <typename Stored>
void define_complete(nb::class_<rgan::SourceSlice>& source) {
  source.def(
      "complete", &complete<Stored>, "cells"_a.noconvert(), "hu"_a.noconvert(),
      "Take the pixel cells [H, W] that an encoded frame was decoded to, and fill hu [H, W]\n"
      "float32. Afterwards, problem says whether that worked.");
}

void define_source(const nb::module_& module) {
  nb::class_<rgan::SourceSlice> source(
      module, "SourceSlice", "A slice that was read, without its pixels; see rgan/batch.hpp.");
  source
      .def_prop_ro(
          "problem", [](const rgan::SourceSlice& slice) { return describe_problem(slice.status); },
          "Why the file is left to pydicom, or None if the slice's place in the batch is filled.")
      .def_prop_ro("is_encoded", &rgan::SourceSlice::is_encoded,
                   "Whether everything was read but the pixels, because the frame needs a decoder.")
      .def("fill_padding", &fill_padding, "hu"_a.noconvert(), "value"_a,
           "Set the pixels of hu [H, W] float32 that the file declares as padding to a value.");
  define_complete<std::uint8_t>(source);
  define_complete<std::int8_t>(source);
  define_complete<std::uint16_t>(source);
  define_complete<std::int16_t>(source);
}

void define_write_result(const nb::module_& module) {
  nb::class_<rgan::WriteResult>(module, "WriteResult",
                                "What became of one file that was to be written.")
      .def_prop_ro(
          "problem",
          [](const rgan::WriteResult& result) { return describe_problem(result.status); },
          "Why the file was not written, or None if it was.")
      .def_prop_ro(
          "handed_back", &is_handed_back,
          "Whether the slice is the reason, and not the disk or the memory: pydicom may write it.")
      .def_ro("clips", &rgan::WriteResult::clips,
              "How many pixels could not be stored as computed.")
      .def_ro("size", &rgan::WriteResult::size, "Bytes of the file.")
      .def_ro("crc32c", &rgan::WriteResult::crc32c,
              "CRC-32C of the file, made before it was written.");
}

void define_header_template(const nb::module_& module) {
  nb::class_<rgan::HeaderTemplate>(
      module, "HeaderTemplate",
      "What all derived headers of a series have in common; see rgan/splice.hpp.")
      .def("__init__", &make_template, "first"_a, "elements"_a, "removed"_a, "dependencies"_a,
           "representations"_a,
           "Elements are (tag, element in Explicit VR Little Endian), in the order of their tags;\n"
           "they are added to each slice, or replace its own, and removed tags are dropped. The\n"
           "elements depend on the tags in dependencies: each slice must have the same values "
           "there\n"
           "as first. Representations are (tag, VR) of a source in implicit VR.");
}

}  // namespace

void define_dicom(nb::module_& module) {
  nb::class_<rgan::ThreadPool>(
      module, "ThreadPool",
      "Threads that share the work of a call. Calls from several threads wait for each other.")
      .def(nb::init<int>(), "threads"_a)
      .def_prop_ro("threads", &rgan::ThreadPool::threads);
  define_source(module);
  define_write_result(module);
  define_header_template(module);
  module.def("crc32c", &crc32c, "content"_a, "Return the CRC-32C (Castagnoli) of bytes.");
  module.def("checksum_files", &checksum_files, "paths"_a, "pool"_a,
             "Read whole files in parallel. Return for each why it cannot be read, or None, and\n"
             "its CRC-32C.");
  module.def("read_batch", &read_batch, "files"_a, "out"_a.noconvert(), "pool"_a,
             "Fill out [N, H, W] float32 with the HU of files. Each file is a path and the stamp\n"
             "that it must have, or None. A file with a problem leaves its slice undefined.");
  module.def(
      "write_batch", &write_batch, "sources"_a, "hu"_a.noconvert(), "template"_a, "files"_a,
      "durable"_a, "pool"_a,
      "Write the derived objects of sources with hu [N, H, W] float32. Each file is a path,\n"
      "its file meta information, and the elements of this slice alone.");
}
