// A pool of threads that share the work of one call.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

namespace rgan {

// The thread that calls `run` works too, so a pool of one starts no thread. Any thread may call
// `run`; calls wait for each other. The destructor ends and joins the threads, and must not run
// during a call. No exception leaves a thread.
class ThreadPool {
 public:
  // Fewer than one thread counts as one. If the system does not start that many, the pool does with
  // those that it starts. May throw std::bad_alloc before the first one.
  explicit ThreadPool(int threads);
  ~ThreadPool() = default;
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ThreadPool(ThreadPool&&) = delete;
  ThreadPool& operator=(ThreadPool&&) = delete;

  [[nodiscard]] int threads() const noexcept { return static_cast<int>(workers_.size()) + 1; }

  // Call `work(i)` once for each i below `count`, in any order and from several threads, and
  // return when all calls are done. If some of them throw, one of the exceptions is thrown again
  // then. `work` must not call `run` of this pool.
  void run(std::size_t count, const std::function<void(std::size_t)>& work);

 private:
  void serve(const std::stop_token& stop) noexcept;
  void take_all(const std::function<void(std::size_t)>& work) noexcept;

  std::mutex callers_;  // held during a call of `run`
  std::mutex mutex_;    // guards what follows, but for the atomic
  std::condition_variable_any changed_;
  const std::function<void(std::size_t)>* work_ = nullptr;
  std::size_t count_ = 0;
  std::atomic<std::size_t> next_ = 0;
  std::size_t round_ = 0;
  std::size_t busy_ = 0;
  std::exception_ptr error_;
  std::vector<std::jthread> workers_;  // the last member: they end before the others are gone
};

}  // namespace rgan
