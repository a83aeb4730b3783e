// JSON texts (RFC 8259), as the model card is one.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace rgan::json {

inline constexpr int kMaxNesting = 64;

struct Number {
  double value = 0;
  bool is_integer = false;  // written without fraction and exponent, or a whole number all the same
};

struct Value;
using Array = std::vector<Value>;
using Object = std::vector<std::pair<std::string, Value>>;  // each name once; of two, the last

struct Value {
  std::variant<std::nullptr_t, bool, Number, std::string, Array, Object> content = nullptr;

  // The content if it is of this type, or null.
  template <typename Type>
  [[nodiscard]] const Type* get() const noexcept {
    return std::get_if<Type>(&content);
  }
};

// Read a text in UTF-8. A number beyond the range of double is infinite. Throws FormatError.
[[nodiscard]] Value parse(std::string_view text);

// Whether a text is UTF-8, without surrogates and overlong forms (RFC 3629).
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

// How many characters a text in UTF-8 has.
[[nodiscard]] std::size_t count_characters(std::string_view text) noexcept;

}  // namespace rgan::json
