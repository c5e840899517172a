// Whose the socket's path is: see ipc/socket_file.h.
#include "ipc/socket_file.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>

#include "ipc/server.h"

namespace radixmesh::ipc {
namespace {

namespace fs = std::filesystem;

class Folder {
 public:
  Folder() : path_(make()) {}
  ~Folder() { fs::remove_all(path_); }
  std::string socket() const { return path_ / "s"; }
  std::string lock() const { return path_ / "s.lock"; }
  std::set<std::string> names() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(path_)) names.insert(entry.path().filename());
    return names;
  }

 private:
  static fs::path make() {
    std::string name = fs::temp_directory_path() / "radixmesh-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    return name;
  }
  fs::path path_;
};

// A socket that is bound and listens, and knows nothing of locks.
int bare_listener(const std::string& path) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  REQUIRE(::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(descriptor, 8) == 0);
  return descriptor;
}

bool answers(const std::string& path) {
  const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int outcome = ::connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::close(descriptor);
  return outcome == 0;
}

TEST_CASE("an orderly end leaves nothing behind") {
  const Folder folder;
  {
    const SocketFile socket(folder.socket());
    CHECK(answers(folder.socket()));
    CHECK(folder.names() == std::set<std::string>{"s", "s.lock"});
    // Clients may connect; none may hold the lock.
    CHECK((fs::status(folder.socket()).permissions() & fs::perms::mask) == fs::perms{0660});
    CHECK((fs::status(folder.lock()).permissions() & fs::perms::mask) == fs::perms{0600});
  }
  CHECK(folder.names().empty());
}

TEST_CASE("an owner that no longer listens, but has not ended, still owns the path") {
  const Folder folder;
  auto old = std::make_unique<SocketFile>(folder.socket());
  // As seen from outside, an owner between closing its listener and looking at the path.
  REQUIRE(::shutdown(old->descriptor(), SHUT_RDWR) == 0);
  REQUIRE_FALSE(answers(folder.socket()));
  CHECK_THROWS_AS(SocketFile{folder.socket()}, SocketError);
  old.reset();
  const SocketFile next(folder.socket());
  CHECK(answers(folder.socket()));
}

TEST_CASE("an owner whose files were removed by hand takes nothing away from the next one") {
  const Folder folder;
  auto old = std::make_unique<SocketFile>(folder.socket());
  fs::remove(folder.socket());
  fs::remove(folder.lock());
  const SocketFile next(folder.socket());
  old.reset();
  CHECK(answers(folder.socket()));
  CHECK(folder.names() == std::set<std::string>{"s", "s.lock"});
}

TEST_CASE("an owner whose lock alone was removed finds the path taken by nobody else") {
  const Folder folder;
  const SocketFile old(folder.socket());
  fs::remove(folder.lock());
  CHECK_THROWS_AS(SocketFile{folder.socket()}, SocketError);  // for it answers
  CHECK(answers(folder.socket()));
}

TEST_CASE("what a killed process left behind is replaced, wherever it was killed") {
  const Folder folder;
  SUBCASE("before it had a socket") { std::ofstream(folder.lock()).flush(); }
  SUBCASE("while it listened") {
    ::close(bare_listener(folder.socket()));
    std::ofstream(folder.lock()).flush();
  }
  SUBCASE("between the lock and the socket, at its end") {
    ::close(bare_listener(folder.socket()));
  }
  const SocketFile next(folder.socket());
  CHECK(answers(folder.socket()));
}

TEST_CASE("one that answers is left alone, though it has no lock") {
  const Folder folder;
  const int listener = bare_listener(folder.socket());
  CHECK_THROWS_AS(SocketFile{folder.socket()}, SocketError);
  CHECK(answers(folder.socket()));
  CHECK(folder.names() == std::set<std::string>{"s"});
  ::close(listener);
}

TEST_CASE("of many that come and go at one path each finds it whole") {
  // Each child takes the path, is asked once through it, and lets go; what fails is its exit code.
  // An owner that removed another's socket would leave that one without a file to be asked at.
  const Folder folder;
  constexpr int kChildren = 4, kTurns = 400;
  for (int child = 0; child < kChildren; ++child) {
    if (::fork() != 0) continue;
    bool whole = true;
    for (int turn = 0; turn < kTurns; ++turn) {
      try {
        const SocketFile socket(folder.socket());
        struct stat file {};
        whole = whole && answers(folder.socket()) && ::lstat(folder.lock().c_str(), &file) == 0;
      } catch (const SocketError&) {
        // Another one has it.
      }
    }
    ::_exit(whole ? 0 : 1);
  }
  for (int child = 0; child < kChildren; ++child) {
    int status = 0;
    REQUIRE(::wait(&status) > 0);
    CHECK(status == 0);
  }
  CHECK(folder.names().empty());
}

}  // namespace
}  // namespace radixmesh::ipc
