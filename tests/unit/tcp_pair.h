// Connections over loopback with both of their ends, for tests of what looks at descriptors.
#pragma once

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

namespace radixmesh {

class TcpListener {
 public:
  TcpListener() {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(descriptor_, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0);
    REQUIRE(::listen(descriptor_, 512) == 0);
  }
  ~TcpListener() { ::close(descriptor_); }
  TcpListener(const TcpListener&) = delete;

  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = ::socket(AF_INET, SOCK_STREAM, 0);
};

// Both ends of a connection.
class TcpPair {
 public:
  explicit TcpPair(const TcpListener& listener) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(listener.descriptor(), reinterpret_cast<sockaddr*>(&address), &size);
    theirs_ = ::socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(::connect(theirs_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    ours_ = ::accept(listener.descriptor(), nullptr, nullptr);
    REQUIRE(ours_ >= 0);
  }
  ~TcpPair() {
    ::close(ours_);
    ::close(theirs_);
  }
  TcpPair(const TcpPair&) = delete;

  int descriptor() const { return ours_; }
  int theirs() const { return theirs_; }
  void close_ours() { ::close(std::exchange(ours_, -1)); }
  bool is_cut() const {
    char byte = 0;
    errno = 0;
    return ::recv(theirs_, &byte, 1, MSG_DONTWAIT) <= 0 && errno != EAGAIN;
  }
  void say(std::size_t bytes) const {
    const std::vector<char> data(bytes);
    REQUIRE(::send(theirs_, data.data(), bytes, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes));
  }
  // As libzmq does, whole message or not.
  void read(std::size_t bytes) const {
    std::vector<char> data(bytes);
    REQUIRE(::recv(ours_, data.data(), bytes, MSG_WAITALL) == static_cast<ssize_t>(bytes));
  }

 private:
  int ours_ = -1, theirs_ = -1;
};

}  // namespace radixmesh
