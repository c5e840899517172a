// A random history on several trees and on the model at once, compared after every step. Driven by
// a seed (tree_model_test.cpp) or by a fuzzer's bytes (tests/fuzz/tree_fuzz.cpp).
//
//   origin 0        the owner: a TreeCache, whose journal is what the other trees are told
//   origins 1..     holders that live in the model only; their ops go to all trees, the owner's too
//   replica 0       the owner's tree
//   replica 1       a member's, told at once
//   replica 2       a router's, told late: per origin in order, origins in any order
#pragma once

#include "lib/base/limits.h"
#include "lib/tree/tree_cache.h"
#include "tests/unit/recency_model.h"
#include "tests/unit/tree_checks.h"

namespace radixmesh {

struct TrialOptions {
  std::uint32_t page_size = 1;
  KeyShape shape = KeyShape::two_letters;
  std::uint64_t tokens_max = 0;  // the owner's bound
  std::size_t origins = 4;
  std::uint32_t names = 2;  // how many of the test namespaces are used
  bool looks_up = false;    // much more than it does anything else
};

// `OwnerValue` and `MemberTreeValue` are the value classes of replicas 0 and 1.
template <class OwnerValue, class MemberTreeValue>
class TreeTrial : private Journal {
 public:
  TreeTrial(const TrialOptions& options, Choices& choices)
      : options_(options),
        choices_(choices),
        codec_(options.page_size),
        models_(options.origins, HolderModel(options.page_size)),
        seqs_(options.origins),
        checker_(options.page_size, models_) {
    auto owner = std::make_unique<HolderTree<OwnerValue>>(options.page_size);
    cache_ = std::make_unique<TreeCache<OwnerValue>>(*owner, options.tokens_max);
    add_replica(keeps_of<OwnerValue>(), std::move(owner));
    add_replica(keeps_of<MemberTreeValue>(),
                std::make_unique<HolderTree<MemberTreeValue>>(options.page_size));
    add_replica(Replica::Keeps::nothing,
                std::make_unique<HolderTree<RankValue>>(options.page_size));
    replicas_[2].late = true;
  }

  // One random operation, and what it must have changed or left alone.
  void step() {
    if (options_.looks_up) look_up_then_evict();
    const std::uint32_t what = choices_.below(36);
    if (what < 8) {
      insert(draw());
    } else if (what < 11) {
      match(draw());
    } else if (what < 13) {
      lock(draw());
    } else if (what < 15) {
      if (!locks_.empty()) unlock(choices_.below(static_cast<std::uint32_t>(locks_.size())));
    } else if (what < 17) {
      evict(draw_amount());
    } else if (what < 18) {
      touch_then_evict(draw());
    } else if (what < 20) {
      remove(choices_.one_in(2) ? draw() : held_page(0));
    } else if (what < 26) {
      remote_insert(remote());
    } else if (what < 29) {
      remote_remove(remote());
    } else if (what < 30) {
      refused(remote());
    } else if (what < 33) {
      mark(choices_.below(static_cast<std::uint32_t>(options_.origins)));
    } else if (choices_.one_in(4)) {
      choices_.one_in(2) ? reset() : remote_clear(remote());
    }
    recency_.settle(is_locked_);
    compare();
  }

  // How often pages went while the order of all was known by page, and while it was not.
  std::size_t exact_evictions() const { return exact_evictions_; }
  std::size_t coarse_evictions() const { return coarse_evictions_; }

