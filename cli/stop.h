// When a program that waits for events should end: on SIGINT or SIGTERM, and as soon as nobody
// reads its output, which it would otherwise notice only at the next event.
#pragma once

namespace radixmesh::cli {

class Stop {
 public:
  // From here on the two signals no longer end the process by themselves.
  Stop();
  ~Stop();
  Stop(const Stop&) = delete;
  Stop& operator=(const Stop&) = delete;

  // Readable once the program should end.
  int descriptor() const { return poller_; }
  bool requested() const;

 private:
  int signals_ = -1;
  int poller_ = -1;
};

}  // namespace radixmesh::cli
