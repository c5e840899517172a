#include "tests/bench/raw_link.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace radixmesh::bench {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

}  // namespace

RawLink::RawLink(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw std::runtime_error("path too long: " + path);
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  descriptor_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    const int error = errno;
    ::close(descriptor_);
    errno = error;
    fail("connect to " + path);
  }
}

RawLink::RawLink(RawLink&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      frames_(std::move(other.frames_)),
      output_(std::move(other.output_)),
      written_(other.written_) {}

RawLink::~RawLink() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void RawLink::wait_for(short events) {
  pollfd item{descriptor_, events, 0};
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(kPatience).count();
  const int ready = ::poll(&item, 1, static_cast<int>(ms));
  if (ready == 0) throw std::runtime_error("no answer from the other side of a socket");
  if (ready < 0 && errno != EINTR) fail("poll");
}

void RawLink::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      wait_for(POLLOUT);
    } else if (errno != EINTR) {
      fail("send");
    }
  }
}

void RawLink::flush() {
  while (wants_to_write()) {
    const ssize_t sent = ::send(descriptor_, output_.data() + written_, output_.size() - written_,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      written_ += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN) {
      return;
    } else if (errno != EINTR) {
      fail("send");
    }
  }
  output_.clear();
  written_ = 0;
}

// Reads once; false if nothing is there.
bool RawLink::fill() {
  const std::size_t want = std::max(kReadBytes, frames_.wanted());
  const ssize_t got = ::recv(descriptor_, frames_.room(want), want, MSG_DONTWAIT);
  if (got > 0) {
    frames_.added(static_cast<std::size_t>(got));
    return true;
  }
  if (got == 0) throw std::runtime_error("the other side closed its socket");
  if (errno != EAGAIN && errno != EINTR) fail("read");
  return errno == EINTR;
}

std::optional<std::string_view> RawLink::try_frame() {
  auto body = frames_.next();
  if (!body && fill()) body = frames_.next();
  if (frames_.broken()) throw std::runtime_error("a frame of an impossible length");
  return body;
}

std::string_view RawLink::read_frame() {
  while (true) {
    if (const auto body = try_frame()) return *body;
    wait_for(POLLIN);
  }
}

}  // namespace radixmesh::bench