  // Quiesces, compares everything, then removes everything: memory must be where it was.
  void finish() {
    while (!locks_.empty()) unlock(0);
    for (Replica& replica : replicas_) deliver(replica, ~0u);
    compare_all();
    choices_.one_in(2) ? reset() : evict(cache_->total_tokens());
    for (std::size_t origin = 1; origin < models_.size(); ++origin) {
      if (choices_.one_in(2)) remote_clear(origin);
      while (!models_[origin].pages().empty()) remote_remove(origin);
    }
    for (Replica& replica : replicas_) deliver(replica, ~0u);
    compare_all();
    expect(cache_->memory_bytes() == 0, "no recency stays when all was removed");
    for (const Replica& replica : replicas_) {
      while (replica.tree->give_back(1 + choices_.below(8))) {
      }
      expect(replica.tree->edge_count() == 0, "no edge stays when all was removed");
      expect(replica.tree->token_count() == 0, "no token stays when all was removed");
      // But for the places of holders that came while others were given back.
      const std::size_t memory = replica.tree->memory_bytes();
      expect(memory >= replica.memory_at_start &&
                 memory <= replica.memory_at_start + replica.rejoined * kHolderBytesMax,
             "memory is where it was before anything was stored");
    }
  }

 private:
  struct Locked {
    LockedPath path;
    Prefix prefix;
  };

  template <class Value>
  static constexpr Replica::Keeps keeps_of() {
    if constexpr (std::is_same_v<Value, MemberValue>) return Replica::Keeps::all;
    return Value::keeps_own_slots ? Replica::Keeps::own : Replica::Keeps::nothing;
  }

  void add_replica(Replica::Keeps keeps, std::unique_ptr<Relation> tree) {
    Replica replica{keeps, std::move(tree), {}, false, {}, 0};
    replica.holders.resize(models_.size());
    replica.waiting.resize(models_.size());
    const bool backwards = replicas_.size() == 1;
    for (std::size_t i = 0; i < models_.size(); ++i) {
      const std::size_t origin = backwards ? models_.size() - 1 - i : i;
      const bool self = replicas_.empty() && origin == 0;
      replica.holders[origin] = self ? kSelf : replica.tree->add_holder();
    }
    replica.memory_at_start = replica.tree->memory_bytes();
    replicas_.push_back(std::move(replica));
  }

  // ---- what to do it with ----------------------------------------------------------------------

  Prefix draw() { return {choices_.below(options_.names), draw_key(options_.shape, choices_)}; }
  std::size_t remote() {
    return 1 + choices_.below(static_cast<std::uint32_t>(models_.size() - 1));
  }
  Prefix held_page(std::size_t origin) {
    const auto& pages = models_[origin].pages();
    if (pages.empty()) return draw();
    return std::next(pages.begin(), choices_.below(static_cast<std::uint32_t>(pages.size())))
        ->first;
  }
  std::uint64_t draw_amount() {
    const auto total = static_cast<std::uint32_t>(cache_->total_tokens());
    return choices_.one_in(4) ? total + 1 : choices_.below(total / 4 + 2 * options_.page_size);
  }
  std::vector<TokenId> tokens_with_tail(const Prefix& key) {
    std::vector<TokenId> tokens = codec_.tokens(key.pages);
    tokens.insert(tokens.end(), choices_.below(options_.page_size), TokenId{7});
    return tokens;
  }
  // Slots in runs of any alignment. The owner's never repeat; every other holder's begin at 1, as
  // every pool does.
  std::vector<std::uint64_t> draw_slots(std::size_t count, std::uint64_t& next) {
    std::vector<std::uint64_t> slots;
    for (std::size_t i = 0; i < count; ++i) {
      if (choices_.one_in(16)) ++next;
      slots.push_back(next++);
    }
    return slots;
  }
  // Origin 2 never says its slots; origin 3 does at times, as a snapshot from a router has none.
  bool sends_slots(std::size_t origin) {
    return origin != 2 && (origin != 3 || choices_.one_in(2));
  }
  const CacheNamespace& name(const Prefix& key) const { return test_namespaces()[key.name]; }
  void lookup_owner(const Prefix& key) {
    replicas_[0].tree->match(name(key), tokens_with_tail(key), match_);
  }

  // ---- the owner -------------------------------------------------------------------------------

