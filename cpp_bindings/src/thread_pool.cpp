#include "rgan/thread_pool.hpp"

#include <algorithm>

namespace rgan {

ThreadPool::ThreadPool(int threads) {
  const int wanted = std::max(threads, 1) - 1;
  workers_.reserve(static_cast<std::size_t>(wanted));
  for (int i = 0; i < wanted; ++i) workers_.emplace_back([this] { serve(); });
}

ThreadPool::~ThreadPool() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
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
}

void ThreadPool::serve() noexcept {
  std::size_t seen = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return stopping_ || round_ != seen; });
    if (stopping_) return;
    seen = round_;
    lock.unlock();
    take_all(*work_);
    lock.lock();
    if (--busy_ == 0) changed_.notify_all();
  }
}

void ThreadPool::take_all(const std::function<void(std::size_t)>& work) noexcept {
  for (std::size_t i = next_++; i < count_; i = next_++) work(i);
}

}  // namespace rgan
