#include "sidecar/resolver.h"

#include <ares.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <mutex>
#include <set>
#include <system_error>
#include <utility>

#include "lib/base/host.h"
#include "lib/base/limits.h"

namespace radixmesh {
namespace {

using Clock = std::chrono::steady_clock;

// To one name server, before the next one is asked, and then once more, for twice as long. Two may
// be silent to one of the two questions, and the answer to the other counts still within
// limits::name_lookup_max.
constexpr int kServerTimeoutMs = 700, kTries = 2;
constexpr int kWorkerWaitMs = 1000;

void poke(int descriptor) {
  const std::uint64_t one = 1;
  (void)!::write(descriptor, &one, sizeof one);
}
void unpoke(int descriptor) {
  std::uint64_t count = 0;
  (void)!::read(descriptor, &count, sizeof count);
}

std::vector<std::string> numbers_of(const ares_addrinfo& found) {
  std::vector<std::string> numbers;
  for (const ares_addrinfo_node* each = found.nodes; each != nullptr; each = each->ai_next) {
    char text[NI_MAXHOST] = {};
    if (::getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof text, nullptr, 0,
                      NI_NUMERICHOST) != 0) {
      continue;
    }
    std::string number = each->ai_family == AF_INET6 ? "[" + std::string(text) + "]" : text;
    if (std::ranges::find(numbers, number) == numbers.end()) numbers.push_back(std::move(number));
    if (numbers.size() == limits::addresses_of_a_name_max) break;
  }
  return numbers;
}

}  // namespace

// One look-up with a channel of its own, so that it reads resolv.conf as it is now and ends when it
// is told to.
class Resolver::LookUp {
 public:
  explicit LookUp(const std::string& host)
      : answer_{host, {}, ""}, deadline_(Clock::now() + limits::name_lookup_max) {
    ares_options options{};
    options.timeout = kServerTimeoutMs;
    options.tries = kTries;
    const int status =
        ::ares_init_options(&channel_, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
    if (status != ARES_SUCCESS) {
      finish(::ares_strerror(status));
      return;
    }
    ares_addrinfo_hints hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    const auto done = [](void* self, int result, int, ares_addrinfo* found) {
      auto* look_up = static_cast<LookUp*>(self);
      if (result == ARES_SUCCESS && found != nullptr) {
        look_up->answer_.numbers = numbers_of(*found);
      }
      if (found != nullptr) ::ares_freeaddrinfo(found);
      const bool is_known =
          result == ARES_SUCCESS || result == ARES_ENOTFOUND || result == ARES_ENODATA;
      look_up->finish(look_up->answer_.numbers.empty() ? ::ares_strerror(result) : "", is_known);
    };
    ::ares_getaddrinfo(channel_, host.c_str(), nullptr, &hints, done, this);
  }
  ~LookUp() {
    if (channel_ != nullptr) ::ares_destroy(channel_);
  }
  LookUp(const LookUp&) = delete;

  void add_to(std::vector<pollfd>& items) const {
    std::array<ares_socket_t, ARES_GETSOCK_MAXNUM> sockets{};
    const int bits = ::ares_getsock(channel_, sockets.data(), ARES_GETSOCK_MAXNUM);
    for (int i = 0; i < ARES_GETSOCK_MAXNUM; ++i) {
      short events = 0;
      if (ARES_GETSOCK_READABLE(bits, i)) events |= POLLIN;
      if (ARES_GETSOCK_WRITABLE(bits, i)) events |= POLLOUT;
      if (events != 0) items.push_back({sockets[static_cast<std::size_t>(i)], events, 0});
    }
  }
  int wait_ms() const {
    timeval most{kWorkerWaitMs / 1000, 0}, out{};
    const timeval* due = ::ares_timeout(channel_, &most, &out);
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
    const auto ms = static_cast<std::int64_t>(due->tv_sec) * 1000 + due->tv_usec / 1000 + 1;
    return static_cast<int>(std::clamp<std::int64_t>(std::min<std::int64_t>(ms, left), 0, 1000));
  }
  // What came in at `descriptor` for it, if that is one of its own; and what time has brought.
  void go_on(const std::vector<pollfd>& items) {
    std::vector<pollfd> own;
    add_to(own);
    for (const pollfd& item : items) {
      const bool is_own =
          std::ranges::any_of(own, [&item](const pollfd& each) { return each.fd == item.fd; });
      if (is_own && item.revents != 0 && !done_) {
        ::ares_process_fd(channel_, (item.revents & ~POLLOUT) != 0 ? item.fd : ARES_SOCKET_BAD,
                          (item.revents & POLLOUT) != 0 ? item.fd : ARES_SOCKET_BAD);
      }
    }
    if (!done_) ::ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    if (!done_ && Clock::now() >= deadline_) {
      answer_.numbers.clear();
      finish("no name server answered in time");
    }
  }
  bool done() const { return done_; }
  const Resolver::Answer& answer() const { return answer_; }

 private:
  void finish(const char* error, bool is_known = false) {
    if (done_) return;  // cancelled after its time was up
    answer_.is_known = is_known;
    answer_.error = error;
    done_ = true;
  }

  Resolver::Answer answer_;
  Clock::time_point deadline_;
  ares_channel channel_ = nullptr;
  bool done_ = false;
};

struct Resolver::Shared {
  std::mutex mutex;
  std::deque<std::string> asked;
  std::set<std::string> open;  // asked and not answered
  std::vector<Answer> answers;
  bool ends = false;
  const int wakes_worker = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  const int wakes_owner = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  ~Shared() {
    ::close(wakes_worker);
    ::close(wakes_owner);
  }
};

// What runs in the thread.
class Resolver::Worker {
 public:
  explicit Worker(Shared& shared) : shared_(shared) {}

