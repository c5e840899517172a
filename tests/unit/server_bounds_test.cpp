// What clients of the engine's socket can make the server keep and do: each bound at its edge, on
// real sockets and a clock that the test turns.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>

#include "ipc/server.h"
#include "lib/base/limits.h"

namespace radixmesh::ipc {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

TimePoint present{};
TimePoint clock_now() { return present; }

// `slow` takes 4 ms, `large` is answered with 1 MiB; any other method with nil.
class TimedService : public Service {
 public:
  std::vector<ClientId> served;
  tl::expected<void, Refusal> call(ClientId client, std::string_view method, Params&,
                                   Packer& result, bool&) override {
    served.push_back(client);
    if (method == "slow") present += 4ms;
    if (method == "large") {
      const std::string text(1024 * 1024, 'x');
      pack_text(result, text);
    } else {
      result.pack_nil();
    }
    return {};
  }
  bool may_go_on(ClientId) override { return true; }
  void closed(ClientId) override { ++gone; }
  int gone = 0;
};

std::string request(std::string_view method) {
  std::string body;
  Buffer buffer{body};
  Packer packer(buffer);
  packer.pack_array(4);
  packer.pack_uint8(0);
  packer.pack_uint8(1);
  pack_text(packer, method);
  packer.pack_map(0);
  return length_bytes(body.size()) + body;
}

class Bench {
 public:
  Bench() {
    std::string name = fs::temp_directory_path() / "radixmesh-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder = name;
    server = std::make_unique<Server>(folder / "s", service, &clock_now);
  }
  ~Bench() {
    for (int each : clients) ::close(each);
    server.reset();
    fs::remove_all(folder);
  }

  int connect() {
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    (folder / "s").string().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    ::fcntl(descriptor, F_SETFL, O_NONBLOCK);
    clients.push_back(descriptor);
    return descriptor;
  }
  // As much as the socket takes now.
  static std::size_t send(int descriptor, std::string_view bytes) {
    const ssize_t sent = ::send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }
  static bool is_open(int descriptor) {
    char byte;
    const ssize_t got = ::recv(descriptor, &byte, 1, MSG_PEEK);
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
  }
  void turn() {
    std::vector<Server::PollItem> items;
    server->poll_items(items);
    std::vector<pollfd> polled;
    for (const auto& item : items) polled.push_back({item.descriptor, item.events, 0});
    ::poll(polled.data(), polled.size(), 0);
    server->begin_turn();
    for (const pollfd& item : polled) {
      if (item.revents != 0) server->serve(item.fd, item.revents);
    }
    server->serve_requests();
    server->serve_waiting();
  }
  void turns(int count) {
    for (int i = 0; i < count; ++i) turn();
  }
  void pass(Duration time) {
    present += time;
    server->look_after();
  }
  const Server::Counts& counts() const { return server->counts(); }

