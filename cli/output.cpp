#include "cli/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>

#include "cli/units.h"

namespace radixmesh::cli {

void print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE) {
      throw BrokenPipe{};
    } else if (errno == EAGAIN) {
      // A terminal shared with another program may have been made non-blocking by it.
      pollfd item{STDOUT_FILENO, POLLOUT, 0};
      ::poll(&item, 1, -1);
    } else if (errno != EINTR) {
      throw std::runtime_error(std::string("cannot write: ") + std::strerror(errno));
    }
  }
}

void print_unless_gone(std::string_view text) {
  try {
    print(text);
  } catch (const BrokenPipe&) {
    // It is gone; the exit code is for somebody else.
  }
}

void complain(std::string_view text) {
  std::fprintf(stderr, "radixmesh: %s\n", printable(text).c_str());
}

}  // namespace radixmesh::cli
