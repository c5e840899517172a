#include "tests/bench/mesh_bench_bare.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <zmq.hpp>

#include "tests/bench/sidecars.h"

namespace radixmesh::bench {
namespace {

constexpr std::uint64_t kMessagesPerTurn = 64;  // as the sidecar's loop has it
constexpr int kPatienceMs = 30'000;
constexpr char kFlood = 'F', kOne = 'O';  // the first byte of a message

// What goes over the socket pair between the bench and a node. All processes run on one machine, so
// their steady clocks agree.
struct Note {
  enum class Kind : std::uint32_t { port, connect, linked, flood, done, one, sent, seen } kind;
  std::uint32_t size = 0;      // of what follows (connect, one)
  std::uint64_t count = 0;     // port; messages to publish
  std::uint64_t expected = 0;  // messages to receive
  std::uint64_t bytes = 0;     // of each message
  std::int64_t at_ns = 0;
};

std::int64_t now_ns() { return std::chrono::nanoseconds(Clock::now().time_since_epoch()).count(); }

void write_all(int descriptor, const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t sent = ::send(descriptor, at, size, MSG_NOSIGNAL);
    if (sent <= 0) throw std::runtime_error("a bare node is gone");
    at += sent;
    size -= static_cast<std::size_t>(sent);
  }
}

void read_all(int descriptor, void* data, std::size_t size) {
  char* at = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t got = ::recv(descriptor, at, size, 0);
    if (got <= 0) throw std::runtime_error("a bare node is gone");
    at += got;
    size -= static_cast<std::size_t>(got);
  }
}

Note read_note(int descriptor, Note::Kind kind) {
  pollfd item{descriptor, POLLIN, 0};
  if (::poll(&item, 1, kPatienceMs) == 0) throw std::runtime_error("a bare node says nothing");
  Note note{};
  read_all(descriptor, &note, sizeof note);
  if (note.kind != kind) throw std::runtime_error("a bare node says something unexpected");
  return note;
}

// ---- a node ------------------------------------------------------------------------------------

class BareNode {
 public:
  explicit BareNode(int link)
      : link_(link),
        context_(1),
        publisher_(context_, zmq::socket_type::xpub),
        subscriber_(context_, zmq::socket_type::sub) {
    publisher_.set(zmq::sockopt::sndhwm, 0);
    publisher_.set(zmq::sockopt::linger, 0);
    publisher_.set(zmq::sockopt::xpub_verbose, 1);
    publisher_.bind("tcp://127.0.0.1:*");
    subscriber_.set(zmq::sockopt::rcvhwm, 0);
    subscriber_.set(zmq::sockopt::linger, 0);
    subscriber_.set(zmq::sockopt::subscribe, "");
    const std::string bound = publisher_.get(zmq::sockopt::last_endpoint);
    tell({.kind = Note::Kind::port, .count = std::stoull(bound.substr(bound.rfind(':') + 1))});
  }

  [[noreturn]] void run() {
    while (true) {
      zmq::pollitem_t items[] = {{nullptr, link_, ZMQ_POLLIN, 0},
                                 {subscriber_.handle(), 0, ZMQ_POLLIN, 0}};
      zmq::poll(items, 2, std::chrono::milliseconds(to_send_ > 0 ? 0 : -1));
      if (items[0].revents != 0) obey();
      if (items[1].revents != 0) receive();
      for (std::uint64_t i = 0; i < kMessagesPerTurn && to_send_ > 0; ++i, --to_send_) {
        publish(kFlood, flood_bytes_);
      }
      if (flooding_ && to_send_ == 0 && received_ == expected_) {
        flooding_ = false;
        received_ = 0;
        tell({.kind = Note::Kind::done, .at_ns = now_ns()});
      }
    }
  }

 private:
  void tell(const Note& note) { write_all(link_, &note, sizeof note); }

  void obey() {
    Note note{};
    read_all(link_, &note, sizeof note);
    std::string rest(note.size, '\0');
    read_all(link_, rest.data(), rest.size());
    if (note.kind == Note::Kind::connect) {
      connect(rest);
    } else if (note.kind == Note::Kind::flood) {
      to_send_ = note.count;
      expected_ = note.expected;
      flood_bytes_ = note.bytes;
      flooding_ = true;
    } else {
      const std::int64_t before = now_ns();
      publish(kOne, note.bytes);
      tell({.kind = Note::Kind::sent, .at_ns = before});
    }
  }

  // `ports` are those of the others, two bytes each. Returns once all of them subscribed here.
  void connect(const std::string& ports) {
    for (std::size_t i = 0; i < ports.size(); i += 2) {
      const int port =
          static_cast<std::uint8_t>(ports[i]) << 8 | static_cast<std::uint8_t>(ports[i + 1]);
      subscriber_.connect("tcp://127.0.0.1:" + std::to_string(port));
    }
    for (std::size_t i = 0; i < ports.size() / 2; ++i) {
      zmq::message_t subscription;
      (void)publisher_.recv(subscription);
    }
    tell({.kind = Note::Kind::linked});
  }

