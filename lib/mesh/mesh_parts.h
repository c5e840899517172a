// The parts of this folder, each built of those above it. What passes between them and others the
// replica passes on.
#pragma once

#include "lib/mesh/greetings.h"
#include "lib/mesh/heads.h"
#include "lib/mesh/joining.h"
#include "lib/mesh/liveness.h"
#include "lib/mesh/membership.h"
#include "lib/mesh/news.h"
#include "lib/mesh/next_look.h"
#include "lib/mesh/readiness.h"
#include "lib/mesh/ring.h"
#include "lib/mesh/subscriptions.h"

namespace radixmesh {

struct MeshParts {
  // What they work with, and how they are set.
  struct Base {
    Roster& roster;
    Picture& picture;
    const OwnStream& own;
    Streams& streams;
    HeadPace& pace;
    Post& post;
    Outbox& out;
  };
  struct Settings {
    Greetings::Settings greetings;
    Joining::Settings joining;
    ReadyNeeds ready_needs = ReadyNeeds::majority;
  };
  MeshParts(const Settings& settings, const Timers& timers, Base base, TimePoint now)
      : look(now),
        news(base.roster, base.pace),
        greetings(settings.greetings, timers, base.roster, look, base.out),
        heads(base.roster, base.picture, base.own, base.streams, news, base.pace, base.post),
        ring(node_id(settings.joining.cluster, settings.joining.addr), timers, base.roster,
             base.post, base.out, now),
        liveness(
            timers,
            {base.roster, base.streams, greetings, heads, news, ring, look, base.post, base.out},
            now),
        membership(timers, settings.joining.rank,
                   {base.roster, greetings, liveness, news, ring, look, base.post, base.out}),
        joining(settings.joining, timers, base.roster, greetings, look, base.post, base.out, now),
        subscriptions(timers, base.roster, base.streams, look, base.out),
        readiness(
            timers, settings.ready_needs,
            {base.roster, base.streams, greetings, joining, subscriptions, ring, look, base.out}) {}

  // A member was removed: all that they know of it goes.
  void forget(NodeId id) {
    greetings.forget(id);
    heads.forget(id);
    liveness.forget(id);
    membership.forget(id);
    subscriptions.forget(id);
    readiness.forget(id);
  }

  NextLook look;
  News news;
  Greetings greetings;
  Heads heads;
  Ring ring;
  Liveness liveness;
  Membership membership;
  Joining joining;
  Subscriptions subscriptions;
  Readiness readiness;
};

}  // namespace radixmesh
