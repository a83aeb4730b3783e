// What is wrong with a model file, in words for its user.
#pragma once

#include <stdexcept>

namespace rgan {

class FormatError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace rgan
