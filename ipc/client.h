// The C++ client: the verbs of PROTOCOL.md, blocking, each with a deadline.
//
//   radixmesh::ipc::Client mesh("/run/radixmesh/p0.sock");
//   auto match = mesh.match_prefix(tokens);            // match.local_length, match.depths ...
//   auto lease = mesh.acquire(tokens);                 // locked until lease.release() or its end
//   auto done = mesh.insert(tokens, {{Slot{100}, tokens.size()}});
//
// Errors are exceptions: CallError carries the code of the refusal and leaves the connection
// usable; ConnectionError means that it is not. Not thread-safe: one client per thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <msgpack.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "lib/base/cache_namespace.h"
#include "lib/base/ids.h"
#include "lib/base/packer.h"
#include "lib/base/refusal.h"
#include "lib/tree/slot_runs.h"

namespace radixmesh::ipc {

// The sidecar said no; `code` says what to do.
struct CallError : std::runtime_error {
  RefusalCode code;
  CallError(RefusalCode code, const std::string& message)
      : std::runtime_error(std::string(refusal_name(code)) + ": " + message), code(code) {}
};
// No sidecar, no answer in time, or an answer that breaks the protocol. The connection is closed.
struct ConnectionError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Segment {
  std::uint32_t begin = 0, end = 0;
  std::string addr;
  std::optional<SlotRuns> slots;
};
struct MatchResult {
  std::uint32_t length = 0, local_length = 0;  // tokens
  SlotRuns local_slots;
  std::map<std::string, std::uint32_t> depths;  // "host:port" -> tokens, this node included
  std::vector<Segment> segments;
};
struct Inserted {
  std::uint32_t prefix_len = 0, stored = 0;  // tokens
  SlotRuns freed;
};
struct RouteTarget {
  std::string addr;
  std::uint32_t rank = 0, depth = 0;
};
struct Evicted {
  SlotRuns freed;
  std::uint64_t retiring = 0;  // tokens that go once no other node reads them: ask again
};
// From where the node that computes should read KV, where engines can (`--pull-rate`): it has
// `depth` tokens of the prompt, and the last `tokens` of these come sooner than they are computed.
struct RouteSource {
  std::string addr;
  std::uint32_t depth = 0, tokens = 0;
};
struct RouteResult {
  std::optional<RouteTarget> prefill, decode;
  std::optional<RouteSource> source;
  std::string reason;
  std::optional<std::uint64_t> booking;  // to be ended by prefill_done() and finish()
};
struct RedirectResult {
  std::optional<RouteTarget> target;  // nothing: stay
  std::optional<RouteSource> source;
  std::string reason;
};

// A MessagePack value that owns its memory.
using Answer = msgpack::object_handle;

class Client;

// A lock on the local part of a match, and where it was asked for a reference to what another node
// has beyond that. Released at the end of its life; move-only.
class Lease {
 public:
  MatchResult match;
  std::vector<Segment> segments;  // what the lease covers, in order
  // Whether what was read under it, here or there, may be used: to be asked after the read.
  bool is_valid();
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();
  void release();  // a second call does nothing

 private:
  friend class Client;
  Lease(Client* client, std::uint64_t id, MatchResult match, std::vector<Segment> segments);
  Client* client_;
  std::uint64_t id_;
};

class Client {
 public:
  using Milliseconds = std::chrono::milliseconds;

