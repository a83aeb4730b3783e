#include "json.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <system_error>

#include "format_error.hpp"

namespace rgan::json {
namespace {

constexpr std::size_t kMostDigits = 4300;  // of an integer, as in Python
constexpr int kMostValues = 1'000'000;     // of a few bytes each, and each takes some 60 in memory
// Larger than any number of digits, and small enough to be added to one.
constexpr std::int64_t kHugeExponent = std::numeric_limits<std::int64_t>::max() / 2;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// Return what a number is that double cannot hold: infinite, or too small to differ from zero.
double beyond_range(std::string_view number) {
  const std::size_t mark = std::min(number.find_first_of("eE"), number.size());
  const std::string_view digits = number.substr(0, mark);
  const std::size_t point = std::min(digits.find('.'), digits.size());
  const std::size_t first = digits.find_first_of("123456789");
  const auto magnitude = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  std::int64_t exponent = 0;
  if (mark < number.size()) {
    const bool is_negative = number[mark + 1] == '-';
    const char* begin = number.data() + mark + 1 + (is_negative || number[mark + 1] == '+' ? 1 : 0);
    exponent = kHugeExponent;  // stays if the number does not fit
    std::from_chars(begin, number.data() + number.size(), exponent);
    exponent = std::min(exponent, kHugeExponent);
    if (is_negative) exponent = -exponent;
  }
  const double size = magnitude + exponent > 0 ? std::numeric_limits<double>::infinity() : 0.0;
  return number.front() == '-' ? -size : size;
}

void append_utf8(std::string& text, std::uint32_t code) {
  const auto append = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    append(code);
  } else if (code < 0x800) {
    append(0xc0 | (code >> 6));
    append(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    append(0xe0 | (code >> 12));
    append(0x80 | ((code >> 6) & 0x3f));
    append(0x80 | (code & 0x3f));
  } else {
    append(0xf0 | (code >> 18));
    append(0x80 | ((code >> 12) & 0x3f));
    append(0x80 | ((code >> 6) & 0x3f));
    append(0x80 | (code & 0x3f));
  }
}

// Return how many bytes a character's first byte announces; 0 if it begins none.
std::size_t announced_length(std::uint32_t first) noexcept {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}

// Return how many bytes the first character of a text has; 0 if it is not valid UTF-8.
std::size_t measure_character(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) -> std::uint32_t {
    return static_cast<unsigned char>(text[i]);
  };
  const std::size_t length = announced_length(byte(0));
  if (length < 2) return length;
  if (length > text.size()) return 0;
  std::uint32_t code = byte(0) & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = (code << 6) | (byte(i) & 0x3f);
  }
  const bool is_overlong = (length == 3 && code < 0x800) || (length == 4 && code < 0x10000);
  const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
  return is_overlong || is_surrogate || code > 0x10ffff ? 0 : length;
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Value parse_text() {
    Value value = parse_value(0);
    skip_blanks();
    if (at_ != text_.size()) refuse();
    return value;
  }

 private:
  [[noreturn]] void refuse() const {
    throw FormatError(std::string("model card: not valid JSON (at byte ")
                          .append(std::to_string(at_))
                          .append(")"));
  }

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  bool take(char wanted) {
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }

  void expect(char wanted) {
    if (!take(wanted)) refuse();
  }

  void skip_blanks() { at_ = std::min(text_.find_first_not_of(" \t\n\r", at_), text_.size()); }

  Value parse_value(int nesting) {
    if (nesting > kMaxNesting) throw FormatError("model card: JSON is nested too deeply");
    if (++values_ > kMostValues) {
      throw FormatError("model card: more than " + std::to_string(kMostValues) + " values");
    }
    skip_blanks();
    switch (peek()) {
      case '{':
        return {parse_object(nesting)};
      case '[':
        return {parse_array(nesting)};
      case '"':
        return {parse_string()};
      case 't':
        return parse_word("true", {true});
      case 'f':
        return parse_word("false", {false});
      case 'n':
        return parse_word("null", {nullptr});
      default:
        return {parse_number()};
    }
  }

