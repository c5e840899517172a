// The sidecar's end of the engine's socket: accepts clients, cuts their bytes into requests, and
// writes the answers. What the methods do is the Service's; see PROTOCOL.md for the rules kept
// here.
//
// One thread. A turn of the owner's loop is
//
//   poll_items() ─► wait ─► begin_turn() ─► serve() each ─► serve_requests() ─► ... serve_waiting()
//
// Bytes are read first, then requests are carried out as far as the turn's time goes, one client
// after the other, beginning after the one that was served last. Everything that a client makes the
// server keep has a bound of its own and one in all (limits.h); what is done at each bound stands
// at the member that counts it. Nobody waits for a client.
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
#include "lib/base/time.h"

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
  using Clock = TimePoint (*)();
  Server(const std::string& path, Service& service, Clock clock);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  struct PollItem {
    int descriptor;
    short events;  // POLLIN, POLLOUT
  };
  void poll_items(std::vector<PollItem>& out);
  void begin_turn();
  // Accepts, reads or writes what can be on a descriptor of poll_items() without waiting, up to a
  // bound.
  void serve(int descriptor, short revents);
  // Carries out requests that have come, as far as the turn's time goes. Where has_backlog() then,
  // the next turn should follow at once.
  void serve_requests();
  bool has_backlog() const;
  // Tries once more what was to be answered later and may be by now. To be called every turn.
  void serve_waiting();
  // Cuts who has been silent for too long. To be called about every second.
  void look_after();

  // False where there are as many subscribers as may be; to be asked before subscribe().
  bool admit_subscriber(ClientId client);
  void subscribe(ClientId client, EventKind kind);
  bool wanted(EventKind kind) const;
  // Sends [2, method, params] to those that subscribed, or to one of them; `params` is one packed
  // value. A gc_free is never dropped: who does not read what it is told to free is cut.
  void notify(EventKind kind, std::string_view method, std::string_view params,
              std::optional<ClientId> only = {});

  struct Counts {
    std::uint64_t clients = 0, requests = 0, refused = 0, notifications_dropped = 0;
    std::uint64_t cut = 0;  // for any reason but the end of the stream
    // Of these: no whole request in time; a frame begun and not finished in time, or nothing read
    // of the last answers; silent, and its place was wanted; more unread output than one may have;
    // the most of it, when all had too much.
    std::uint64_t cut_silent = 0, cut_unfinished = 0, cut_for_place = 0, cut_unread = 0,
                  cut_unread_all = 0;
    // Turns in which not everybody was read, as there was too much input; turns that left requests
    // to the next one, as their time was over; subscriptions that were refused.
    std::uint64_t input_full = 0, turns_cut_short = 0, subscribers_refused = 0;
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
    bool asked = false;   // a whole request came
    bool subscribes = false;
    TimePoint moved{};         // connected, or its bytes last went in or out
    TimePoint since{};         // connected
    TimePoint begun = kNever;  // the frame that is not whole yet, unless it could not be read on

    std::size_t unread() const { return output.size() - written; }
    std::size_t input_bytes() const { return input.memory_bytes() + waiting.capacity(); }
  };

  static bool can_go_on(const Client& client);
  static bool wants_input(const Client& client);
  bool may_read(const Client& client) const;
  const Client* oldest_silent() const;
  void cut(int descriptor, std::uint64_t& why);
  void bound_output();
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
  const Clock clock_;
  TimePoint now_{}, until_{};  // of this turn
  int served_last_ = -1;
  std::size_t input_bytes_ = 0;       // of all clients
  const Client* reads_on_ = nullptr;  // who may although that is too much
  std::unique_ptr<SocketFile> socket_;
  int spare_ = -1;  // given up for a moment when there are no descriptors left
  ClientId next_client_ = 1;
  std::map<int, std::unique_ptr<Client>> clients_;
  Counts counts_;
};

}  // namespace radixmesh::ipc
