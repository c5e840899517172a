#include "cli/stop.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string>

namespace radixmesh::cli {

Stop::Stop() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signals_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  // An epoll descriptor is itself readable while one of its members is ready: two reasons to stop
  // become the one descriptor that the client waits on.
  poller_ = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event signal{};
  signal.events = EPOLLIN;
  if (signals_ < 0 || poller_ < 0 || ::epoll_ctl(poller_, EPOLL_CTL_ADD, signals_, &signal) != 0) {
    throw std::runtime_error(std::string("cannot wait for signals: ") + std::strerror(errno));
  }
  // No events asked for: hang-up and error are always told. A plain file is refused here, and has
  // no reader that could go.
  epoll_event hang_up{};
  ::epoll_ctl(poller_, EPOLL_CTL_ADD, STDOUT_FILENO, &hang_up);
}

Stop::~Stop() {
  ::close(poller_);
  ::close(signals_);
}

bool Stop::requested() const {
  epoll_event event{};
  return ::epoll_wait(poller_, &event, 1, 0) > 0;
}

}  // namespace radixmesh::cli
