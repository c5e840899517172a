// Descriptors 0, 1 and 2 as a program is started: some may be closed.
#pragma once

#include <fcntl.h>
#include <unistd.h>

namespace radixmesh::ipc {

// To be called before anything is opened: else the first socket gets the number of what is closed,
// and what is printed goes to whoever is at its other end. Each that is closed becomes /dev/null,
// opened the wrong way around, so that using it fails, as it would have, and is noticed.
inline void fill_standard_descriptors() {
  for (int number = STDIN_FILENO; number <= STDERR_FILENO; ++number) {
    if (::fcntl(number, F_GETFD) >= 0) continue;
    // The lowest free number is taken, which is this one, as those below it are open.
    const int opened = ::open("/dev/null", number == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (opened >= 0 && opened != number) ::close(opened);
  }
}

}  // namespace radixmesh::ipc