  // Connects. `path` empty: $RADIXMESH_SOCKET. `timeout` bounds every call as a whole.
  explicit Client(std::string path, Milliseconds timeout = Milliseconds(5000));
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  Inserted insert(std::span<const TokenId> tokens, const SlotRuns& slots,
                  const CacheNamespace& name = {});
  // Without `touch` it is no use of what is here: who only looks does not keep it from eviction.
  MatchResult match_prefix(std::span<const TokenId> tokens, const CacheNamespace& name = {},
                           bool touch = true);
  // `remote`: beyond what is here, a reference on another holder: `source` (as `route` names it) or
  // else the best; waits for it up to half a second, then for the next best; up to 2 s in all.
  Lease acquire(std::span<const TokenId> tokens, const CacheNamespace& name = {},
                bool remote = false, std::string_view source = {});
  Evicted evict(std::uint64_t num_tokens);
  SlotRuns remove(std::span<const TokenId> tokens, const CacheNamespace& name = {});  // `delete`
  SlotRuns reset();
  // With `book` the nodes named are promised the work until the booking is ended, or expires.
  RouteResult route(std::span<const TokenId> tokens, const CacheNamespace& name = {},
                    bool book = true);
  // `hit_tokens`: how much of the prompt was really cached, if the engine says.
  void prefill_done(std::uint64_t booking, std::optional<std::uint64_t> hit_tokens = {});
  void finish(std::uint64_t booking);
  void finish_warm_up();
  // `visited`: addresses of the nodes that had the request before.
  RedirectResult redirect(std::span<const TokenId> tokens, const CacheNamespace& name = {},
                          const std::vector<std::string>& visited = {});
  // Requests; tokens of KV, used ones without what is cached and free to go; tokens to be computed
  // for requests that wait; prompt tokens computed in a second.
  void report_load(std::uint32_t running, std::uint32_t waiting, std::uint64_t kv_used,
                   std::uint64_t kv_total, std::optional<std::uint64_t> queued_tokens = {},
                   std::optional<std::uint64_t> prefill_rate = {});

  // A member that joined and is gone for good is forgotten, everywhere; refused for one that lives
  // or is listed. Nothing, or how long a lease keeps it from that at the node asked.
  Milliseconds member_remove(std::string_view addr);
  // The node leaves the mesh, and its process ends.
  void drain();

  // As PROTOCOL.md shows them. An engine says who it is by `engine_token`: then the answer comes
  // only when what a former life of the node held for it is back, or cannot be had. `known`:
  // nothing older is taken back; epoch 0: the engine knows of none.
  struct KnownState {
    std::uint64_t epoch = 0, seq = 0;
  };
  Answer hello(std::string_view client_name, std::string_view engine_token, KnownState known);
  Answer hello(std::string_view client_name, std::string_view engine_token = {}) {
    return hello(client_name, engine_token, KnownState{});
  }
  Answer explain(std::span<const TokenId> tokens, const CacheNamespace& name = {});
  // What collecting duplicates would let go; `run`: a round begins.
  Answer gc(bool run = false);
  // The slots of this gc_free were freed.
  void acknowledge_free(std::uint64_t number);
  Answer status();
  Answer nodes();
  Answer tree(std::uint64_t skip, std::uint64_t limit,
              const std::optional<std::string>& holder = {});

  // Turns this connection into one of events; next_event() then waits, without limit, for
  // [2, method, params]. Where none is at hand it answers nothing once `stop` is readable (-1:
  // never).
  void subscribe(const std::vector<std::string>& events);
  std::optional<Answer> next_event(int stop = -1);

 private:
  friend class Lease;
  using Clock = std::chrono::steady_clock;
  using Fill = std::function<void(Packer&)>;

  Answer call(std::string_view method, std::uint32_t params, const Fill& fill);
  void check_response(const msgpack::object& object, std::uint32_t id);
  void release(std::uint64_t lease);
  bool is_valid(std::uint64_t lease);
  void connect(const std::string& path);
  void send_all(std::string_view bytes, Clock::time_point deadline);
  std::string read_frame(std::optional<Clock::time_point> deadline, int stop);
  void wait_for(short events, std::optional<Clock::time_point> deadline);
  [[noreturn]] void fail(const std::string& why);

  int descriptor_ = -1;
  Milliseconds timeout_;
  std::uint32_t next_id_ = 1;
  std::string why_closed_;
  struct Input;
  std::unique_ptr<Input> input_;
};

}  // namespace radixmesh::ipc
