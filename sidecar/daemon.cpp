#include "sidecar/daemon.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "lib/base/node_id.h"
#include "sidecar/clock.h"
#include "sidecar/descriptors.h"
#include "sidecar/frame_faults.h"

namespace radixmesh {
namespace {

// Per socket and turn: bounds how long the engine's side waits behind the mesh's.
constexpr std::size_t kMessagesPerTurn = 64;
constexpr std::int64_t kWaitMsMax = 1000;
// What is polled: the transport, the signals, answers of name servers, then the engine's side.
constexpr std::size_t kSignalItem = 1, kFirstIpcItem = 3;
// For the last words to be sent: that this node leaves.
constexpr int kFarewellMs = 500;

constexpr std::size_t kLanes = 3;
std::size_t lane_of(const Effect& effect) {
  if (const auto* question = std::get_if<Ask>(&effect)) {
    return question->channel == Channel::control ? 0 : 2;
  }
  if (const auto* reply = std::get_if<Answer>(&effect)) {
    return reply->channel == Channel::control ? 0 : 2;
  }
  if (const auto* published = std::get_if<Publish>(&effect)) {
    return published->lane == Lane::control ? 0 : 1;
  }
  // A marker tells what was published before it, so it stays among the ops.
  return std::holds_alternative<PublishMarker>(effect) ? 1 : 0;
}

LogLevel level_of(LogLine::Level level) {
  switch (level) {
    case LogLine::Level::info:
      return LogLevel::info;
    case LogLine::Level::warning:
      return LogLevel::warn;
    case LogLine::Level::error:
      return LogLevel::error;
  }
  return LogLevel::error;
}

std::string rank_text(NodeRank rank) {
  return rank == kAnyRank ? "to_be_given" : std::to_string(rank.value);
}

// Every signal that somebody may send, so that none of them ends the process where it stands.
int open_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM}) {
    sigaddset(&set, number);
  }
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

}  // namespace

Daemon::Daemon(const Options& options, std::function<Options()> reread)
    : log_(log_level_of(options.log_level), options.log_format), reread_(std::move(reread)) {
  // Before any thread of ZeroMQ starts, so that these signals come here only.
  signals_ = open_signals();
  ReplicaSettings settings = options.replica;
  settings.epoch = epoch_now();
  // Not of the clock: two lives whose clocks said the same must not do the same.
  settings.seed = std::uint64_t{std::random_device{}()} << 32 | std::random_device{}();
  const NodeId self = node_id(settings.cluster, settings.self);
  transport_ = std::make_unique<Transport>(self, settings.epoch.value, options.addresses(),
                                           inbound_connections_max());
  settings.publish_addr = transport_->publish_addr();
  settings.bulk_addr = transport_->bulk_addr();
  replica_ = std::make_unique<Replica>(settings, steady_now());
  links_ = std::make_unique<Links>(*transport_, settings.join, [this](const Input& input) {
    replica_->step(steady_now(), input);
  });
  service_ = std::make_unique<EngineService>(*replica_, options.client_lease);
  service_->more_numbers = [this] { return numbers(); };
  server_ = std::make_unique<ipc::Server>(options.ipc_path, *service_, &steady_now);
  service_->attach(*server_);
  log_.own_line(LogLevel::info, "started",
                "node=" + settings.self + " role=" + std::string(role_name(replica_->self().role)) +
                    " rank=" + rank_text(replica_->self().rank) + " epoch=" +
                    std::to_string(settings.epoch.value) + " publish=" + settings.publish_addr +
                    " bulk=" + settings.bulk_addr + " ipc=" + options.ipc_path);
  if (!options.ignored_variables.empty()) {
    log_.own_line(LogLevel::info, "variables_ignored", options.ignored_variables);
  }
  perform_all();
}

Daemon::~Daemon() {
  server_.reset();  // releases leases while the replica is still there
  ::close(signals_);
}

void Daemon::run() {
  while (!left_) {
    wait();
    turn();
  }
  transport_->linger(kFarewellMs);
  log_.own_line(LogLevel::info, "stopped", "node=" + replica_->self().addr);
}

