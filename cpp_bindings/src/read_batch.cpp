#include <new>

#include "rgan/batch.hpp"
#include "rgan/pixels.hpp"

namespace rgan {
namespace {

constexpr std::uint32_t kTrailingPadding = 0xfffcfffc;

// After the pixel data there may be padding, and nothing that would be lost.
Verdict check_rest(Bytes file, const PixelHeader& header, std::size_t at) noexcept {
  const bool explicit_vr = header.syntax != TransferSyntax::implicit_little_endian;
  Walker walker(file, file.size(), at, explicit_vr);
  while (!walker.at_end()) {
    Element element;
    if (const Verdict verdict = walker.header(element); !verdict) return verdict;
    if (element.tag != kTrailingPadding) return {Problem::unusual_value, element.tag};
    if (const Verdict verdict = walker.skip(element); !verdict) return verdict;
  }
  return {};
}

void read_slice(const ReadJob& job, int rows, int columns, float* hu, SourceSlice& slice) {
  thread_local Buffer buffer;
  thread_local std::vector<std::uint8_t> scratch;
  File file;
  Bytes bytes;
  slice.verdict = file.open(job.path);
  if (slice.verdict && job.stamp.size != 0 && file.stamp() != job.stamp) {
    slice.verdict = {Problem::changed};
  }
  if (slice.verdict) slice.verdict = file.read(file.size(), buffer, bytes);
  if (slice.verdict) slice.verdict = parse_pixel_header(bytes, bytes.size(), slice.header);
  if (!slice.verdict) return;
  const PixelFormat& format = slice.header.format;
  if (format.rows != rows || format.columns != columns) {
    slice.verdict = {Problem::size_differs};
    return;
  }
  PixelNotes notes;
  slice.verdict = decode_pixels(bytes, slice.header, hu, slice.kept, scratch, notes);
  const bool is_encoded = slice.verdict.problem == Problem::transfer_syntax;
  if (!slice.verdict && !is_encoded) return;
  if (const Verdict rest = check_rest(bytes, slice.header, notes.behind); !rest) {
    slice.verdict = rest;
    return;
  }
  slice.head.assign(bytes.begin(),
                    bytes.begin() + static_cast<std::ptrdiff_t>(slice.header.pixel_data.start));
}

}  // namespace

void complete(SourceSlice& slice, const std::uint8_t* cells, float* hu) {
  try {
    slice.verdict = convert_cells(cells, slice.header, hu, slice.kept);
  } catch (const std::bad_alloc&) {
    slice.verdict = {Problem::no_memory};
  }
}

std::vector<SourceSlice> read_batch(const std::vector<ReadJob>& jobs, int rows, int columns,
                                    float* hu, ThreadPool& pool) {
  std::vector<SourceSlice> slices(jobs.size());
  const std::size_t size = static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
  pool.run(jobs.size(), [&](std::size_t i) noexcept {
    try {
      read_slice(jobs[i], rows, columns, hu + i * size, slices[i]);
    } catch (const std::bad_alloc&) {
      slices[i].verdict = {Problem::no_memory};
    }
  });
  return slices;
}

}  // namespace rgan
