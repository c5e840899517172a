#include "ipc/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ipc/socket_file.h"
#include "lib/base/limits.h"
#include "lib/base/msgpack_document.h"

namespace radixmesh::ipc {
namespace {

constexpr DocumentBounds kRequestBounds{limits::ipc_values_max, limits::ipc_depth_max};
// Per client and turn, so that one with a full pipe does not hold up the mesh or the others.
constexpr std::size_t kReadBytesPerTurn = 1024 * 1024;
constexpr int kRequestsPerTurn = 64;
constexpr std::size_t kReadBytes = 64 * 1024;
// Who connects is read in the next turn, before so many silent ones can push it out again.
constexpr int kAcceptsPerTurn = 64;
static_assert(kAcceptsPerTurn < limits::ipc_clients_max);

bool again(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

Server::Server(const std::string& path, Service& service, Clock clock)
    : service_(service),
      clock_(clock),
      now_(clock()),
      socket_(std::make_unique<SocketFile>(path)),
      spare_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

Server::~Server() {
  while (!clients_.empty()) close_client(clients_.begin()->first);
  ::close(spare_);
}

void Server::poll_items(std::vector<PollItem>& out) {
  // A full house accepts as long as somebody can go; else new clients wait in the kernel's queue.
  if (clients_.size() < limits::ipc_clients_max || oldest_silent() != nullptr) {
    out.push_back({socket_->descriptor(), POLLIN});
  }
  input_bytes_ = 0;
  reads_on_ = nullptr;
  for (const auto& [descriptor, client] : clients_) {
    input_bytes_ += client->input_bytes();
    if (!wants_input(*client) || client->input.wanted() == 0) continue;
    if (reads_on_ == nullptr || client->input.wanted() < reads_on_->input.wanted()) {
      reads_on_ = client.get();
    }
  }
  bool full = false;
  for (const auto& [descriptor, client] : clients_) {
    const bool wants = wants_input(*client), reads = wants && may_read(*client);
    full = full || (wants && !reads);
    if (!reads && client->begun != kNever) client->begun = now_;
    const short events =
        static_cast<short>((reads ? POLLIN : 0) | (client->unread() > 0 ? POLLOUT : 0));
    out.push_back({descriptor, events});
  }
  counts_.input_full += full ? 1 : 0;
}

void Server::begin_turn() {
  now_ = clock_();
  until_ = now_ + limits::turn_requests_max;
}

void Server::serve(int descriptor, short revents) {
  if (descriptor == socket_->descriptor()) {
    accept_clients();
    return;
  }
  auto found = clients_.find(descriptor);
  if (found == clients_.end()) return;
  Client& client = *found->second;
  if ((revents & POLLIN) != 0) {
    read_from(descriptor, client);
  } else if ((revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) {
    close_client(descriptor);
  } else if ((revents & POLLOUT) != 0 && !write_to(descriptor, client)) {
    close_client(descriptor);
  }
}

bool Server::has_backlog() const {
  return std::ranges::any_of(clients_, [this](const auto& each) {
    const Client& client = *each.second;
    return can_go_on(client) || (!client.waiting.empty() && service_.may_go_on(client.id));
  });
}

// Whoever does not read its answers waits with its further requests, and nobody spins for it.
bool Server::can_go_on(const Client& client) {
  return client.backlog && client.waiting.empty() &&
         client.unread() < limits::ipc_output_bytes_max / 2;
}

void Server::serve_requests() {
  std::vector<int> ready, first;
  for (const auto& [descriptor, client] : clients_) {
    if (can_go_on(*client)) (descriptor > served_last_ ? first : ready).push_back(descriptor);
  }
  first.insert(first.end(), ready.begin(), ready.end());
  for (int descriptor : first) {
    Client& client = *clients_.at(descriptor);
    handle_requests(client);
    served_last_ = descriptor;
    if (!write_to(descriptor, client)) close_client(descriptor);
    if (clock_() < until_) continue;
    counts_.turns_cut_short += has_backlog() ? 1 : 0;
    break;
  }
  bound_output();
}

void Server::serve_waiting() {
  std::vector<int> waiting;
  for (const auto& [descriptor, client] : clients_) {
    const bool waits = !client->waiting.empty();
    if (waits && service_.may_go_on(client->id)) waiting.push_back(descriptor);
  }
  for (int descriptor : waiting) {
    Client& client = *clients_.at(descriptor);
    const std::string body = std::exchange(client.waiting, {});
    handle(client, body);
    if (!write_to(descriptor, client)) close_client(descriptor);
    if (clock_() >= until_) break;
  }
  bound_output();
}

void Server::accept_clients() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const Client* silent = clients_.size() < limits::ipc_clients_max ? nullptr : oldest_silent();
    if (clients_.size() >= limits::ipc_clients_max && silent == nullptr) return;
    const int descriptor =
        ::accept4(socket_->descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
      if (errno == EMFILE || errno == ENFILE) turn_away();
      return;
    }
    if (!socket_->admits(descriptor)) {
      ++counts_.cut;
      ::close(descriptor);
      continue;
    }
    if (silent != nullptr) {
      const auto place = std::ranges::find(
          clients_, silent, [](const auto& each) -> const Client* { return each.second.get(); });
      cut(place->first, counts_.cut_for_place);
    }
    auto client = std::make_unique<Client>();
    client->id = next_client_++;
    client->since = client->moved = now_;
    clients_.emplace(descriptor, std::move(client));
    ++counts_.clients;
  }
}

// Out of descriptors the listener would stay readable and the loop would spin: the client is taken
// with the spare one, and closed.
void Server::turn_away() {
  ::close(spare_);
  const int descriptor = ::accept4(socket_->descriptor(), nullptr, nullptr, SOCK_CLOEXEC);
  if (descriptor >= 0) ::close(descriptor);
  spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ++counts_.cut;
}

// Never asks for more at once than has come already, so that a declared length takes no memory.
void Server::read_from(int descriptor, Client& client) {
  const std::size_t before = client.input_bytes();
  for (std::size_t total = 0; total < kReadBytesPerTurn && !client.ended;) {
    const std::size_t most = std::clamp(client.input.left(), kReadBytes, kReadBytesPerTurn);
    const std::size_t want = std::clamp(client.input.wanted(), kReadBytes, most);
    if (total > 0 && !may_read(client)) break;
    const ssize_t got = ::read(descriptor, client.input.room(want), want);
    if (got > 0) {
      client.input.added(static_cast<std::size_t>(got));
      total += static_cast<std::size_t>(got);
      if (static_cast<std::size_t>(got) < want) break;
    } else {
      if (got < 0 && again(errno)) break;
      client.ended = true;
    }
  }
  input_bytes_ += client.input_bytes() - before;
  client.moved = now_;
  client.backlog = true;
}

void Server::handle_requests(Client& client) {
  client.backlog = false;
  bool is_whole = true;
  for (int i = 0; i < kRequestsPerTurn && !client.closing && client.waiting.empty(); ++i) {
    if (client.unread() >= limits::ipc_output_bytes_max / 2) break;
    if (i > 0 && clock_() >= until_) break;
    const auto body = client.input.next();
    is_whole = body.has_value();
    if (!is_whole) break;
    client.begun = kNever;
    handle(client, *body);
  }
  if (!is_whole && client.input.broken()) {
    const Refusal refusal{
        RefusalCode::fix_request,
        "a frame's length must be from 1 to " + std::to_string(limits::ipc_frame_bytes_max)};
    respond(client, nullptr, &refusal, {});
    client.closing = true;
  }
  client.backlog = is_whole && !client.closing;
  if (!is_whole && client.begun == kNever && client.input.left() > 0) client.begun = now_;
  client.input.settle();
}

void Server::handle(Client& client, std::string_view body) {
  ++counts_.requests;
  client.asked = true;
  Document document;
  const auto broken = [&](std::string message) {
    const Refusal refusal{RefusalCode::fix_request, std::move(message)};
    respond(client, nullptr, &refusal, {});
    client.closing = true;
  };
  if (!document.parse(body, kRequestBounds)) {
    return broken("a frame must hold one MessagePack value within the bounds");
  }
  using msgpack::type::object_type;
  const msgpack::object& root = document.root();
  if (root.type != object_type::ARRAY || root.via.array.size != 4) {
    return broken("a request must be [0, id, method, params]");
  }
  const msgpack::object* items = root.via.array.ptr;
  if (items[0].type != object_type::POSITIVE_INTEGER || items[0].via.u64 != 0 ||
      items[1].type != object_type::POSITIVE_INTEGER || items[1].via.u64 > 0xFFFFFFFFu ||
      items[2].type != object_type::STR) {
    return broken("a request must be [0, id, method, params] with an unsigned 32-bit id");
  }
  const auto id = static_cast<std::uint32_t>(items[1].via.u64);
  const std::string_view method(items[2].via.str.ptr, items[2].via.str.size);
  handle_request(client, id, method, items[3], body);
}

void Server::handle_request(Client& client, std::uint32_t id, std::string_view method,
                            const msgpack::object& given, std::string_view body) {
  Params params(given);
  std::string result;
  Buffer buffer{result};
  Packer packer(buffer);
  bool answer_later = false;
  const auto outcome = service_.call(client.id, method, params, packer, answer_later);
  if (answer_later) {
    client.waiting = body;
    --counts_.requests;  // it will come again
    return;
  }
  if (!outcome) {
    ++counts_.refused;
    respond(client, &id, &outcome.error(), {});
  } else if (result.size() > limits::ipc_frame_bytes_max - 64) {
    const Refusal refusal{RefusalCode::send_less, "the answer would not fit a frame"};
    respond(client, &id, &refusal, {});
  } else {
    respond(client, &id, nullptr, result);
  }
}

void Server::respond(Client& client, const std::uint32_t* id, const Refusal* refusal,
                     std::string_view result) {
  std::string head;
  Buffer buffer{head};
  Packer packer(buffer);
  packer.pack_array(4);
  packer.pack_uint8(1);
  if (id != nullptr) {
    packer.pack_uint32(*id);
  } else {
    packer.pack_nil();
  }
  if (refusal != nullptr) {
    packer.pack_array(2);
    pack_text(packer, refusal_name(refusal->code));
    pack_text(packer, refusal->message);
    packer.pack_nil();
  } else {
    packer.pack_nil();
  }
  client.output += length_bytes(head.size() + result.size());
  client.output += head;
  client.output += result;
}

void Server::subscribe(ClientId id, EventKind kind) {
  for (auto& [descriptor, client] : clients_) {
    if (client->id == id) client->events |= static_cast<std::uint8_t>(kind);
  }
}

bool Server::wanted(EventKind kind) const {
  return std::ranges::any_of(clients_, [kind](const auto& each) {
    return (each.second->events & static_cast<std::uint8_t>(kind)) != 0;
  });
}

void Server::notify(EventKind kind, std::string_view method, std::string_view params,
                    std::optional<ClientId> only) {
  std::string head;
  Buffer buffer{head};
  Packer packer(buffer);
  packer.pack_array(3);
  packer.pack_uint8(2);
  pack_text(packer, method);
  std::vector<int> lost;
  for (auto& [descriptor, client] : clients_) {
    if ((client->events & static_cast<std::uint8_t>(kind)) == 0 || client->closing) continue;
    if (only && client->id != *only) continue;
    const bool may_drop = kind != EventKind::gc_free;
    if (may_drop && client->unread() > limits::ipc_output_bytes_max / 2) {
      ++counts_.notifications_dropped;
      continue;
    }
    client->output += length_bytes(head.size() + params.size());
    client->output += head;
    client->output += params;
    // Written when the descriptor says so; small ones gather until then.
    if (client->unread() > kReadBytes && !write_to(descriptor, *client)) {
      lost.push_back(descriptor);
    }
  }
  for (int descriptor : lost) close_client(descriptor);
  bound_output();
}

// Writes what can be written; false if the client is to be closed.
bool Server::write_to(int descriptor, Client& client) {
  while (client.written < client.output.size()) {
    const ssize_t sent = ::send(descriptor, client.output.data() + client.written,
                                client.output.size() - client.written, MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (!again(errno)) return false;
      break;
    }
    client.written += static_cast<std::size_t>(sent);
  }
  if (client.written == client.output.size()) {
    client.output.clear();
    if (client.output.capacity() > kReadBytes) std::string().swap(client.output);
    client.written = 0;
    return !client.closing && !(client.ended && !client.backlog);
  }
  if (client.unread() > limits::ipc_output_bytes_max) {
    ++counts_.cut;
    ++counts_.cut_unread;
    return false;
  }
  if (client.written > kReadBytesPerTurn) {
    client.output.erase(0, client.written);
    client.written = 0;
  }
  return true;
}

void Server::close_client(int descriptor) {
  auto found = clients_.find(descriptor);
  if (found == clients_.end()) return;
  const ClientId id = found->second->id;
  clients_.erase(found);
  ::close(descriptor);
  service_.closed(id);
}

}  // namespace radixmesh::ipc