void Daemon::wait() {
  items_.clear();
  items_.push_back({transport_->descriptor(), POLLIN, 0});
  items_.push_back({signals_, POLLIN, 0});
  items_.push_back({links_->descriptor(), POLLIN, 0});
  ipc_items_.clear();
  server_->poll_items(ipc_items_);
  for (const ipc::Server::PollItem& item : ipc_items_) {
    items_.push_back({item.descriptor, item.events, 0});
  }
  std::int64_t wait_ms = kWaitMsMax;
  if (server_->has_backlog() || service_->has_work() || transport_->pending()) {
    wait_ms = 0;
  } else {
    const TimePoint now = steady_now();
    const TimePoint due =
        std::min({replica_->next_deadline(), links_->next_due(), next_look_after_});
    // Rounded up: waking a moment too early would turn for nothing.
    const auto left = due <= now ? 0 : ((due - now).count() + 999) / 1000;
    wait_ms = std::min<std::int64_t>(wait_ms, left);
  }
  // Interrupted, it found nothing: the next turn looks again.
  if (::poll(items_.data(), items_.size(), static_cast<int>(wait_ms)) < 0) {
    for (pollfd& item : items_) item.revents = 0;
  }
}

void Daemon::turn() {
  turns_.begin();
  const TimePoint now = steady_now();
  const bool counts_frames = log_.shows(LogLevel::debug);
  const auto step = [&](const Input& input) {
    if (counts_frames) frames_.came(input);
    replica_->step(now, input);
  };
  TurnBudget budget(now);
  transport_->drain(budget, kMessagesPerTurn,
                    [&](const Input& input) { pass_frames(input, step); });
  links_->step(now);
  server_->begin_turn();
  for (std::size_t i = kFirstIpcItem; i < items_.size(); ++i) {
    if (items_[i].revents != 0) server_->serve(items_[i].fd, items_[i].revents);
  }
  server_->serve_requests();
  if (items_[kSignalItem].revents != 0) read_signals(now);
  replica_->step(now, Tick{});
  server_->serve_waiting();
  perform_all();
  service_->look_after(now);
  if (now >= next_look_after_) look_after(now);
  if (const auto turn = turns_.end()) {
    log_.line(now, LogLevel::warn, "long_turn",
              "ms=" + std::to_string(turn->took.count() / 1000) +
                  " computing_ms=" + std::to_string(turn->computed.count() / 1000));
  }
}

void Daemon::look_after(TimePoint now) {
  next_look_after_ = now + limits::connections_looked_at_every;
  const std::uint64_t endless = transport_->connections_endless();
  transport_->look_after(now);
  if (transport_->connections_endless() > endless) {
    log_.line(now, LogLevel::warn, "endless_message", "reason=longer_than_any_may_be done=cut");
  }
  log_.look_after(now);
  server_->look_after();
  if (!log_.shows(LogLevel::debug)) return;
  const std::string frames = frames_.take_line(now);
  if (!frames.empty()) log_.own_line(LogLevel::debug, "frames", frames);
}

// The first SIGTERM, SIGINT or SIGQUIT asks the node to leave in order, the second to end at once.
void Daemon::read_signals(TimePoint now) {
  signalfd_siginfo signal{};
  while (::read(signals_, &signal, sizeof signal) == sizeof signal) {
    switch (signal.ssi_signo) {
      case SIGHUP:
        reload(now);
        break;
      case SIGTERM:
      case SIGINT:
      case SIGQUIT:
        if (replica_->draining()) left_ = true;
        replica_->drain(now);
        break;
      default:
        log_.line(now, LogLevel::info, "signal_ignored",
                  "signal=" + std::to_string(signal.ssi_signo));
    }
  }
}

// What can change while the node lives is the log's level; names are asked anew. Of anything else
// that differs it is said that it takes a restart.
void Daemon::reload(TimePoint now) {
  links_->ask_again(now);
  try {
    const Options options = reread_();
    log_.own_line(
        LogLevel::info, "reloaded",
        "log_level=" + options.log_level + " names=\"asked again\" others=\"need a restart\"");
    log_.set_level(log_level_of(options.log_level));
  } catch (const OptionError& error) {
    log_.own_line(LogLevel::error, "not_reloaded", "reason=\"" + std::string(error.what()) + "\"");
  }
}

// What is short and urgent goes first: control, then live ops, then repair. The order within a lane
// stays, and with it the order of each origin's ops.
void Daemon::perform_all() {
  std::vector<Effect> effects = replica_->take_effects();
  if (log_.shows(LogLevel::debug)) {
    for (const Effect& effect : effects) frames_.went(effect);
  }
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    for (Effect& effect : effects) {
      if (lane_of(effect) == lane) perform(effect);
    }
    transport_->flush();
  }
}

