// A simulated network under real replicas: PUB/SUB that may drop, duplicate, delay and reorder
// whatever it likes, and question/answer links that do the same. Virtual time, one seed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "lib/replica.h"
#include "tests/sim/dials.h"

namespace radixmesh::sim {

// Chances are per message and per receiver.
struct Faults {
  double loss = 0, duplication = 0, reordering = 0, corruption = 0;
  Duration delay_mean = std::chrono::microseconds(300);
  Duration reorder_extra_max = std::chrono::milliseconds(60);
  double burst = 0;       // chance that a PUB link drops the next `burst_length` messages
  int burst_length = 40;  // as a full high-water mark does
  int in_flight_max = 0;  // published messages under way on one link; more are dropped. 0: no bound
  // Every message takes so long, and up to `jitter_max` more; nothing: as `delay_mean` says.
  std::optional<Duration> delay_fixed;
  Duration jitter_max = std::chrono::microseconds(5);
};

class Network {
 public:
  using Random = std::mt19937_64;

  Network(std::uint64_t seed, ReplicaSettings common);

  // ---- nodes -----------------------------------------------------------------------------------
  std::size_t size() const { return nodes_.size(); }
  Replica& replica(std::size_t node) { return *nodes_[node].replica; }
  bool running(std::size_t node) const {
    return node < nodes_.size() && nodes_[node].replica != nullptr;
  }
  void start(std::size_t node);  // a new life, with an epoch above all before, and nothing else
  void crash(std::size_t node);  // all state is gone; what is under way to it is lost
  // The process is stopped for a while: what comes meanwhile waits, its timers run late.
  void pause(std::size_t node, Duration duration) { nodes_[node].paused_until = now_ + duration; }
  bool paused(std::size_t node) const { return nodes_[node].paused_until > now_; }
  TimePoint awake_since(std::size_t node) const { return nodes_[node].paused_until; }
  // A node that is in nobody's lists: started, it asks `seeds` to be let in.
  std::size_t add_joiner(MemberSettings settings, std::vector<std::string> seeds);
  const std::string& addr(std::size_t node) const { return nodes_[node].member.addr; }
  NodeId id(const std::string& addr) const;
  // Whether the node ended by itself, having left.
  bool left(std::size_t node) const { return nodes_[node].left; }
  // What a restart adds to the time that an epoch is made of.
  void set_clock_step(std::size_t node, Duration step) { nodes_[node].clock_step = step; }
  // Everything that node sends or gets takes so much longer.
  void set_slowness(std::size_t node, Duration extra) { nodes_[node].slowness = extra; }

  // From now on nodes are told by names, and a message passes where a connection stands. Without it
  // each node reaches all others. To be said before any starts.
  void use_names(std::uint64_t seed, NameFaults name_faults) { dials_.emplace(seed, name_faults); }
  // A turn after which a node has work left.
  Duration turn_takes{};
  // What a seed stands for when this node asks; by itself it is an address. None: it is unknown.
  std::function<std::vector<std::string>(std::size_t node, const std::string& seed)> resolve;
  // All names resolve at once, and all connections can be made.
  void heal_names() {
    if (dials_) dials_->faults = {};
  }

  // ---- time ------------------------------------------------------------------------------------
  TimePoint now() const { return now_; }
  void run_for(Duration duration);
  // Runs until the condition holds, looking after each event; false if it does not within `limit`.
  bool run_until(const std::function<bool()>& condition, Duration limit);
  // Performs what the replica owes; to be called after each of its verbs.
  void perform(std::size_t node);
  // What some other process sends to a node: it is there at once, unless the node is stopped.
  void arrive(std::size_t node, const Input& input);

  Faults faults;
  // Links that are cut: what goes from the first to the second is lost.
  std::set<std::pair<std::size_t, std::size_t>> cut;
  // A partition: a node's messages reach its own side only. Empty: there is none.
  std::vector<int> side;
  Random random;

  // What one node's settings have that the others' do not; asked at each start.
  std::function<void(std::size_t, ReplicaSettings&)> adjust;
  // Told of each op that a replica applied: (node, event).
  std::function<void(std::size_t, const OpApplied&)> on_applied;
  // Told of what a replica now believes of a member: (node, event).
  std::function<void(std::size_t, const MembershipChanged&)> on_membership;
  // Told of the slots that a replica's engine is to free: (node, event).
  std::function<void(std::size_t, const GcFree&)> on_gc_free;
  // Told of all that a replica owes after one step or verb, before it is performed.
  std::function<void(std::size_t, const std::vector<Effect>&)> on_owed;
  // Told of the same, whoever else is.
  std::function<void(std::size_t, const std::vector<Effect>&)> on_owed_too;
  // May answer a question in place of the replica that it came to: (who asks, who is asked, what).
  std::function<std::optional<Bytes>(std::size_t, std::size_t, std::string_view)> answers_instead;
  // While a message is handled: who sent it.
  std::optional<std::size_t> arrived_from() const { return arrived_from_; }
  std::uint64_t messages = 0, bytes = 0;
  std::uint64_t op_messages = 0, op_bytes = 0;          // of these, the published ops
  std::uint64_t insert_messages = 0, insert_bytes = 0;  // of these, INSERTs
  bool keeps_log = true;
  std::vector<std::string> log_lines;

