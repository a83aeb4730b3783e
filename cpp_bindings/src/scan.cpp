#include "rgan/scan.hpp"

#include <algorithm>
#include <string_view>
#include <type_traits>

#include "data_set.hpp"

namespace rgan {
namespace {

constexpr std::size_t kFirstRead = std::size_t{16} << 10;  // bytes; most headers are shorter
constexpr std::size_t kGrowth = 16;
constexpr std::size_t kUsualCommon = 1024;  // bytes

// Parse as much of a file as its header takes, starting with little.
Status parse_head(const File& file, Buffer& buffer, Bytes& bytes, SliceHeader& header) {
  for (std::size_t count = kFirstRead;; count *= kGrowth) {
    if (const Status status = file.read(count, buffer, bytes); !status) return status;
    const Status status = parse_slice_header(bytes, file.size(), header);
    if (status.problem != Problem::beyond_head || bytes.size() == file.size()) return status;
  }
}

template <typename Value>
void append(std::string& out, const Value& value) {
  static_assert(std::is_trivially_copyable_v<Value>);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append(std::string& out, std::string_view text) {
  append(out, text.size());  // so that no two rows of texts look alike
  out.append(text);
}

std::string describe_common(const Head& head, std::span<const std::uint32_t> tags) {
  const SliceHeader& header = head.header;
  std::string out;
  out.reserve(kUsualCommon);
  for (const std::string_view text :
       {header.sop_class_uid, header.study_instance_uid, header.series_instance_uid,
        header.frame_of_reference_uid, header.patient_id, header.modality, header.image_type,
        header.photometric_interpretation, header.manufacturer, header.convolution_kernel,
        header.rescale_type}) {
    append(out, text);
  }
  append(out, header.format.rows);
  append(out, header.format.columns);
  append(out, header.pixel_spacing);
  append(out, header.slice_thickness.has_value());
  append(out, header.slice_thickness.value_or(0));
  append(out, header.orientation);
  DataSetReader elements(head.bytes, header);
  for (Element element; elements.next(element);) {
    if (!std::ranges::binary_search(tags, element.tag)) continue;
    const Bytes value = elements.value(element);
    append(out, element.tag);
    append(out, std::string_view(reinterpret_cast<const char*>(value.data()), value.size()));
  }
  return out;
}

void read_head(const std::string& path, std::span<const std::uint32_t> tags, Head& head) {
  Buffer buffer;
  File file;
  head.status = file.open(path);
  if (!head.status) return;
  head.stamp = file.stamp();
  Bytes bytes;
  head.status = parse_head(file, buffer, bytes, head.header);
  if (head.status && head.header.syntax == TransferSyntax::encoded) {
    head.status = Problem::transfer_syntax;  // the caller knows whether there is a decoder
  }
  if (!head.status) return;
  // Parsed again, so that the texts point into the copy and not into the buffer.
  const Bytes kept = bytes.first(head.header.pixel_data.value);
  head.bytes.assign(kept.begin(), kept.end());
  head.status = parse_slice_header(head.bytes, file.size(), head.header);
  if (head.status) head.common = describe_common(head, tags);
}

}  // namespace

std::vector<Head> scan(const std::vector<std::string>& paths, ThreadPool& pool,
                       std::span<const std::uint32_t> tags) {
  std::vector<Head> heads(paths.size());
  pool.run(paths.size(), [&](std::size_t i) noexcept {
    try {
      read_head(paths[i], tags, heads[i]);
    } catch (...) {
      heads[i].status = caught_problem();
    }
    // The texts of a header that failed may still point into the buffer.
    if (!heads[i].status) heads[i].header = {};
  });
  return heads;
}

}  // namespace rgan
