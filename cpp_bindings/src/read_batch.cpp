
#include "rgan/batch.hpp"
#include "rgan/pixels.hpp"

namespace rgan {
namespace {

constexpr std::uint32_t kDataSetTrailingPadding = 0xfffcfffc;

// Check that nothing but padding follows the pixel data: anything else would be lost.
Status check_rest(Bytes file, const PixelHeader& header, std::size_t offset) noexcept {
  const bool explicit_vr = header.syntax != TransferSyntax::implicit_little_endian;
  ElementReader reader(file, file.size(), offset, explicit_vr);
  while (!reader.is_at_end()) {
    Element element;
    if (const Status status = reader.read_header(element); !status) return status;
    if (element.tag != kDataSetTrailingPadding) return {Problem::unusual_value, element.tag};
    if (const Status status = reader.skip_value(element); !status) return status;
  }
  return {};
}

// Read the whole file, which must be what the job says.
Status read_file(const ReadJob& job, Buffer& buffer, Bytes& bytes) {
  File file;
  if (const Status status = file.open(job.path); !status) return status;
  if (job.stamp.size != 0 && file.stamp() != job.stamp) return Problem::changed;
  return file.read(file.size(), buffer, bytes);
}

void fill_slice(const ReadJob& job, int rows, int columns, float* hu, SourceSlice& slice) {
  Buffer buffer;
  thread_local std::vector<std::uint8_t> scratch;
  Bytes bytes;
  slice.status = read_file(job, buffer, bytes);
  if (slice.status) slice.status = parse_pixel_header(bytes, bytes.size(), slice.header);
  if (!slice.status) return;
  const PixelFormat& format = slice.header.format;
  if (format.rows != rows || format.columns != columns) {
    slice.status = Problem::size_differs;
    return;
  }
  DecodeResult result;
  slice.status = decode_pixels(bytes, slice.header, hu, slice.stored, scratch, result);
  if (scratch.size() > kMostKept) scratch = std::vector<std::uint8_t>();  // {} would keep it
  const bool is_encoded = slice.status.problem == Problem::transfer_syntax;
  if (!slice.status && !is_encoded) return;
  if (const Status rest = check_rest(bytes, slice.header, result.end); !rest) {
    slice.status = rest;
    return;
  }
  const Bytes head = bytes.first(slice.header.pixel_data.start);
  slice.head.assign(head.begin(), head.end());
}

}  // namespace

void complete_slice(SourceSlice& slice, const std::uint8_t* cells, float* hu) noexcept {
  try {
    slice.status = convert_cells(cells, slice.header, hu, slice.stored);
  } catch (...) {
    slice.status = caught_problem();
  }
}

SourceSlice read_slice(const ReadJob& job, int rows, int columns, float* hu) noexcept {
  SourceSlice slice;
  try {
    fill_slice(job, rows, columns, hu, slice);
  } catch (...) {
    slice.status = caught_problem();
  }
  return slice;
}

std::vector<SourceSlice> read_batch(const std::vector<ReadJob>& jobs, int rows, int columns,
                                    float* hu, ThreadPool& pool) {
  std::vector<SourceSlice> slices(jobs.size());
  const std::size_t pixels = static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
  pool.run(jobs.size(), [&](std::size_t i) noexcept {
    slices[i] = read_slice(jobs[i], rows, columns, hu + (i * pixels));
  });
  return slices;
}

}  // namespace rgan