void Daemon::perform(Effect& effect) {
  if (auto* publish = std::get_if<Publish>(&effect)) {
    transport_->publish(*publish);
  } else if (auto* marker = std::get_if<PublishMarker>(&effect)) {
    transport_->publish_marker(marker->subscriber, marker->frame);
  } else if (auto* question = std::get_if<Ask>(&effect)) {
    transport_->ask(question->peer, question->channel, question->frame);
  } else if (auto* reply = std::get_if<Answer>(&effect)) {
    transport_->answer(reply->peer, reply->channel, reply->frame);
  } else if (auto* subscription = std::get_if<SubscribeTo>(&effect)) {
    links_->subscribe(steady_now(), *subscription);
  } else if (auto* gone = std::get_if<UnsubscribeFrom>(&effect)) {
    links_->unsubscribe(gone->peer);
  } else if (auto* listen = std::get_if<ListenToGroup>(&effect)) {
    transport_->listen_to_group(listen->group);
  } else if (std::holds_alternative<AskMarkers>(effect)) {
    transport_->ask_markers();
  } else if (auto* peer = std::get_if<ConnectPeer>(&effect)) {
    links_->add_peer(steady_now(), peer->peer, peer->addr);
  } else if (auto* dropped = std::get_if<DropPeer>(&effect)) {
    links_->drop_peer(dropped->peer);
  } else if (std::holds_alternative<FindSeeds>(effect)) {
    links_->find_seeds();
  } else if (auto* wrong = std::get_if<Redial>(&effect)) {
    links_->redial(steady_now(), wrong->peer);
  } else if (std::holds_alternative<Left>(effect)) {
    left_ = true;
  } else if (auto* bulk = std::get_if<BulkPeer>(&effect)) {
    links_->set_bulk_addr(steady_now(), bulk->peer, bulk->bulk_addr);
  } else if (auto* applied = std::get_if<OpApplied>(&effect)) {
    service_->tell(*applied);
  } else if (auto* changed = std::get_if<MembershipChanged>(&effect)) {
    service_->tell(*changed);
  } else if (auto* freed = std::get_if<GcFree>(&effect)) {
    service_->tell(*freed);
  } else if (auto* line = std::get_if<LogLine>(&effect)) {
    log_.line(steady_now(), level_of(line->level), line->event, line->detail);
  }
}

std::vector<std::pair<std::string_view, std::uint64_t>> Daemon::numbers() const {
  const Transport::Counts& wire = transport_->counts();
  const ipc::Server::Counts& ipc = server_->counts();
  const auto ms = [](Duration time) { return static_cast<std::uint64_t>(time.count() / 1000); };
  return {{"bytes_sent", wire.bytes_sent},
          {"bytes_received", wire.bytes_received},
          {"messages_sent", wire.messages_sent},
          {"messages_received", wire.messages_received},
          {"messages_dropped", wire.dropped},
          {"messages_malformed", wire.malformed},
          {"messages_misdirected", wire.misdirected},
          {"connections", transport_->connections()},
          {"connections_cut", transport_->connections_cut()},
          {"connections_endless", transport_->connections_endless()},
          {"connections_hanging", transport_->connections_hanging()},
          {"ipc_requests", ipc.requests},
          {"ipc_refused", ipc.refused},
          {"ipc_clients_cut", ipc.cut},
          {"ipc_cut_silent", ipc.cut_silent},
          {"ipc_cut_unfinished", ipc.cut_unfinished},
          {"ipc_cut_for_place", ipc.cut_for_place},
          {"ipc_cut_unread", ipc.cut_unread},
          {"ipc_cut_unread_all", ipc.cut_unread_all},
          {"ipc_input_full", ipc.input_full},
          {"ipc_turns_cut_short", ipc.turns_cut_short},
          {"ipc_subscribers_refused", ipc.subscribers_refused},
          {"notifications_dropped", ipc.notifications_dropped},
          {"log_lines_dropped", log_.dropped()},
          {"longest_turn_ms", ms(turns_.longest())},
          {"longest_turn_last_minute_ms", ms(turns_.longest_lately())}};
}

}  // namespace radixmesh
