#include "rgan/thread_pool.hpp"

#include <algorithm>
#include <new>
#include <system_error>
#include <utility>

namespace rgan {

ThreadPool::ThreadPool(int threads) {
  const auto wanted = static_cast<std::size_t>(std::max(threads, 1) - 1);
  workers_.reserve(wanted);
  try {
    while (workers_.size() < wanted) {
      workers_.emplace_back([this](const std::stop_token& stop) { serve(stop); });
    }
  } catch (const std::system_error&) {  // NOLINT(bugprone-empty-catch): those that run will do
  } catch (const std::bad_alloc&) {     // NOLINT(bugprone-empty-catch): likewise
  }
}

void ThreadPool::run(std::size_t count, const std::function<void(std::size_t)>& work) {
  const std::scoped_lock caller(callers_);
  {
    const std::scoped_lock lock(mutex_);
    work_ = &work;
    count_ = count;
    next_ = 0;
    busy_ = workers_.size();
    ++round_;
  }
  changed_.notify_all();
  take_all(work);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return busy_ == 0; });
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void ThreadPool::serve(const std::stop_token& stop) noexcept {
  std::size_t seen = 0;
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [&] { return round_ != seen; })) {
    seen = round_;
    lock.unlock();
    take_all(*work_);
    lock.lock();
    if (--busy_ == 0) changed_.notify_all();
  }
}

void ThreadPool::take_all(const std::function<void(std::size_t)>& work) noexcept {
  for (std::size_t i = next_++; i < count_; i = next_++) {
    try {
      work(i);
    } catch (...) {
      const std::scoped_lock lock(mutex_);
      error_ = std::current_exception();
    }
  }
}

}  // namespace rgan
