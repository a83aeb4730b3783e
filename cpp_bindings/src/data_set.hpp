// The elements of a data set, one after the other.
#pragma once

#include "rgan/element.hpp"
#include "rgan/slice_header.hpp"
#include "rgan/status.hpp"

namespace rgan {

// Reads the elements of a file's data set, at its top level and up to its pixel data.
class DataSetReader {
 public:
  DataSetReader(Bytes file, const PixelHeader& source) noexcept
      : bytes_(file.first(source.pixel_data.start)),
        reader_(bytes_, bytes_.size(), source.data_set,
                source.syntax != TransferSyntax::implicit_little_endian) {}

  // Read the next element. Return false at the end, or if `status()` is a problem.
  [[nodiscard]] bool next(Element& element) noexcept {
    if (!status_ || reader_.is_at_end()) return false;
    status_ = reader_.read_header(element);
    if (status_) status_ = reader_.skip_value(element);
    return static_cast<bool>(status_);
  }

  // Return the value of the element that was read last; that of a sequence with its delimiters.
  [[nodiscard]] Bytes value(const Element& element) const noexcept {
    return bytes_.subspan(element.value, reader_.offset() - element.value);
  }

  [[nodiscard]] Bytes bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool is_explicit_vr() const noexcept { return reader_.is_explicit_vr(); }
  [[nodiscard]] const Status& status() const noexcept { return status_; }

 private:
  Bytes bytes_;
  ElementReader reader_;
  Status status_;
};

}  // namespace rgan