  void publish(char first, std::size_t bytes) {
    zmq::message_t message(bytes);
    std::memset(message.data(), first, bytes);
    publisher_.send(message, zmq::send_flags::dontwait);
  }

  void receive() {
    zmq::message_t message;
    for (std::uint64_t i = 0; i < kMessagesPerTurn; ++i) {
      if (!subscriber_.recv(message, zmq::recv_flags::dontwait)) return;
      if (*message.data<char>() == kFlood) {
        ++received_;
      } else {
        tell({.kind = Note::Kind::seen, .at_ns = now_ns()});
      }
    }
  }

  int link_;
  zmq::context_t context_;
  zmq::socket_t publisher_, subscriber_;
  bool flooding_ = false;
  std::uint64_t to_send_ = 0, expected_ = 0, received_ = 0;
  std::size_t flood_bytes_ = 0;
};

}  // namespace

// ---- the bench's side --------------------------------------------------------------------------

BareMesh::BareMesh(std::size_t nodes) {
  std::vector<std::uint64_t> ports;
  for (std::size_t i = 0; i < nodes; ++i) {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
      throw std::runtime_error("no socket pair");
    }
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (const Node& other : nodes_) ::close(other.link);
      ::close(ends[0]);
      try {
        BareNode(ends[1]).run();
      } catch (const std::exception&) {
        ::_exit(0);  // the bench has ended
      }
    }
    ::close(ends[1]);
    nodes_.push_back({pid, ends[0]});
  }
  for (const Node& node : nodes_) ports.push_back(read_note(node.link, Note::Kind::port).count);
  for (std::size_t i = 0; i < nodes; ++i) {
    std::string others;
    for (std::size_t j = 0; j < nodes; ++j) {
      if (j == i) continue;
      others.push_back(static_cast<char>(ports[j] >> 8));
      others.push_back(static_cast<char>(ports[j]));
    }
    const Note note{.kind = Note::Kind::connect, .size = static_cast<std::uint32_t>(others.size())};
    write_all(nodes_[i].link, &note, sizeof note);
    write_all(nodes_[i].link, others.data(), others.size());
  }
  for (const Node& node : nodes_) read_note(node.link, Note::Kind::linked);
}

BareMesh::~BareMesh() {
  for (const Node& node : nodes_) {
    ::close(node.link);
    ::kill(node.pid, SIGKILL);
    ::waitpid(node.pid, nullptr, 0);
  }
}

double BareMesh::cpu_seconds() const {
  double sum = 0;
  for (const Node& node : nodes_) sum += cpu_seconds_of(node.pid);
  return sum;
}

BareMesh::Flood BareMesh::flood(std::size_t publishers, std::uint64_t messages, std::size_t bytes) {
  const double before = cpu_seconds();
  const std::int64_t start = now_ns();
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const bool publishes = i < publishers;
    const Note note{.kind = Note::Kind::flood,
                    .count = publishes ? messages : 0,
                    .expected = messages * (publishers - (publishes ? 1 : 0)),
                    .bytes = bytes};
    write_all(nodes_[i].link, &note, sizeof note);
  }
  std::int64_t last = start;
  for (const Node& node : nodes_) {
    last = std::max(last, read_note(node.link, Note::Kind::done).at_ns);
  }
  return {static_cast<double>(last - start) * 1e-9, cpu_seconds() - before};
}

BareMesh::Trip BareMesh::publish_one(const std::string& request, std::size_t bytes) {
  const Note note{
      .kind = Note::Kind::one, .size = static_cast<std::uint32_t>(request.size()), .bytes = bytes};
  std::string whole(reinterpret_cast<const char*>(&note), sizeof note);
  whole += request;
  std::vector<pollfd> items;
  for (const Node& node : nodes_) items.push_back({node.link, POLLIN, 0});
  const std::int64_t start = now_ns();
  write_all(nodes_.front().link, whole.data(), whole.size());
  std::int64_t sent = 0, seen = 0, noted = 0;
  for (std::size_t missing = nodes_.size(); missing > 0;) {
    if (::poll(items.data(), items.size(), kPatienceMs) == 0) {
      throw std::runtime_error("a bare message was lost");
    }
    const std::int64_t now = now_ns();
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (items[i].revents == 0) continue;
      --missing;
      if (i == 0) {
        sent = read_note(items[i].fd, Note::Kind::sent).at_ns;
      } else {
        seen = std::max(seen, read_note(items[i].fd, Note::Kind::seen).at_ns);
        noted = now;
      }
    }
  }
  return {static_cast<double>(seen - sent) * 1e-3, static_cast<double>(noted - start) * 1e-3};
}

}  // namespace radixmesh::bench
