#include "rgan/scan.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "boundary.hpp"
#include "files.hpp"

namespace rgan::c_api {
namespace {

struct FileHeader {
  Outcome outcome;
  rgan_slice_header header;  // nothing if the file could not be read
  std::vector<char> texts;   // those of the header, each with a NUL behind it
};

using TextField = std::pair<std::string_view SliceHeader::*, const char* rgan_slice_header::*>;

constexpr std::array<TextField, 12> kTextFields = {{
    {&SliceHeader::sop_class_uid, &rgan_slice_header::sop_class_uid},
    {&SliceHeader::sop_instance_uid, &rgan_slice_header::sop_instance_uid},
    {&SliceHeader::study_instance_uid, &rgan_slice_header::study_instance_uid},
    {&SliceHeader::series_instance_uid, &rgan_slice_header::series_instance_uid},
    {&SliceHeader::frame_of_reference_uid, &rgan_slice_header::frame_of_reference_uid},
    {&SliceHeader::patient_id, &rgan_slice_header::patient_id},
    {&SliceHeader::modality, &rgan_slice_header::modality},
    {&SliceHeader::image_type, &rgan_slice_header::image_type},
    {&SliceHeader::photometric_interpretation, &rgan_slice_header::photometric_interpretation},
    {&SliceHeader::manufacturer, &rgan_slice_header::manufacturer},
    {&SliceHeader::convolution_kernel, &rgan_slice_header::convolution_kernel},
    {&SliceHeader::rescale_type, &rgan_slice_header::rescale_type},
}};

// Return copies of the texts, and let `to` point to them. A vector keeps them in their place when
// it is moved.
std::vector<char> copy_texts(const SliceHeader& from, rgan_slice_header& to) {
  std::size_t size = 0;
  for (const auto& [text, copy] : kTextFields) size += (from.*text).size() + 1;
  std::vector<char> texts(size);
  char* next = texts.data();
  for (const auto& [text, copy] : kTextFields) {
    to.*copy = next;
    next = std::ranges::copy(from.*text, next).out + 1;
  }
  return texts;
}

void copy_numbers(const SliceHeader& from, rgan_slice_header& to) {
  const PixelFormat& format = from.format;
  to.rows = format.rows;
  to.columns = format.columns;
  to.bits_allocated = format.bits_allocated;
  to.bits_stored = format.bits_stored;
  to.is_signed = format.is_signed ? 1 : 0;
  to.slope = from.rescale.slope;
  to.intercept = from.rescale.intercept;
  const Padding padding = from.padding.value_or(Padding{});
  to.has_padding = from.padding.has_value() ? 1 : 0;
  to.padding_low = padding.low;
  to.padding_high = padding.high;
  to.slice_thickness = from.slice_thickness.value_or(0);
  std::ranges::copy(from.pixel_spacing, to.pixel_spacing);
  std::ranges::copy(from.orientation, to.orientation);
  std::ranges::copy(from.position, to.position);
}

FileHeader make_file_header(const std::string& path, const Head& head) {
  FileHeader made{
      .outcome = make_outcome(path, head.status), .header = RGAN_SLICE_HEADER_INIT, .texts = {}};
  if (!head.status) return made;
  made.texts = copy_texts(head.header, made.header);
  copy_numbers(head.header, made.header);
  made.header.stamp = {.file_size = head.stamp.size,
                       .modified_ns = head.stamp.modified_ns,
                       .inode = head.stamp.inode};
  return made;
}

}  // namespace
}  // namespace rgan::c_api

struct rgan_headers {
  std::vector<rgan::c_api::FileHeader> files;
};

using rgan::c_api::guarded;
using rgan::c_api::require;

rgan_status rgan_scan(const char* const* paths, size_t count, int32_t threads,
                      rgan_headers** headers) {
  return guarded([&] {
    require(headers != nullptr, "headers must not be NULL");
    const std::vector<std::string> names = rgan::c_api::copy_paths(paths, count);
    rgan::ThreadPool pool(rgan::c_api::count_readers(threads, count));
    const std::vector<rgan::Head> heads = rgan::scan(names, pool);
    auto made = std::make_unique<rgan_headers>();
    made->files.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      made->files.push_back(rgan::c_api::make_file_header(names[i], heads[i]));
    }
    *headers = made.release();
  });
}

rgan_status rgan_headers_get(const rgan_headers* headers, size_t index, rgan_slice_header* header) {
  return guarded([&] {
    require(headers != nullptr && header != nullptr, "headers and header must not be NULL");
    require(header->size == sizeof *header, "header: set size to sizeof(rgan_slice_header)");
    require(index < headers->files.size(), "index must be below the number of files");
    const rgan::c_api::FileHeader& file = headers->files[index];
    rgan::c_api::require_success(file.outcome);
    *header = file.header;
  });
}

// NOLINTNEXTLINE(misc-const-correctness): what is released belongs to the caller
void rgan_headers_release(rgan_headers* headers) { delete headers; }