  void insert(const Prefix& key) {
    const std::vector<TokenId> tokens = tokens_with_tail(key);
    inserting_ = key;
    inserting_slots_ = draw_slots(tokens.size(), next_slot_);
    const std::uint64_t page = options_.page_size, before = cache_->total_tokens();
    const std::uint32_t depth = models_[0].depth(key);
    std::uint64_t stored = (key.pages.size() - depth) * page, over = 0;
    if (options_.tokens_max != 0 && before + stored > options_.tokens_max) {
      const std::uint64_t covered = lock_model_.pages_covered(key.first(depth)) * page;
      stored = std::min(stored, (options_.tokens_max - covered) / page * page);
      over = before + stored - std::min(before + stored, options_.tokens_max);
    }
    gone_.clear();
    protected_path_ = key.first(depth);
    evicting_ = true;
    const InsertResult result = cache_->insert(name(key), tokens, runs_of(inserting_slots_), *this);
    protected_path_ = {};
    evicting_ = false;
    recency_.use(key.first(depth + stored / page));
    expect(result.prefix_len == depth * page, "prefix_len is what was local before");
    expect(result.stored == stored, "stored is what is new and fits");
    expect_freed(result.freed, (over + page - 1) / page * page);
    expect(models_[0].depth(key) == depth + stored / page, "the journal was told of all of it");
  }

  void match(const Prefix& key) {
    lookup_owner(key);
    SlotRuns slots;
    const std::uint32_t depth = models_[0].depth(key);
    expect(cache_->local_match(match_, &slots) == depth * options_.page_size, "local depth");
    SlotRuns expected;
    for (std::uint32_t i = 1; i <= depth; ++i) {
      expected.append(runs_of(models_[0].pages().at(key.first(i)).slots));
    }
    expect(slots == expected, "local slots");
    if (choices_.one_in(2)) touch(key.first(depth));
  }
  // Uses two paths in turn, of each less and less: what was used of one between two uses of the
  // other is what tells the parts of an edge apart.
  void look_up_then_evict() {
    Prefix key = draw(), other = draw();
    other.name = (key.name + 1) % options_.names;
    if (choices_.one_in(2)) insert(key);
    if (choices_.one_in(2)) insert(other);
    while (!key.pages.empty() && !choices_.one_in(32)) {
      use(key);
      const std::uint32_t depth = models_[0].depth(key);
      key = key.first(depth - std::min(depth, choices_.between(1, 1 + depth / 16)));
      std::swap(key, other);
    }
    if (choices_.one_in(3)) evict(choices_.below(16 * options_.page_size));
  }
  void use(const Prefix& key) {
    lookup_owner(key);
    touch(key.first(models_[0].depth(key)));
    recency_.settle(is_locked_);
  }
  // What was looked up last, of which this is local.
  void touch(const Prefix& local) {
    cache_->touch(match_);
    recency_.use(local);
  }

