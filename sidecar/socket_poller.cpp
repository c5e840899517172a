#include "sidecar/socket_poller.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <system_error>

namespace radixmesh {

SocketPoller::SocketPoller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}
SocketPoller::~SocketPoller() { ::close(epoll_); }

void SocketPoller::add(Kind kind, NodeId peer, zmq::socket_t& socket) {
  auto entry = std::make_unique<Entry>(Entry{kind, peer, &socket, socket.get(zmq::sockopt::fd)});
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = entry.get();
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, entry->descriptor, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
  touched_.insert(entry.get());
  entries_[socket.handle()] = std::move(entry);
}

void SocketPoller::remove(zmq::socket_t& socket) {
  const auto found = entries_.find(socket.handle());
  if (found == entries_.end()) return;
  ::epoll_ctl(epoll_, EPOLL_CTL_DEL, found->second->descriptor, nullptr);
  touched_.erase(found->second.get());
  entries_.erase(found);
}

void SocketPoller::touched(zmq::socket_t& socket) {
  const auto found = entries_.find(socket.handle());
  if (found != entries_.end()) touched_.insert(found->second.get());
}

bool SocketPoller::writable(zmq::socket_t& socket) const {
  const auto found = entries_.find(socket.handle());
  return found != entries_.end() && found->second->writable;
}

bool SocketPoller::readable(Entry& entry) {
  const int events = entry.socket->get(zmq::sockopt::events);
  entry.writable = (events & ZMQ_POLLOUT) != 0;
  return (events & ZMQ_POLLIN) != 0;
}

bool SocketPoller::settle() {
  std::erase_if(touched_, [](Entry* entry) { return !readable(*entry); });
  return !touched_.empty();
}

bool SocketPoller::nothing_waits() {
  epoll_event event{};
  return !settle() && ::epoll_wait(epoll_, &event, 1, 0) == 0;
}

std::vector<SocketPoller::Entry> SocketPoller::take_ready() {
  std::array<epoll_event, 64> events{};
  int count = 0;
  do {
    count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), 0);
    for (int i = 0; i < count; ++i) {
      // Asking a socket takes its notice back, so the next round finds others.
      auto* entry = static_cast<Entry*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (readable(*entry)) touched_.insert(entry);
    }
  } while (count == static_cast<int>(events.size()));
  settle();
  std::vector<Entry> ready;
  for (const Entry* entry : touched_) ready.push_back(*entry);
  std::ranges::sort(ready, {}, [](const Entry& each) { return std::pair(each.kind, each.peer); });
  return ready;
}

}  // namespace radixmesh
