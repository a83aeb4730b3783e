// Calls that take turns.
#pragma once

#include <condition_variable>
#include <mutex>
#include <stop_token>

namespace rgan {

// Lets one call work at a time. One that waits for its turn gives up when it is asked to stop.
class Turns {
 public:
  // Wait until no other call works; false if `stop` is requested first.
  [[nodiscard]] bool begin(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    if (!is_free_.wait(lock, stop, [this] { return !is_taken_; })) return false;
    is_taken_ = true;
    return true;
  }

  void end() noexcept {
    {
      const std::scoped_lock lock(mutex_);
      is_taken_ = false;
    }
    is_free_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any is_free_;
  bool is_taken_ = false;
};

}  // namespace rgan
