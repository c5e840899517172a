// The sidecar's end of the engine's socket: accepts clients, cuts their bytes into requests, and
// writes the answers. What the methods do is the Service's; see PROTOCOL.md for the rules kept
// here.
//
// One thread: the owner polls the descriptors of poll_items() and calls serve(). A client that does
// not read is bounded, then cut; nobody waits for it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "ipc/framing.h"
#include "ipc/packing.h"
#include "ipc/params.h"
#include "lib/base/refusal.h"

namespace radixmesh::ipc {

using ClientId = std::uint64_t;

// What an event is about; a client subscribes to some.
enum class EventKind : std::uint8_t { op = 1, membership = 2, gc_free = 4, gc_advice = 8 };

class Service {
 public:
  virtual ~Service() = default;
  // Carries out one request. On success exactly one value was packed; on refusal nothing changed.
  // `answer_later` in place of an answer: nothing was packed, and the same request will come again
  // when the loop turns. Its connection waits, and no other.
  virtual tl::expected<void, Refusal> call(ClientId client, std::string_view method, Params& params,
                                           Packer& result, bool& answer_later) = 0;
  // Whether what was to be answered later to this client may be by now.
  virtual bool may_go_on(ClientId client) = 0;
  // The client is gone: whatever it held is to be released.
  virtual void closed(ClientId client) = 0;
};

// The socket cannot be opened; the message is one line for the operator.
struct SocketError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class SocketFile;

class Server {
 public:
  // Listens at `path`. A socket file that nobody answers is replaced; one that answers, or a file
  // of another kind, throws SocketError.
  Server(const std::string& path, Service& service);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  struct PollItem {
    int descriptor;
    short events;  // POLLIN, POLLOUT
  };
  void poll_items(std::vector<PollItem>& out) const;
  // Does what can be done on a descriptor of poll_items() without waiting, up to a bound.
  void serve(int descriptor, short revents);

  // Requests are waiting that the last serve() left, to be fair to others: call serve_backlog()
  // soon.
  bool has_backlog() const;
  void serve_backlog();
  // Tries once more what was to be answered later and may be by now. To be called every turn.
  void serve_waiting();

  void subscribe(ClientId client, EventKind kind);
  bool wanted(EventKind kind) const;
  // Sends [2, method, params] to those that subscribed, or to one of them; `params` is one packed
  // value. A gc_free is never dropped: who does not read what it is told to free is cut.
  void notify(EventKind kind, std::string_view method, std::string_view params,
              std::optional<ClientId> only = {});

  struct Counts {
    std::uint64_t clients = 0, requests = 0, refused = 0, cut = 0, notifications_dropped = 0;
  };
  const Counts& counts() const { return counts_; }

 private:
  struct Client {
    ClientId id = 0;
    FrameReader input;
    std::string output;
    std::size_t written = 0;  // of output
    std::uint8_t events = 0;
    bool closing = false;  // no more requests; closed once the output is written
    bool ended = false;    // it sends no more; what it asked is still answered
    bool backlog = false;
    std::string waiting;  // a request that is answered later
  };

  static bool can_go_on(const Client& client);
  void accept_clients();
  void read_from(int descriptor, Client& client);
  void handle_requests(Client& client);
  void handle(Client& client, std::string_view body);
  void handle_request(Client& client, std::uint32_t id, std::string_view method,
                      const msgpack::object& params, std::string_view body);
  void respond(Client& client, const std::uint32_t* id, const Refusal* refusal,
               std::string_view result);
  bool write_to(int descriptor, Client& client);
  void turn_away();
  void close_client(int descriptor);

  Service& service_;
  std::unique_ptr<SocketFile> socket_;
  int spare_ = -1;  // given up for a moment when there are no descriptors left
  ClientId next_client_ = 1;
  std::map<int, std::unique_ptr<Client>> clients_;
  Counts counts_;
};

}  // namespace radixmesh::ipc
