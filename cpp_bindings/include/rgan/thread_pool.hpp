// Threads that share out a counted piece of work.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace rgan {

// The calling thread works, too: a pool of one starts no thread. `run` may be called from any
// thread; callers wait for each other.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const noexcept { return static_cast<int>(workers_.size()) + 1; }

  // Call `work(i)` for each i below `count`, in no order; return when all are done. `work` must
  // not throw.
  void run(std::size_t count, const std::function<void(std::size_t)>& work);

 private:
  void serve() noexcept;
  void take_all(const std::function<void(std::size_t)>& work) noexcept;

  std::mutex callers_;
  std::mutex mutex_;
  std::condition_variable changed_;
  const std::function<void(std::size_t)>* work_ = nullptr;
  std::size_t count_ = 0;
  std::atomic<std::size_t> next_ = 0;
  std::size_t round_ = 0;
  std::size_t busy_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace rgan
