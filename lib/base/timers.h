// How long the mesh waits for what.
#pragma once

#include "lib/base/time.h"

namespace radixmesh {

struct Timers {
  Duration head_dirty = std::chrono::milliseconds(100);  // between HEADs while ops are published
  Duration head_idle = std::chrono::seconds(1);
  Duration heartbeat = std::chrono::milliseconds(500);  // to the neighbours in rank order
  Duration hello = std::chrono::milliseconds(500);      // to a member that is not introduced
  Duration hello_max = std::chrono::seconds(4);         // ... to one that is silent for long
  Duration marker = std::chrono::milliseconds(500);     // before a missing one is asked for again
  // Of any traffic; what happens before and after stands in mesh/suspicion.h.
  Duration suspect_after = std::chrono::seconds(3);
  // An upstream that lives but is not heard publishing: one more is subscribed to.
  Duration deaf_after = std::chrono::seconds(3);
  Duration tick = std::chrono::seconds(10);              // between tokens around the ring
  Duration tick_retry = std::chrono::milliseconds(250);  // ... while the ring is not verified
  Duration tick_hop = std::chrono::milliseconds(250);    // for a node to take the token
  // A standby relay that misses what an origin publishes passes it on itself, for so long.
  Duration takeover_for = std::chrono::seconds(5);
  // A configured member that was never heard of stops blocking `ready` after this.
  Duration unseen_wait = std::chrono::seconds(5);
  // Entries of one that is dead or left are dropped; one that had joined is forgotten wholly later.
  Duration forget_after = std::chrono::minutes(10);
  // ... by this, or when it was gone for as long as it had lived, but not before the other.
  Duration reap_after = std::chrono::hours(24), reap_after_min = std::chrono::minutes(10);
  // Before a node that nobody lets in begins a mesh, at the earliest.
  Duration join_wait = std::chrono::seconds(10);
  // ... and how long it waits beyond twice that for one with a lower address, which does not begin.
  Duration forget_lower = std::chrono::seconds(10);
  // Between two look-ups of whom to ask: of one that knows nobody, and of one in a mesh with
  // others.
  Duration find_seeds = std::chrono::seconds(5), find_others = std::chrono::seconds(15);
  // Every member is asked directly what it says of itself, whatever is heard of it: so long at most
  // does a wrong word of others stand.
  Duration audit = std::chrono::seconds(20);
  Duration view_exchange = std::chrono::seconds(1);  // between two with the same peer
  // A new life's wait for its former state, once its engine has said who it is; and how long others
  // keep that state for it, hidden.
  Duration recover_wait = std::chrono::seconds(2);
  Duration former_kept = std::chrono::seconds(60);
  Duration drain_wait = std::chrono::seconds(5);  // for locks to be released before leaving
  Duration repair_grace = std::chrono::milliseconds(20);
  Duration repair_pause_min = std::chrono::milliseconds(50);
  Duration repair_pause_max = std::chrono::seconds(1);
  Duration snapshot_silence = std::chrono::seconds(2);  // then the donor is given up
  Duration donor_idle = std::chrono::seconds(10);       // then the receiver is
};

}  // namespace radixmesh
