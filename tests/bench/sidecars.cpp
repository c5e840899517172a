#include "tests/bench/sidecars.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "ipc/reading.h"
#include "tests/bench/raw_link.h"

namespace radixmesh::bench {
namespace {

constexpr int kStopMs = 10'000;

// Bound, not listening: with SO_REUSEADDR on both sides libzmq may bind the same port meanwhile.
int reserve_port(std::string& addr) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(descriptor, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no port on loopback");
  }
  addr = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  return descriptor;
}

void wait_for_end(pid_t pid) {
  const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  pollfd item{handle, POLLIN, 0};
  if (handle < 0 || ::poll(&item, 1, kStopMs) <= 0) ::kill(pid, SIGKILL);
  if (handle >= 0) ::close(handle);
  ::waitpid(pid, nullptr, 0);
}

}  // namespace

void wait_until(const std::string& what, const std::function<bool()>& condition) {
  for (const auto start = Clock::now(); !condition();) {
    if (Clock::now() - start > kPatience) throw std::runtime_error("waited in vain: " + what);
    ::poll(nullptr, 0, 1);
  }
}

double cpu_seconds_of(pid_t pid) {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0) return 0;
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

int use_cores(int first, int count) {
  static const cpu_set_t all = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(0, sizeof set, &set);
    return set;
  }();
  cpu_set_t chosen;
  CPU_ZERO(&chosen);
  int index = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &all)) continue;
    if (index >= first && index < first + count) CPU_SET(cpu, &chosen);
    ++index;
  }
  if (CPU_COUNT(&chosen) == 0) throw std::runtime_error("there are not so many cores");
  ::sched_setaffinity(0, sizeof chosen, &chosen);
  return CPU_COUNT(&chosen);
}

Sidecars::Sidecars(const SidecarsOptions& options)
    : engines_(options.nodes), members_(options.nodes + options.routers) {
  if (::access(options.binary.c_str(), X_OK) != 0) {
    throw std::runtime_error("no sidecar at " + options.binary + ": build it, or give --binary");
  }
  std::string pattern =
      (std::filesystem::temp_directory_path() / "radixmesh-bench-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder at " + pattern);
  folder_ = pattern;
  try {
    reserve_addresses();
    for (Member& member : members_) start(options, member);
    for (Member& member : members_) {
      wait_until(member.addr + " joins the mesh", [&] { return has_joined(member); });
    }
  } catch (...) {
    stop();
    throw;
  }
  for (Member& member : members_) ::close(std::exchange(member.reserved, -1));
}

Sidecars::~Sidecars() { stop(); }

void Sidecars::reserve_addresses() {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    members_[i].reserved = reserve_port(members_[i].addr);
    members_[i].socket = folder_ + "/" + std::to_string(i) + ".sock";
  }
}

void Sidecars::start(const SidecarsOptions& options, Member& member) {
  std::string engines, routers;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    std::string& list = i < engines_ ? engines : routers;
    list += (list.empty() ? "" : ",") + members_[i].addr;
  }
  std::vector<std::string> words = {options.binary,
                                    "--unified-cache-nodes=" + engines,
                                    "--local-cache-addr=" + member.addr,
                                    "--ipc=" + member.socket,
                                    "--page-size=" + std::to_string(options.page_size),
                                    "--topology=" + options.topology,
                                    "--log-level=warn"};
  if (!routers.empty()) words.push_back("--router-cache-nodes=" + routers);
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  member.pid = ::fork();
  if (member.pid < 0) throw std::runtime_error("no process");
  if (member.pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // it does not outlive the bench
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
}

bool Sidecars::has_joined(Member& member) {
  int status = 0;
  if (::waitpid(member.pid, &status, WNOHANG) == member.pid) {
    member.pid = -1;
    throw std::runtime_error("the sidecar of " + member.addr + " ended early");
  }
  try {
    ipc::Client client(member.socket);
    const ipc::Answer nodes = client.nodes();
    const ipc::Reader rows(nodes.get());
    for (std::uint32_t i = 0; i < rows.size(); ++i) {
      if (rows.at(i).field("state").text() != "alive") return false;
    }
    const ipc::Answer answer = client.status();
    for (const auto& pair : answer.get().as<std::map<std::string, msgpack::object>>()) {
      if (pair.first == "ready") return pair.second.as<bool>();
    }
  } catch (const ipc::ConnectionError&) {
    // It has not bound its socket yet.
  }
  return false;
}

void Sidecars::stop() {
  for (const Member& member : members_) {
    if (member.pid > 0) ::kill(member.pid, SIGTERM);
    if (member.reserved >= 0) ::close(member.reserved);
  }
  for (const Member& member : members_) {
    if (member.pid > 0) wait_for_end(member.pid);
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

}  // namespace radixmesh::bench
