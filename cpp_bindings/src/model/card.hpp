// The model card: what a model is made for. docs/model-format.md specifies it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rgan {

struct SpacingRange {
  double min = 0;  // mm
  double max = 0;
  double reference = 0;

  // Whether a pixel spacing in mm is in the range; headers round, so a factor of 1.001 is allowed.
  [[nodiscard]] bool contains(double spacing) const noexcept;
};

// How much a precision may differ from the float32 model, in HU.
struct ErrorBound {
  double max = 0;
  double p999 = 0;  // the 99.9th percentile
};

// The fields that an application needs to choose and to apply a model. The rest are in the text.
struct Card {
  std::string text;  // the JSON as it is in the file
  int format = 0;
  std::string name;
  std::string version;
  double window_lower = 0;  // HU
  double window_upper = 0;
  std::vector<std::string> source_kernels;
  std::string target_kernel;
  int multiple = 0;
  std::optional<SpacingRange> pixel_spacing;       // none in format 1
  std::map<std::string, ErrorBound> error_bounds;  // by precision, where the card states them
};

// Read and check a card. Throws FormatError.
[[nodiscard]] Card parse_card(std::string_view text);

}  // namespace rgan
