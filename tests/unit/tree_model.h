// A model of the relation that always tells the truth: for each holder the set of its page
// prefixes, each with the INSERT that added it and its slots. No tree, no sharing, no laziness;
// everything else (depths, entries, digests, sizes) is computed from that set when somebody asks.
//
// It shares no code with lib/tree but the plain types, and hashes for itself, as digest.h defines
// it.
#pragma once

#include <xxhash.h>

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "lib/tree/entry_table.h"
#include "lib/tree/slot_runs.h"
#include "tests/unit/tree_keys.h"

namespace radixmesh {

// A page, named by its whole prefix: a namespace (a place in test_namespaces()) and pages from
// there.
struct Prefix {
  std::uint32_t name = 0;
  Pages pages;
  friend auto operator<=>(const Prefix&, const Prefix&) = default;

  Prefix first(std::size_t count) const { return {name, pages.substr(0, count)}; }
  bool begins_with(const Prefix& other) const {
    return name == other.name && pages.starts_with(other.pages);
  }
};

struct ModelPage {
  Seq seq;                           // of the INSERT that added it
  std::vector<std::uint64_t> slots;  // of its tokens; empty: not known
  bool retiring = false;
};

struct ModelEntry {
  Seq parent;
  std::uint32_t begin = 0, end = 0;  // tokens from the root
  Prefix last;                       // the deepest page
};

// H of digest.h for any prefix, each computed once.
class ModelHashes {
 public:
  using Hash = unsigned __int128;
  explicit ModelHashes(std::uint32_t page_size) : codec_(page_size) {}

  Hash of(const Prefix& prefix) {
    auto [at, fresh] = known_.try_emplace(prefix, 0);
    if (!fresh) return at->second;
    std::string bytes;
    if (prefix.pages.empty()) {
      for (const NamespacePart& part : test_namespaces()[prefix.name].parts) {
        bytes += static_cast<char>(part.kind);
        for (int shift = 0; shift < 32; shift += 8) {
          bytes += static_cast<char>(part.value.size() >> shift);
        }
        bytes += part.value;
      }
    } else {
      const Hash before = of(prefix.first(prefix.pages.size() - 1));
      for (int shift = 0; shift < 128; shift += 8) bytes += static_cast<char>(before >> shift);
      for (TokenId token : codec_.tokens(prefix.pages.substr(prefix.pages.size() - 1))) {
        for (int shift = 0; shift < 32; shift += 8) {
          bytes += static_cast<char>(static_cast<std::uint32_t>(token) >> shift);
        }
      }
    }
    const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
    return at->second = (Hash{hash.high64} << 64) | hash.low64;
  }

 private:
  PageCodec codec_;
  std::map<Prefix, Hash> known_;
};

// What one holder has. Prefixes sort so that a page's extensions follow it at once.
class HolderModel {
 public:
  explicit HolderModel(std::uint32_t page_size) : page_size_(page_size) {}

  const std::map<Prefix, ModelPage>& pages() const { return pages_; }
  bool holds(const Prefix& prefix) const { return prefix.pages.empty() || pages_.contains(prefix); }
  std::uint64_t tokens() const { return pages_.size() * std::uint64_t{page_size_}; }

  // In pages.
  std::uint32_t depth(const Prefix& key) const {
    std::uint32_t depth = 0;
    while (depth < key.pages.size() && pages_.contains(key.first(depth + 1))) ++depth;
    return depth;
  }

  // ... and not retiring.
  bool shows(const Prefix& prefix) const {
    return prefix.pages.empty() || (holds(prefix) && !pages_.at(prefix).retiring);
  }
  // In pages, up to the first that retires.
  std::uint32_t shown_depth(const Prefix& key) const {
    std::uint32_t depth = 0;
    while (depth < key.pages.size() && shows(key.first(depth + 1))) ++depth;
    return depth;
  }

  // The page that an anchor names; nothing where it names none. The root for the root's.
  std::optional<Prefix> find(Anchor anchor, std::uint32_t name) const {
    if (anchor.seq.value == 0) {
      return anchor.tokens == 0 ? std::optional(Prefix{name, {}}) : std::nullopt;
    }
    for (const auto& [prefix, page] : pages_) {
      if (page.seq == anchor.seq && prefix.pages.size() * page_size_ == anchor.tokens) {
        return prefix;
      }
    }
    return std::nullopt;
  }
  Anchor anchor_of(const Prefix& prefix) const {
    if (prefix.pages.empty()) return {};
    return {pages_.at(prefix).seq, static_cast<std::uint32_t>(prefix.pages.size() * page_size_)};
  }

