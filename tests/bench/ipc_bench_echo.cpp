#include "tests/bench/ipc_bench_echo.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "ipc/framing.h"

namespace radixmesh::bench {
namespace {

constexpr std::size_t kHeadBytes = ipc::kLengthBytes + sizeof(std::uint32_t);

// Answers one client until it closes its end.
void serve(int descriptor) {
  std::string input(1024 * 1024, '\0'), output;
  std::size_t filled = 0;
  while (true) {
    const ssize_t got = ::read(descriptor, input.data() + filled, input.size() - filled);
    if (got <= 0) return;
    filled += static_cast<std::size_t>(got);
    while (filled >= kHeadBytes) {
      std::size_t length = 0;
      for (std::size_t i = 0; i < ipc::kLengthBytes; ++i) {
        length = (length << 8) | static_cast<std::uint8_t>(input[i]);
      }
      const std::size_t whole = ipc::kLengthBytes + length;
      if (whole > input.size()) input.resize(whole);
      if (filled < whole) break;
      std::uint32_t wanted = 0;
      std::memcpy(&wanted, input.data() + ipc::kLengthBytes, sizeof wanted);
      output.assign(ipc::length_bytes(wanted - ipc::kLengthBytes));
      output.resize(wanted);
      for (std::size_t sent = 0; sent < output.size();) {
        const ssize_t more = ::write(descriptor, output.data() + sent, output.size() - sent);
        if (more <= 0) return;
        sent += static_cast<std::size_t>(more);
      }
      std::memmove(input.data(), input.data() + whole, filled - whole);
      filled -= whole;
    }
  }
}

}  // namespace

EchoServer::EchoServer() {
  std::string pattern = (std::filesystem::temp_directory_path() / "radixmesh-echo-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder at " + pattern);
  folder_ = pattern;
  path_ = folder_ + "/echo.sock";
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) throw std::runtime_error("path too long: " + path_);
  std::memcpy(address.sun_path, path_.c_str(), path_.size() + 1);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, 1) != 0) {
    throw std::runtime_error("no socket at " + path_);
  }
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (true) {
      const int descriptor = ::accept(listener, nullptr, nullptr);
      if (descriptor < 0) ::_exit(0);
      serve(descriptor);
      ::close(descriptor);
    }
  }
  ::close(listener);
}

EchoServer::~EchoServer() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string EchoServer::make_frame(std::size_t bytes, std::size_t answer_bytes) {
  bytes = std::max(bytes, kHeadBytes);
  std::string frame = ipc::length_bytes(bytes - ipc::kLengthBytes);
  frame.resize(bytes);
  const auto wanted =
      static_cast<std::uint32_t>(std::max<std::size_t>(answer_bytes, ipc::kLengthBytes + 1));
  std::memcpy(frame.data() + ipc::kLengthBytes, &wanted, sizeof wanted);
  return frame;
}

}  // namespace radixmesh::bench
