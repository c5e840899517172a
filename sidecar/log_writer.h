// Carries lines to a descriptor that may stop taking them: a pipe that nobody reads, a stopped
// terminal, a disk that hangs. Whoever logs never waits: lines go to a bounded queue, one thread
// writes them, and what finds no room is dropped and counted.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>

namespace radixmesh {

class LogWriter {
 public:
  // `descriptor` stays the caller's, and must stay open.
  explicit LogWriter(int descriptor);
  // Waits a moment for what is queued; a writer that hangs for longer is left to itself.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;

  // Takes a line, its end included; never waits.
  void write(std::string line);
  std::uint64_t dropped() const;
  // Whether all that was taken is written.
  bool idle() const;

 private:
  // What both threads touch. Where the thread hangs in a write it is left to it, for what is left
  // of the process.
  struct Queue {
    explicit Queue(int to) : descriptor(to) {}
    const int descriptor;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<std::string> lines;
    std::size_t bytes = 0;
    std::uint64_t dropped = 0;
    bool writing = false, ends = false, ended = false;
  };
  static void run(Queue* queue);

  std::unique_ptr<Queue> queue_;
};

}  // namespace radixmesh