  // An INSERT of all of `key` after its first `from` pages, which are held. Returns how many pages
  // it added; those already held take the new slots, if there are any.
  std::uint32_t store(Seq seq, const Prefix& key, std::size_t from,
                      std::span<const std::uint64_t> slots) {
    std::uint32_t added = 0;
    for (std::size_t i = from; i < key.pages.size(); ++i) {
      const bool retiring = !shows(key.first(i));
      const auto [at, fresh] = pages_.try_emplace(key.first(i + 1), ModelPage{seq, {}, retiring});
      added += fresh;
      if (slots.empty()) continue;
      const auto part = slots.subspan((i - from) * page_size_, page_size_);
      at->second.slots.assign(part.begin(), part.end());
    }
    return added;
  }

  // The page and all that lies below it. Appends their slots to `freed`; returns how many pages
  // went.
  std::uint32_t remove(const Prefix& first, std::vector<std::uint64_t>* freed) {
    std::uint32_t removed = 0;
    for (auto at = pages_.lower_bound(first); at != pages_.end() && at->first.begins_with(first);
         at = pages_.erase(at), ++removed) {
      if (freed != nullptr) {
        freed->insert(freed->end(), at->second.slots.begin(), at->second.slots.end());
      }
    }
    return removed;
  }
  void clear() { pages_.clear(); }

  // The page and all that lies below it; nothing changes where the page above retires. Returns how
  // many pages changed.
  std::uint32_t set_retiring(const Prefix& first, bool retiring) {
    std::uint32_t changed = 0;
    if (!shows(first.first(first.pages.size() - 1))) return changed;
    for (auto at = pages_.lower_bound(first); at != pages_.end() && at->first.begins_with(first);
         ++at) {
      changed += at->second.retiring != retiring;
      at->second.retiring = retiring;
    }
    return changed;
  }
  // The first retiring page of each path that has one.
  std::vector<Prefix> retiring_roots() const {
    std::vector<Prefix> roots;
    for (const auto& [prefix, page] : pages_) {
      if (page.retiring && shows(prefix.first(prefix.pages.size() - 1))) roots.push_back(prefix);
    }
    return roots;
  }
  std::uint64_t retiring_tokens() const {
    std::uint64_t tokens = 0;
    for (const auto& [prefix, page] : pages_) tokens += page.retiring ? page_size_ : 0;
    return tokens;
  }

  // Entries by seq: an entry is what is left of an INSERT's pages.
  std::map<Seq, ModelEntry> entries() const {
    std::map<Seq, ModelEntry> out;
    for (const auto& [prefix, page] : pages_) {  // parents come first
      const auto end = static_cast<std::uint32_t>(prefix.pages.size() * page_size_);
      auto [at, fresh] = out.try_emplace(page.seq, ModelEntry{});
      if (fresh) {
        at->second.begin = end - page_size_;
        if (prefix.pages.size() > 1) {
          at->second.parent = pages_.at(prefix.first(prefix.pages.size() - 1)).seq;
        }
      }
      at->second.end = end;
      at->second.last = prefix;
    }
    return out;
  }

  ModelHashes::Hash digest(ModelHashes& hashes) const {
    ModelHashes::Hash sum = 0;
    const ModelHashes::Hash weight =
        (ModelHashes::Hash{0x9E3779B97F4A7C15} << 64) | 0xF39CC0605CEDC835;
    for (const auto& [prefix, page] : pages_) {
      sum += hashes.of(prefix) * (page.retiring ? weight : 1);
    }
    return sum;
  }

 private:
  std::uint32_t page_size_;
  std::map<Prefix, ModelPage> pages_;
};

// The local cache over one holder: which of its pages locks cover.
class LockModel {
 public:
  void lock(const Prefix& prefix) { locked_.insert(prefix); }
  void unlock(const Prefix& prefix) { locked_.erase(locked_.find(prefix)); }
  bool empty() const { return locked_.empty(); }

  bool covers(const Prefix& page) const {
    for (const Prefix& prefix : locked_) {
      if (prefix.begins_with(page)) return true;
    }
    return false;
  }
  // Pages that some lock covers, as if `also` were locked too.
  std::uint64_t pages_covered(const Prefix& also) const {
    std::set<Prefix> covered;
    for (std::size_t i = 1; i <= also.pages.size(); ++i) covered.insert(also.first(i));
    for (const Prefix& prefix : locked_) {
      for (std::size_t i = 1; i <= prefix.pages.size(); ++i) covered.insert(prefix.first(i));
    }
    return covered.size();
  }

 private:
  std::multiset<Prefix> locked_;
};

}  // namespace radixmesh
