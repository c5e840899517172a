// What the clients of the engine's socket may make the server keep, one by one and in all.
#include <algorithm>

#include "ipc/server.h"
#include "lib/base/limits.h"

namespace radixmesh::ipc {

// Who does not read is not read from either; half the bound leaves room for one more answer.
bool Server::wants_input(const Client& client) {
  return !client.closing && !client.ended && !client.backlog && client.waiting.empty() &&
         client.unread() < limits::ipc_output_bytes_max / 2;
}

// Where too much has come in, small requests still do, and of the frames that have begun the one
// that lacks the least: so one after the other gets whole. A sender that stops there is cut in
// time.
bool Server::may_read(const Client& client) const {
  return input_bytes_ < limits::ipc_input_all_bytes_max || &client == reads_on_ ||
         client.input_bytes() < limits::ipc_input_share_bytes;
}

// Of those that never made a whole request; null if all have.
const Server::Client* Server::oldest_silent() const {
  const Client* oldest = nullptr;
  for (const auto& [descriptor, client] : clients_) {
    if (client->asked || client->backlog) continue;
    if (oldest == nullptr || client->id < oldest->id) oldest = client.get();
  }
  return oldest;
}

void Server::cut(int descriptor, std::uint64_t& why) {
  ++counts_.cut;
  ++why;
  close_client(descriptor);
}

void Server::bound_output() {
  std::size_t all = 0;
  for (const auto& [descriptor, client] : clients_) all += client->unread();
  while (all > limits::ipc_output_all_bytes_max) {
    const auto most = std::ranges::max_element(
        clients_, {}, [](const auto& each) { return each.second->unread(); });
    all -= most->second->unread();
    cut(most->first, counts_.cut_unread_all);
  }
}

void Server::look_after() {
  now_ = clock_();
  std::vector<int> silent, unfinished;
  for (const auto& [descriptor, client] : clients_) {
    const auto waited = [this](TimePoint since) { return now_ - since >= limits::ipc_silent_max; };
    const bool leaves = client->closing || (client->ended && !client->backlog);
    if (!client->asked && !client->backlog && waited(client->since)) {
      silent.push_back(descriptor);
    } else if ((client->begun != kNever && waited(client->begun)) ||
               (leaves && client->waiting.empty() && waited(client->moved))) {
      unfinished.push_back(descriptor);
    }
  }
  for (int descriptor : silent) cut(descriptor, counts_.cut_silent);
  for (int descriptor : unfinished) cut(descriptor, counts_.cut_unfinished);
}

bool Server::admit_subscriber(ClientId id) {
  const auto subscribers =
      std::ranges::count_if(clients_, [](const auto& each) { return each.second->subscribes; });
  for (const auto& [descriptor, client] : clients_) {
    if (client->id != id) continue;
    const auto room = static_cast<std::size_t>(subscribers) < limits::ipc_subscribers_max;
    client->subscribes = client->subscribes || room;
    counts_.subscribers_refused += client->subscribes ? 0 : 1;
    return client->subscribes;
  }
  return false;
}

}  // namespace radixmesh::ipc