  void run() {
    while (take_new()) {
      wait();
      for (const auto& each : running_) each->go_on(items_);
      give_back();
    }
  }

 private:
  // False when it is to end.
  bool take_new() {
    const std::lock_guard lock(shared_.mutex);
    while (!shared_.asked.empty() && running_.size() < limits::name_lookups_max) {
      running_.push_back(std::make_unique<LookUp>(shared_.asked.front()));
      shared_.asked.pop_front();
    }
    return !shared_.ends;
  }
  void wait() {
    items_ = {{shared_.wakes_worker, POLLIN, 0}};
    int wait_ms = running_.empty() ? -1 : kWorkerWaitMs;
    for (const auto& each : running_) {
      if (each->done()) {
        wait_ms = 0;
        continue;
      }
      each->add_to(items_);
      wait_ms = std::min(wait_ms, each->wait_ms());
    }
    if (::poll(items_.data(), items_.size(), wait_ms) < 0) {
      for (pollfd& item : items_) item.revents = 0;
    }
    if (items_[0].revents != 0) unpoke(shared_.wakes_worker);
  }
  void give_back() {
    const std::lock_guard lock(shared_.mutex);
    std::erase_if(running_, [this](const auto& each) {
      if (!each->done()) return false;
      shared_.open.erase(each->answer().host);
      shared_.answers.push_back(each->answer());
      poke(shared_.wakes_owner);
      return true;
    });
  }

  Shared& shared_;
  std::vector<std::unique_ptr<LookUp>> running_;
  std::vector<pollfd> items_;
};

Resolver::Resolver() : shared_(std::make_unique<Shared>()) {
  if (shared_->wakes_worker < 0 || shared_->wakes_owner < 0) {
    throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] {
    ::ares_library_init(ARES_LIB_INIT_ALL);
    Worker(*shared_).run();
    ::ares_library_cleanup();
  });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Resolver::~Resolver() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->ends = true;
  }
  poke(shared_->wakes_worker);
  thread_.join();
}

void Resolver::ask(const std::string& host) {
  {
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->open.insert(host).second) return;
    shared_->asked.push_back(host);
  }
  poke(shared_->wakes_worker);
}

int Resolver::descriptor() const { return shared_->wakes_owner; }

std::vector<Resolver::Answer> Resolver::take() {
  const std::lock_guard lock(shared_->mutex);
  if (shared_->answers.empty()) return {};
  unpoke(shared_->wakes_owner);
  return std::exchange(shared_->answers, {});
}

Resolver::Answer resolve_and_wait(const std::string& host) {
  if (is_number(host)) return {host, {host}, ""};
  Resolver resolver;
  resolver.ask(host);
  while (true) {
    pollfd item{resolver.descriptor(), POLLIN, 0};
    (void)::poll(&item, 1, kWorkerWaitMs);
    const auto answers = resolver.take();
    if (!answers.empty()) return answers.front();
  }
}

}  // namespace radixmesh