  Value parse_word(std::string_view word, Value value) {
    if (!text_.substr(at_).starts_with(word)) refuse();
    at_ += word.size();
    return value;
  }

  Object parse_object(int nesting) {
    Object object;
    std::map<std::string, std::size_t> places;  // in the object, by name
    expect('{');
    skip_blanks();
    if (take('}')) return object;
    do {
      skip_blanks();
      std::string name = parse_string();
      skip_blanks();
      expect(':');
      Value value = parse_value(nesting + 1);
      const auto [place, is_new] = places.try_emplace(name, object.size());
      if (is_new) {
        object.emplace_back(std::move(name), std::move(value));
      } else {
        object[place->second].second = std::move(value);
      }
      skip_blanks();
    } while (take(','));
    expect('}');
    return object;
  }

  Array parse_array(int nesting) {
    Array array;
    expect('[');
    skip_blanks();
    if (take(']')) return array;
    do {
      array.push_back(parse_value(nesting + 1));
      skip_blanks();
    } while (take(','));
    expect(']');
    return array;
  }

  std::string parse_string() {
    std::string text;
    expect('"');
    for (;;) {
      if (at_ >= text_.size()) refuse();
      const char c = text_[at_++];
      if (c == '"') return text;
      if (static_cast<unsigned char>(c) < 0x20) refuse();
      if (c == '\\') {
        parse_escape(text);
      } else {
        text += c;
      }
    }
  }

  void parse_escape(std::string& text) {
    constexpr std::string_view kEscapes = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (take('u')) {
      append_utf8(text, parse_code_point());
      return;
    }
    const std::size_t found = kEscapes.find(peek());
    if (at_ >= text_.size() || found == std::string_view::npos) refuse();
    text += kMeanings[found];
    ++at_;
  }

  // Two surrogates make one character. One alone stays, and makes the text no valid UTF-8.
  std::uint32_t parse_code_point() {
    const std::uint32_t first = parse_code_unit();
    if (first < 0xd800 || first > 0xdbff || !text_.substr(at_).starts_with("\\u")) return first;
    const std::size_t behind = at_;
    at_ += 2;
    const std::uint32_t second = parse_code_unit();
    if (second >= 0xdc00 && second <= 0xdfff) {
      return 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    }
    at_ = behind;
    return first;
  }

  std::uint32_t parse_code_unit() {
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i) {
      const char c = peek();
      const char lower = static_cast<char>(c | 0x20);
      if (is_digit(c)) {
        code = (code << 4) | static_cast<std::uint32_t>(c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        code = (code << 4) | static_cast<std::uint32_t>(lower - 'a' + 10);
      } else {
        refuse();
      }
      ++at_;
    }
    return code;
  }

  void take_digits() {
    if (!is_digit(peek())) refuse();
    while (is_digit(peek())) ++at_;
  }

  Number parse_number() {
    const std::size_t begin = at_;
    take('-');
    if (!take('0')) take_digits();
    if (at_ - begin > kMostDigits) refuse();
    bool is_integer = true;
    if (take('.')) {
      is_integer = false;
      take_digits();
    }
    if (take('e') || take('E')) {
      is_integer = false;
      if (!take('-')) take('+');
      take_digits();
    }
    const std::string_view number = text_.substr(begin, at_ - begin);
    double value = 0;
    const auto read = std::from_chars(number.data(), number.data() + number.size(), value);
    if (read.ec == std::errc::result_out_of_range) value = beyond_range(number);
    const bool is_whole = std::isfinite(value) && std::trunc(value) == value;
    return {.value = value, .is_integer = is_integer || is_whole};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int values_ = 0;
};

}  // namespace

Value parse(std::string_view text) {
  if (!is_utf8(text)) throw FormatError("model card: not a text in UTF-8");
  return Parser(text).parse_text();
}

bool is_utf8(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = measure_character(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::size_t count_characters(std::string_view text) noexcept {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace rgan::json