 private:
  // What goes from one node to another.
  struct Link {
    TimePoint last_arrival{};
    bool subscribed = false;            // the receiver, to what the sender publishes
    std::uint64_t subscribed_life = 0;  // of the sender: a restarted PUB has a new address
    bool watch_only = false;
    int burst = 0;  // messages still to drop
    int in_flight = 0;
  };
  struct Node {
    MemberSettings member;
    NodeId id;
    std::vector<std::string> join;
    std::unique_ptr<Replica> replica;
    std::uint64_t life = 0;
    bool left = false;
    std::map<NodeId, SubscribeTo> subscriptions;  // where connections carry them
    std::optional<std::uint32_t> group;           // to whose relayed lane it listens
    TimePoint paused_until{};
    Duration clock_step{}, slowness{};
    TimePoint deadline = kNever;
    std::vector<std::uint32_t> subscribers;  // in ascending order
    std::vector<Link> links;                 // to each node
  };
  // How a message goes in, there.
  enum class Way : std::uint8_t { published, question, answer, subscribed };
  // The bytes of a message, which all its receivers share; found by number.
  struct Parcel {
    Bytes bytes;
    std::uint32_t uses = 0;  // deliveries under way, and who is sending it; at 0 the number is free
  };
  using ParcelNumber = std::uint32_t;
  struct Event {
    TimePoint at;
    std::uint64_t order;
    std::uint32_t from, to;
    std::uint64_t life;  // of the receiver: dropped if it has another now
    ParcelNumber parcel;
    Way way;
    Channel channel;
    bool operator>(const Event& other) const {
      return std::tie(at, order) > std::tie(other.at, other.order);
    }
  };

  ReplicaSettings settings_of(std::size_t node) const;
  // Nobody is there where a corrupted frame named a node.
  std::size_t index_of(NodeId id) const {
    const auto found = index_.find(id);
    return found == index_.end() ? nodes_.size() : found->second;
  }
  bool chance(double probability);
  Duration delay();
  void send(std::size_t from, std::size_t to, const Bytes& sent, Way way,
            Channel channel = Channel::control);
  // Published ones may fall in a burst.
  void send_parcel(std::size_t from, std::size_t to, ParcelNumber parcel, Way way, Channel channel);
  void publish(std::size_t from, const Publish& what);
  ParcelNumber pack(Bytes bytes);
  void release(ParcelNumber parcel);
  Link& link(std::size_t from, std::size_t to) { return nodes_[from].links[to]; }
  Node& add_node(MemberSettings member);
  void subscribe(std::size_t subscriber, std::size_t publisher, std::uint64_t life, bool watch);
  void unsubscribe(std::size_t subscriber, std::size_t publisher);
  void unsubscribe_from_all(std::size_t subscriber);
  void deliver(const Event& event);
  bool is_connected(std::size_t from, std::size_t to, Way way, Channel channel) const;
  void perform_link(std::size_t node, const Effect& effect);
  void step_dials();
  void on_publish_link(std::size_t node, const LinkReport& report);
  Bytes corrupted(Bytes sent);
  void set_deadline(std::size_t node, TimePoint deadline);
  void ask_marker(std::size_t subscriber, std::size_t publisher);
  void perform_one(std::size_t node, const Effect& effect);
  bool subscribes(std::size_t subscriber, std::size_t publisher, Lane lane,
                  std::uint32_t group) const;
  // Goes on to the next event or deadline, and handles it; false if there is none until `limit`.
  bool next_event(TimePoint limit);

  std::optional<Dials> dials_;
  ReplicaSettings common_;
  std::vector<Node> nodes_;
  std::map<NodeId, std::size_t> index_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::vector<Parcel> parcels_;
  std::vector<ParcelNumber> free_parcels_;
  std::optional<std::size_t> arrived_from_;
  std::set<std::pair<TimePoint, std::size_t>> deadlines_;
  // Not zero: a clock of the shell counts from somewhere.
  TimePoint now_{std::chrono::hours(1000)};
  std::uint64_t next_order_ = 0;
  int idle_turns_ = 0;
};

}  // namespace radixmesh::sim
