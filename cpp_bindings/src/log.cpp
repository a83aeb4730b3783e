#include "log.hpp"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>

namespace rgan {
namespace {

constexpr int kOff = std::numeric_limits<int>::max();

struct Sink {
  rgan_log log = nullptr;
  void* user = nullptr;
};

std::shared_mutex mutex;  // held by all that call the log
Sink sink;
std::atomic<int> least_level = kOff;

}  // namespace

void set_log(rgan_log log, void* user, rgan_log_level least) noexcept {
  const std::unique_lock lock(mutex);
  sink = {.log = log, .user = user};
  least_level = log == nullptr ? kOff : static_cast<int>(least);
}

bool is_logged(rgan_log_level level) noexcept { return level >= least_level; }

std::string join_lines(std::string_view text) {
  std::string line;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
    if (!line.empty() && end > 0) line += ' ';
    line += text.substr(0, end);
    text.remove_prefix(end);
    text.remove_prefix(std::min(text.find_first_not_of(" \r\n"), text.size()));
  }
  return line;
}

void write_log(rgan_log_level level, const std::string& text) noexcept {
  const std::shared_lock lock(mutex);
  if (is_logged(level)) sink.log(level, text.c_str(), sink.user);
}

}  // namespace rgan