  fs::path folder;
  TimedService service;
  std::unique_ptr<Server> server;
  std::vector<int> clients;
};

TEST_CASE("a client that never made a whole request is cut in time, one that did may be idle") {
  Bench bench;
  const int silent = bench.connect(), begun = bench.connect(), idle = bench.connect();
  Bench::send(begun, request("any").substr(0, 6));
  Bench::send(idle, request("any"));
  bench.turns(2);
  bench.pass(limits::ipc_silent_max - 1ms);
  for (int each : {silent, begun, idle}) CHECK(Bench::is_open(each));
  bench.pass(1ms);
  CHECK(!Bench::is_open(silent));
  CHECK(!Bench::is_open(begun));
  CHECK(bench.counts().cut_silent == 2);
  bench.pass(1h);
  bench.turn();
  CHECK(Bench::is_open(idle));
  CHECK(bench.counts().cut == 2);
}

TEST_CASE("who leaves a frame unfinished is cut in time, also byte by byte") {
  Bench bench;
  const int client = bench.connect();
  Bench::send(client, request("any") + request("any").substr(0, 5));
  bench.turns(2);
  bench.pass(limits::ipc_silent_max - 1ms);
  Bench::send(client, request("any").substr(5, 1));
  bench.turn();
  CHECK(Bench::is_open(client));
  bench.pass(1ms);
  CHECK(bench.counts().cut_unfinished == 1);
  CHECK(bench.service.gone == 1);
}

TEST_CASE("when all places are taken, those that never asked go first, the oldest of them") {
  Bench bench;
  const int asked = bench.connect();
  Bench::send(asked, request("any"));
  bench.turns(2);
  std::vector<int> silent;
  for (std::size_t i = 1; i < limits::ipc_clients_max; ++i) {
    silent.push_back(bench.connect());
    if (i % 32 == 0) bench.turn();
  }
  bench.turns(4);
  CHECK(bench.counts().cut == 0);
  const int engine = bench.connect();
  Bench::send(engine, request("any"));
  bench.turns(2);
  CHECK(bench.counts().cut_for_place == 1);
  CHECK(!Bench::is_open(silent[0]));
  CHECK(Bench::is_open(silent[1]));
  CHECK(Bench::is_open(asked));
  CHECK(bench.service.served.size() == 2);
  CHECK(bench.service.served.back() == limits::ipc_clients_max + 1);
}

TEST_CASE("when all clients have asked, new ones wait, and nobody goes for them") {
  Bench bench;
  for (std::size_t i = 0; i < limits::ipc_clients_max; ++i) {
    Bench::send(bench.connect(), request("any"));
    if (i % 32 == 0) bench.turn();
  }
  bench.turns(6);
  CHECK(bench.service.served.size() == limits::ipc_clients_max);
  Bench::send(bench.connect(), request("any"));
  bench.turns(3);
  CHECK(bench.service.served.size() == limits::ipc_clients_max);
  ::close(bench.clients[0]);
  bench.clients.erase(bench.clients.begin());
  bench.turns(3);
  CHECK(bench.service.served.size() == limits::ipc_clients_max + 1);
  CHECK(bench.counts().cut == 0);
}

TEST_CASE("a turn serves requests until its time is over, and clients take turns") {
  Bench bench;
  const int first = bench.connect(), second = bench.connect();
  for (int i = 0; i < 20; ++i) Bench::send(first, request("slow"));
  for (int i = 0; i < 2; ++i) Bench::send(second, request("slow"));
  bench.turn();  // accepts
  const TimePoint began = present;
  bench.turn();
  CHECK(present - began == 12ms);  // the one that passes 10 ms is the last
  CHECK(bench.server->has_backlog());
  CHECK(bench.counts().turns_cut_short == 1);
  bench.turn();
  CHECK(bench.service.served == std::vector<ClientId>{1, 1, 1, 2, 2, 1});
  for (int i = 0; i < 8; ++i) bench.turn();
  CHECK(bench.service.served.size() == 22);
  CHECK(!bench.server->has_backlog());
}

TEST_CASE("input of all clients is bounded, and small requests are served all the same") {
  Bench bench;
  const std::string head = length_bytes(limits::ipc_frame_bytes_max);
  const std::string part(256 * 1024, '\x94');
  std::vector<int> greedy;
  for (int i = 0; i < 40; ++i) {
    greedy.push_back(bench.connect());
    Bench::send(greedy.back(), head);
  }
  bench.turn();
  std::size_t sent = 0;
  // No frame gets whole.
  std::vector<std::size_t> left(greedy.size(), limits::ipc_frame_bytes_max - 1);
  for (int round = 0; round < 200; ++round) {
    for (std::size_t i = 0; i < greedy.size(); ++i) {
      const std::size_t taken = Bench::send(greedy[i], std::string_view(part).substr(0, left[i]));
      left[i] -= taken;
      sent += taken;
    }
    bench.turn();
  }
  CHECK(bench.counts().input_full > 0);
  // Beside what is kept here the kernel keeps what each socket takes.
  CHECK(sent < limits::ipc_input_all_bytes_max + 40 * 1024 * 1024);
  const int engine = bench.connect();
  Bench::send(engine, request("any"));
  bench.turns(2);
  CHECK(bench.service.served.size() == 1);
  bench.pass(limits::ipc_silent_max);
  CHECK(bench.counts().cut_silent == 40);
}

TEST_CASE("of clients that do not read, the one for which the most waits is cut") {
  Bench bench;
  std::vector<int> lazy;
  // Each stops being served at half of what one may have.
  const std::size_t each_max = limits::ipc_output_bytes_max / 2;
  const std::size_t count = limits::ipc_output_all_bytes_max / each_max + 2;
  for (std::size_t i = 0; i < count; ++i) {
    lazy.push_back(bench.connect());
    for (int j = 0; j < 40; ++j) Bench::send(lazy.back(), request("large"));
  }
  for (int i = 0; i < 20; ++i) bench.turn();
  CHECK(bench.counts().cut_unread_all > 0);
  CHECK(bench.counts().cut_unread_all < count);
  CHECK(bench.counts().cut_unread == 0);
}

TEST_CASE("so many clients subscribe and no more") {
  Bench bench;
  for (std::size_t i = 0; i <= limits::ipc_subscribers_max; ++i) bench.connect();
  bench.turns(3);
  for (ClientId id = 1; id <= limits::ipc_subscribers_max; ++id) {
    CHECK(bench.server->admit_subscriber(id));
    CHECK(bench.server->admit_subscriber(id));
  }
  CHECK(!bench.server->admit_subscriber(limits::ipc_subscribers_max + 1));
  CHECK(bench.counts().subscribers_refused == 1);
}

}  // namespace
}  // namespace radixmesh::ipc
