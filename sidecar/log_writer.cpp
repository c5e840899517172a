#include "sidecar/log_writer.h"

#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <string_view>
#include <thread>

#include "lib/base/limits.h"

namespace radixmesh {
namespace {

// How long the end of the process waits for the last lines.
constexpr auto kLastLinesWait = std::chrono::milliseconds(300);

// False where the other end is gone: then nothing more can be said there.
bool write_all(int descriptor, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(descriptor, text.data(), text.size());
    if (written < 0 && errno != EINTR && errno != EAGAIN) return false;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
    // Somebody else may have made the descriptor one that does not wait.
    if (written < 0 && errno == EAGAIN) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

}  // namespace

LogWriter::LogWriter(int descriptor) : queue_(std::make_unique<Queue>(descriptor)) {
  // Signals are the loop's business.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread(run, queue_.get()).detach();
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LogWriter::~LogWriter() {
  std::unique_lock lock(queue_->mutex);
  queue_->ends = true;
  queue_->changed.notify_all();
  queue_->changed.wait_for(lock, kLastLinesWait, [this] { return queue_->ended; });
  const bool hangs = !queue_->ended;
  lock.unlock();
  if (hangs) (void)queue_.release();
}

void LogWriter::write(std::string line) {
  const std::lock_guard lock(queue_->mutex);
  if (queue_->bytes + line.size() > limits::log_queue_bytes_max) {
    ++queue_->dropped;
    return;
  }
  queue_->bytes += line.size();
  queue_->lines.push_back(std::move(line));
  queue_->changed.notify_all();
}

std::uint64_t LogWriter::dropped() const {
  const std::lock_guard lock(queue_->mutex);
  return queue_->dropped;
}

bool LogWriter::idle() const {
  const std::lock_guard lock(queue_->mutex);
  return queue_->lines.empty() && !queue_->writing;
}

void LogWriter::run(Queue* queue) {
  std::unique_lock lock(queue->mutex);
  while (true) {
    queue->changed.wait(lock, [&] { return !queue->lines.empty() || queue->ends; });
    if (queue->lines.empty()) {
      queue->ended = true;
      queue->changed.notify_all();
      return;
    }
    const std::string line = std::move(queue->lines.front());
    queue->lines.pop_front();
    queue->bytes -= line.size();
    queue->writing = true;
    lock.unlock();
    const bool open = write_all(queue->descriptor, line);
    lock.lock();
    queue->writing = false;
    if (!open) {
      queue->dropped += 1 + queue->lines.size();
      queue->lines.clear();
      queue->bytes = 0;
    }
    queue->changed.notify_all();
  }
}

}  // namespace radixmesh