  void lock(const Prefix& key) {
    if (locks_.size() >= 6) return;
    lookup_owner(key);
    const Prefix local = key.first(models_[0].depth(key));
    const LockedPath path = cache_->lock(match_);
    expect((path.node == kNoIndex) == local.pages.empty(), "a lock needs a local page");
    locks_.push_back({path, local});
    lock_model_.lock(local);
  }
  void unlock(std::size_t which) {
    cache_->unlock(locks_[which].path);
    lock_model_.unlock(locks_[which].prefix);
    recency_.use(locks_[which].prefix);
    recency_.settle(is_locked_);
    locks_.erase(locks_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  void evict(std::uint64_t num_tokens) {
    const std::uint64_t page = options_.page_size;
    const std::uint64_t evictable = models_[0].tokens() - lock_model_.pages_covered({}) * page;
    gone_.clear();
    const bool as_said = recency_.is_exact() && models_[0].retiring_tokens() == 0;
    const std::vector<Prefix> oldest = oldest_pages(num_tokens);
    ++(recency_.is_exact() ? exact_evictions_ : coarse_evictions_);
    evicting_ = true;
    const SlotRuns freed = cache_->evict(num_tokens, limits::evicted_runs_max, *this);
    evicting_ = false;
    if (as_said && recency_.is_exact()) {
      const auto is_gone = [&](const Prefix& each) { return !models_[0].holds(each); };
      expect(std::ranges::all_of(oldest, is_gone), "what was said to be the oldest stayed");
      expect(freed.size() == oldest.size() * page, "more went than was said to be the oldest");
    }
    // Exactly that much: a page that went before its extensions would have taken them with it.
    expect_freed(freed, std::min((num_tokens + page - 1) / page * page, evictable));
  }

  // All that oldest_pages() names.
  std::vector<Prefix> oldest_pages(std::uint64_t num_tokens) {
    std::set<Prefix> pages;
    for (Anchor anchor : cache_->oldest_pages(num_tokens, limits::gc_pages_max)) {
      const std::optional<Prefix> first = models_[0].find(anchor, 0);
      expect(first && !first->pages.empty(), "the oldest pages are live ones");
      for (const auto& [page, what] : models_[0].pages()) {
        if (page.begins_with(*first)) pages.insert(page);
      }
    }
    return {pages.begin(), pages.end()};
  }

  // What was used last goes last: none of its pages while another unlocked one is left.
  void touch_then_evict(const Prefix& key) {
    lookup_owner(key);
    const std::uint32_t depth = models_[0].depth(key);
    touch(key.first(depth));
    evict(draw_amount());
    if (models_[0].depth(key) == depth) return;
    for (const auto& [prefix, page] : models_[0].pages()) {
      expect(key.begins_with(prefix) || lock_model_.covers(prefix), "the most recent went first");
    }
  }

  void remove(const Prefix& key) {
    const bool here = models_[0].depth(key) == key.pages.size();
    const bool locked = lock_model_.covers(key);
    gone_.clear();
    const auto freed = cache_->remove(name(key), tokens_with_tail(key), *this);
    expect(freed.has_value() == !(here && locked), "a locked page is not removed");
    if (freed) expect_freed(*freed, gone_.size());
    expect(!models_[0].holds(key) || (here && locked), "what was removed is gone");
  }

  void reset() {
    gone_.clear();
    const std::uint64_t before = models_[0].tokens();
    const bool locked = lock_model_.pages_covered({}) > 0;
    const auto kept = cache_->begin_reset(*this, true);
    expect(kept.has_value() == locked, "nothing is reset under a lock");
    if (kept) return;
    // Half of it given back, the answers are as if all were.
    while (cache_->is_resetting() && !choices_.one_in(4)) {
      replicas_[0].tree->give_back(1);
      checker_.holder(replicas_[0], 0, true);
      checker_.lookup(replicas_[0], draw(), choices_);
      checker_.edges(replicas_[0], choices_);
    }
    expect_freed(cache_->finish_reset(), before);
  }

  // No slot lost, none twice: what was freed is what the pages that went had.
  void expect_freed(const SlotRuns& freed, std::uint64_t tokens) {
    std::vector<std::uint64_t> slots = flat_slots(freed);
    std::ranges::sort(slots);
    std::ranges::sort(gone_);
    expect(slots == gone_, "freed slots are those of the pages that went");
    expect(slots.size() == tokens, "as many slots were freed as asked");
  }

  Inserted record_insert(Anchor anchor, const CacheNamespace& name, std::span<const TokenId> tokens,
                         const SlotRuns& slots) override {
    expect(name == test_namespaces()[inserting_.name], "the op's namespace");
    const std::optional<Prefix> from = models_[0].find(anchor, inserting_.name);
    expect(from && inserting_.begins_with(*from), "the op's anchor is on the path");
    const std::size_t skipped = from->pages.size() * options_.page_size;
    const auto pages_max = static_cast<std::uint32_t>(tokens.size() / options_.page_size);
    const std::uint32_t pages = choices_.one_in(3) ? choices_.between(1, pages_max) : pages_max;
    const std::uint32_t taken = pages * options_.page_size;
    const Prefix key{from->name, from->pages + codec_.pages(tokens.first(taken))};
    expect(inserting_.begins_with(key), "the op's tokens");
    expect(
        flat_slots(slots.part(0, taken)) == std::vector(inserting_slots_.begin() + skipped,
                                                        inserting_slots_.begin() + skipped + taken),
        "the op's slots");
    TrialOp op{TrialOp::Kind::insert, 0, Seq{++seqs_[0]}, anchor, key.name, {}, {}, {}, {taken}};
    op.tokens.assign(tokens.begin(), tokens.begin() + taken);
    op.slots = slots.part(0, taken);
    const std::uint32_t added =
        models_[0].store(op.seq, key, from->pages.size(), flat_slots(op.slots));
    expect(added == pages, "an INSERT of the owner carries only what is new");
    send(op);
    return {op.seq, taken};
  }

  void record_delete(std::span<const Anchor> first_pages) override {
    expect(!first_pages.empty() && first_pages.size() <= limits::delete_entries_max,
           "a DELETE's removals are bounded");
    TrialOp op{TrialOp::Kind::remove, 0, Seq{++seqs_[0]}, {}, 0, {}, {}, {}, {}};
    for (Anchor anchor : first_pages) {
      const std::optional<Prefix> first = models_[0].find(anchor, 0);
      expect(first && !first->pages.empty(), "a removal names a live page");
      expect(!lock_model_.covers(*first) && !protected_path_.begins_with(*first),
             "a locked page went");
      op.removed.push_back(anchor);
      if (evicting_) {
        recency_.evict(*first, is_locked_);
      } else {
        recency_.remove(*first);
      }
      op.expected.push_back(models_[0].remove(*first, &gone_) * std::uint64_t{options_.page_size});
    }
    send(op);
  }

  void record_reset() override {
    TrialOp op{TrialOp::Kind::reset, 0, Seq{++seqs_[0]}, {}, 0, {}, {}, {}, {models_[0].tokens()}};
    for (const auto& [prefix, page] : models_[0].pages()) {
      gone_.insert(gone_.end(), page.slots.begin(), page.slots.end());
    }
    models_[0].clear();
    recency_.clear();
    send(op);
  }

  // ---- the other holders -----------------------------------------------------------------------

  // After any page that it holds on the way, so also over pages that it holds already.
  void remote_insert(std::size_t origin) {
    const Prefix key = draw();
    HolderModel& model = models_[origin];
    const auto pages = static_cast<std::uint32_t>(key.pages.size());
    const std::uint32_t depth = std::min(model.depth(key), pages - 1);
    const std::uint32_t from = choices_.one_in(2) ? depth : choices_.below(depth + 1);
    TrialOp op{TrialOp::Kind::insert,
               origin,
               Seq{++seqs_[origin]},
               model.anchor_of(key.first(from)),
               key.name,
               {},
               {},
               {},
               {}};
    op.tokens = codec_.tokens(key.pages.substr(from));
    std::uint64_t next_slot = 1 + choices_.below(64);
    if (sends_slots(origin)) op.slots = runs_of(draw_slots(op.tokens.size(), next_slot));
    op.expected = {model.store(op.seq, key, from, flat_slots(op.slots)) *
                   std::uint64_t{options_.page_size}};
    send(op);
  }

  void remote_remove(std::size_t origin) {
    TrialOp op{TrialOp::Kind::remove, origin, Seq{++seqs_[origin]}, {}, 0, {}, {}, {}, {}};
    for (std::uint32_t left = choices_.between(1, 3); left > 0; --left) {
      if (models_[origin].pages().empty()) break;
      const Prefix first = held_page(origin);
      op.removed.push_back(models_[origin].anchor_of(first));
      op.expected.push_back(models_[origin].remove(first, nullptr) *
                            std::uint64_t{options_.page_size});
    }
    send(op);
  }

  // A page and all below it retire, or are taken back; the owner's as well.
  void mark(std::size_t origin) {
    HolderModel& model = models_[origin];
    if (model.pages().empty()) return;
    const std::vector<Prefix> roots = model.retiring_roots();
    const bool retires = roots.empty() || choices_.one_in(2);
    const bool to_root = !retires && !choices_.one_in(4);
    const auto which = choices_.below(static_cast<std::uint32_t>(roots.size() + 1));
    const Prefix first = to_root && which < roots.size() ? roots[which] : held_page(origin);
    const auto kind = retires ? TrialOp::Kind::retire : TrialOp::Kind::take_back;
    TrialOp op{kind, origin, Seq{++seqs_[origin]}, {}, 0, {}, {}, {}, {}};
    op.removed = {model.anchor_of(first)};
    op.expected = {model.set_retiring(first, retires) * std::uint64_t{options_.page_size}};
    if (origin == 0) apply(op, replicas_[0]);
    send(op);
  }

  // A RESET, or the holder goes and comes again.
  void remote_clear(std::size_t origin) {
    TrialOp op{TrialOp::Kind::reset,      origin, Seq{++seqs_[origin]}, {}, 0, {}, {}, {},
               {models_[origin].tokens()}};
    if (choices_.one_in(3)) op.kind = TrialOp::Kind::rejoin;
    models_[origin].clear();
    send(op);
  }

  // Ops that no tree may take, and that leave no trace.
  void refused(std::size_t origin) {
    const std::uint32_t page = options_.page_size;
    Prefix held = held_page(origin);
    const Anchor good = models_[origin].holds(held) ? models_[origin].anchor_of(held) : Anchor{};
    const Seq next{seqs_[origin] + 1};
    const std::vector<TokenId> tokens = codec_.tokens(draw().pages);
    const std::array bad_anchors{Anchor{next, page}, Anchor{{}, page}, Anchor{good.seq, 0x7FFFFFFF},
                                 Anchor{good.seq, good.tokens + 1}};
    for (Replica& replica : replicas_) {
      if (replica.late) continue;
      Relation& tree = *replica.tree;
      const HolderIndex holder = replica.holders[origin];
      const std::size_t edges = tree.edge_count(), memory = tree.memory_bytes();
      for (const Anchor& anchor : bad_anchors) {
        if (page == 1 && models_[origin].find(anchor, held.name)) continue;
        expect(!tree.store(holder, Insertion{next, anchor, name(held), tokens, {}}),
               "an INSERT after an unknown page");
        expect(!tree.remove(holder, anchor), "a removal of an unknown page");
      }
      expect(!tree.remove(holder, Anchor{}), "a removal of the root");
      expect(!tree.store(holder, Insertion{next, good, name(held), {}, {}}), "an empty INSERT");
      if (page > 1) {
        const auto part = std::span{tokens}.first(tokens.size() - 1);
        expect(!tree.store(holder, Insertion{next, good, name(held), part, {}}), "a part page");
      }
      expect(tree.edge_count() == edges && tree.memory_bytes() == memory,
             "what was refused left a trace");
    }
  }

  // ---- the trees -------------------------------------------------------------------------------

  void send(const TrialOp& op) {
    for (std::size_t i = op.origin == 0 ? 1 : 0; i < replicas_.size(); ++i) {
      if (replicas_[i].late) {
        replicas_[i].waiting[op.origin].push_back(op);
      } else {
        apply(op, replicas_[i]);
      }
    }
  }
  void deliver(Replica& replica, std::uint32_t most) {
    std::vector<std::size_t> ready;
    for (; most > 0; --most) {
      ready.clear();
      for (std::size_t origin = 0; origin < models_.size(); ++origin) {
        if (!replica.waiting[origin].empty()) ready.push_back(origin);
      }
      if (ready.empty()) return;
      auto& queue =
          replica.waiting[ready[choices_.below(static_cast<std::uint32_t>(ready.size()))]];
      apply(queue.front(), replica);
      queue.pop_front();
    }
  }

  void apply(const TrialOp& op, Replica& replica) {
    Relation& tree = *replica.tree;
    HolderIndex& holder = replica.holders[op.origin];
    if (op.kind == TrialOp::Kind::insert) {
      const auto added = tree.store(
          holder, Insertion{op.seq, op.anchor, test_namespaces()[op.name], op.tokens, op.slots});
      expect(added == op.expected[0], "an INSERT adds what is new");
    } else if (op.kind == TrialOp::Kind::remove) {
      for (std::size_t i = 0; i < op.removed.size(); ++i) {
        expect(tree.remove(holder, op.removed[i]) == op.expected[i],
               "a removal takes what is below");
      }
    } else if (op.kind == TrialOp::Kind::retire || op.kind == TrialOp::Kind::take_back) {
      const bool retires = op.kind == TrialOp::Kind::retire;
      expect(tree.set_retiring(holder, op.removed[0], retires) == op.expected[0],
             "what retires, or is taken back, is what lies below");
    } else if (op.kind == TrialOp::Kind::reset && choices_.one_in(2)) {
      expect(tree.clear(holder) == op.expected[0], "a RESET takes all");
    } else {
      // What goes is out of all answers while it is given back.
      tree.drop_holder(holder);
      holder = tree.add_holder();
      ++replica.rejoined;
    }
  }

  void compare() {
    const std::uint64_t page = options_.page_size, total = models_[0].tokens();
    const std::uint64_t covered = lock_model_.pages_covered({}) * page;
    expect(cache_->total_tokens() == total, "total");
    expect(cache_->protected_tokens() == covered, "protected");
    expect(cache_->evictable_tokens() + covered == total, "evictable + protected == total");
    expect(options_.tokens_max == 0 || total <= options_.tokens_max, "the bound holds");
    for (Replica& replica : replicas_) {
      if (choices_.one_in(2)) replica.tree->give_back(choices_.below(4));
      if (replica.late) {
        deliver(replica, choices_.below(3));
        continue;
      }
      checker_.lookup(replica, draw(), choices_);
      for (std::size_t origin = 0; origin < models_.size(); ++origin) {
        checker_.holder(replica, origin, choices_.one_in(3));
      }
      checker_.entry_content(replica, choices_.below(static_cast<std::uint32_t>(models_.size())),
                             choices_);
      if (choices_.one_in(8)) checker_.edges(replica, choices_);
    }
  }

  void compare_all() {
    compare();
    for (Replica& replica : replicas_) {
      for (std::size_t origin = 0; origin < models_.size(); ++origin) {
        checker_.holder(replica, origin, true);
        checker_.entry_content(replica, origin, choices_);
        checker_.lookup(replica, held_page(origin), choices_);
      }
      checker_.edges(replica, choices_);
    }
  }

  TrialOptions options_;
  Choices& choices_;
  PageCodec codec_;
  std::vector<HolderModel> models_;  // by origin
  std::vector<std::uint64_t> seqs_;  // the last one used, by origin
  TreeChecker checker_;
  std::vector<Replica> replicas_;
  std::unique_ptr<TreeCache<OwnerValue>> cache_;  // over replica 0; goes before it
  LockModel lock_model_;
  RecencyModel recency_;
  std::size_t exact_evictions_ = 0, coarse_evictions_ = 0;
  std::vector<Locked> locks_;
  Match match_;
  std::uint64_t next_slot_ = 1;
  const RecencyModel::Predicate is_locked_ = [this](const Prefix& page) {
    return lock_model_.covers(page) || protected_path_.begins_with(page);
  };
  // Of the call that is under way:
  Prefix inserting_;
  std::vector<std::uint64_t> inserting_slots_;
  Prefix protected_path_;            // what insert() must not evict
  bool evicting_ = false;            // the oldest must go first
  std::vector<std::uint64_t> gone_;  // slots of the pages that the journal saw go
};

}  // namespace radixmesh
