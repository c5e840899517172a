// A simulated network under real replicas: PUB/SUB that may drop, duplicate, delay and reorder
// whatever it likes, and question/answer links that do the same. Virtual time, one seed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "lib/replica.h"

namespace radixmesh::sim {

// Chances are per message and per receiver.
struct Faults {
  double loss = 0, duplication = 0, reordering = 0, corruption = 0;
  Duration delay_mean = std::chrono::microseconds(300);
  Duration reorder_extra_max = std::chrono::milliseconds(60);
  double burst = 0;       // chance that a PUB link drops the next `burst_length` messages
  int burst_length = 40;  // as a full high-water mark does
  int in_flight_max = 0;  // published messages under way on one link; more are dropped. 0: no bound
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
  // A node that is in nobody's lists: started, it asks `seeds` to be let in.
  std::size_t add_joiner(MemberSettings settings, std::vector<std::string> seeds);
  const std::string& addr(std::size_t node) const { return nodes_[node].member.addr; }
  // Whether the node ended by itself, having left.
  bool left(std::size_t node) const { return nodes_[node].left; }
  // What a restart adds to the time that an epoch is made of.
  void set_clock_step(std::size_t node, Duration step) { nodes_[node].clock_step = step; }
  // Everything that node sends or gets takes so much longer.
  void set_slowness(std::size_t node, Duration extra) { nodes_[node].slowness = extra; }

  // ---- time ------------------------------------------------------------------------------------
  TimePoint now() const { return now_; }
  void run_for(Duration duration);
  // Runs until the condition holds, looking after each event; false if it does not within `limit`.
  bool run_until(const std::function<bool()>& condition, Duration limit);
  // Performs what the replica owes; to be called after each of its verbs.
  void perform(std::size_t node);

  Faults faults;
  // Links that are cut: what goes from the first to the second is lost.
  std::set<std::pair<std::size_t, std::size_t>> cut;
  Random random;

  // What one node's settings have that the others' do not; asked at each start.
  std::function<void(std::size_t, ReplicaSettings&)> adjust;
  // Told of each op that a replica applied: (node, event).
  std::function<void(std::size_t, const OpApplied&)> on_applied;
  std::uint64_t messages = 0, bytes = 0;
  std::uint64_t op_messages = 0,
                op_bytes = 0;  // of these, those that were published on the ops lane
  std::vector<std::string> log_lines;

 private:
  struct Subscription {
    std::uint64_t life = 0;  // of the publisher: a restarted PUB has a new address
    bool watch_only = false;
  };
  struct Node {
    MemberSettings member;
    std::vector<std::string> join;
    std::unique_ptr<Replica> replica;
    std::uint64_t life = 0;
    bool left = false;
    TimePoint paused_until{};
    Duration clock_step{}, slowness{};
    TimePoint deadline = kNever;
    std::map<std::size_t, Subscription> subscriptions;
  };
  struct Event {
    TimePoint at;
    std::uint64_t order;
    std::size_t from, to;
    std::uint64_t life;  // of the receiver: dropped if it has another now
    std::function<void(Replica&, TimePoint)> deliver;
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
  // `input` makes of the bytes what the receiver's step() takes; `published` ones may fall in a
  // burst.
  void send(std::size_t from, std::size_t to, const Bytes& sent, bool published,
            std::function<Input(std::string_view)> input);
  void publish(std::size_t from, Lane lane, const Bytes& frame);
  Bytes corrupted(Bytes sent);
  void set_deadline(std::size_t node, TimePoint deadline);
  void ask_marker(std::size_t subscriber, std::size_t publisher);
  void perform_one(std::size_t node, const Effect& effect);
  bool subscribes(std::size_t subscriber, std::size_t publisher, Lane lane) const;
  // Goes on to the next event or deadline, and handles it; false if there is none until `limit`.
  bool next_event(TimePoint limit);

  ReplicaSettings common_;
  std::vector<Node> nodes_;
  std::map<NodeId, std::size_t> index_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::map<std::pair<std::size_t, std::size_t>, int> bursts_;  // messages still to drop on a link
  std::map<std::pair<std::size_t, std::size_t>, TimePoint> last_arrival_;
  std::map<std::pair<std::size_t, std::size_t>, int> in_flight_;
  std::set<std::pair<TimePoint, std::size_t>> deadlines_;
  TimePoint now_{};
  std::uint64_t next_order_ = 0;
  int idle_turns_ = 0;
};

}  // namespace radixmesh::sim
