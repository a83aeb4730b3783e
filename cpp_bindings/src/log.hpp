// The log of the process: where the library says what it does, if the caller wants to know.
#pragma once

#include <string>
#include <string_view>

#include "rgan/rgan.h"

namespace rgan {

// Null turns the log off. Waits for calls of the log that was set before.
void set_log(rgan_log log, void* user, rgan_log_level least) noexcept;

[[nodiscard]] bool is_logged(rgan_log_level level) noexcept;

// Make one line of a text, without line breaks and the blanks after them.
[[nodiscard]] std::string join_lines(std::string_view text);

// Hand one line of text to the log, if that wants it.
void write_log(rgan_log_level level, const std::string& text) noexcept;

// Log what `make_text` returns. It is not called if nobody listens, and a text that there is no
// memory for is left out.
template <typename MakeText>
void log(rgan_log_level level, const MakeText& make_text) noexcept {
  if (!is_logged(level)) return;
  try {
    write_log(level, join_lines(make_text()));
  } catch (...) {  // NOLINT(bugprone-empty-catch): what is logged matters less than what is done
  }
}

}  // namespace rgan
