// What a router knows of one node's work: what its engine reported, what all routers promised it,
// and how fast it has been.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "lib/base/promise.h"
#include "lib/base/time.h"
#include "lib/oplog/message.h"
#include "lib/routing/hit_record.h"

namespace radixmesh {

// Prompt tokens a second, from prompts that found their node with nothing else to compute: only of
// those is it known when the work began, and what of it was cached. Old observations fade: about
// the last half minute of work counts.
class RateMeter {
 public:
  void note(std::uint64_t tokens, Duration took) {
    busy_s_ += static_cast<double>(took.count()) / 1e6;
    tokens_ += static_cast<double>(tokens);
    if (busy_s_ > kFadeS) {
      busy_s_ /= 2;
      tokens_ /= 2;
    }
  }
  // Nothing before enough was seen.
  bool known() const { return busy_s_ >= kEnoughS && tokens_ >= kEnoughTokens; }
  // Enough to tell a node from the others: a few prompts may have found those of another router
  // before them, that it had not told yet, and look as if they took several times as long.
  bool tells_apart() const { return known() && busy_s_ >= kApartS; }
  double rate() const { return tokens_ / busy_s_; }
  double tokens() const { return known() ? tokens_ : 0; }
  double busy_s() const { return known() ? busy_s_ : 0; }

 private:
  static constexpr double kFadeS = 30, kEnoughS = 0.5, kApartS = 3, kEnoughTokens = 1000;
  double tokens_ = 0, busy_s_ = 0;
};

// KV that is to go over a link, one after the other.
class LinkWork {
 public:
  // Tokens/s. As long as it is not known all that is promised is left.
  void set_rate(TimePoint now, double rate) {
    if (rate_ == 0) rate_ = rate;
    left_ = std::min(left(now), kLeftMaxS * rate);
    left_at_ = now;
    rate_ = rate;
  }
  // `sum`: of all that is promised and not known to be done.
  void promise(TimePoint now, std::uint64_t sum) {
    const double more = static_cast<double>(sum) - static_cast<double>(sum_);
    left_ = std::min(left(now) + std::max(0.0, more), static_cast<double>(sum));
    // More than it can do in that time is forgotten: else a false promise would count for ever.
    if (rate_ > 0) left_ = std::min(left_, kLeftMaxS * rate_);
    left_at_ = now;
    sum_ = sum;
  }
  // Tokens.
  double left(TimePoint now) const {
    return std::max(0.0, left_ - static_cast<double>((now - left_at_).count()) / 1e6 * rate_);
  }
  double rate() const { return rate_; }

 private:
  static constexpr double kLeftMaxS = 60;

  std::uint64_t sum_ = 0;
  double rate_ = 0, left_ = 0;
  TimePoint left_at_{};
};

class Traffic {
 public:
  // A report contains what was promised before it; so what it tells beyond that is work that no
  // router knows of. `mean_prompt` has so many tokens, of which so many are to be computed.
  struct MeanPrompt {
    double tokens = 0, to_compute = 0;
  };
  void report(TimePoint now, const Load& load, const MeanPrompt& mean_prompt) {
    load_ = load;
    reported_at_ = now;
    moved_ = {};
    const auto beyond = [](double reported, double promised) {
      return std::max(0.0, reported - promised);
    };
    others_.waiting = beyond(load.waiting, promised_.prefills);
    others_.queued = load.queued_tokens ? beyond(static_cast<double>(*load.queued_tokens),
                                                 static_cast<double>(promised_.prefill_tokens))
                                        : others_.waiting * mean_prompt.to_compute;
    others_.requests = beyond(double{1.0} * load.running + load.waiting, promised_.requests);
    others_.decode = others_.requests * mean_prompt.tokens;
  }
  // Prompts are computed one after the other: what is left of them shrinks at `rate`, and when one
  // is done, the next one begins.
  void promise(TimePoint now, const Promise& promised, double rate) {
    const double sum = static_cast<double>(promised.prefill_tokens);
    const double before = static_cast<double>(promised_.prefill_tokens);
    if (sum > before) {
      // More than it can do in that time is forgotten: else a false promise would count for ever.
      given_s_ = std::min(kGivenFadesS, given_s(now) + (sum - before) / rate);
      given_at_ = now;
    }
    left_ = sum < before ? sum : left(now, rate) + sum - before;
    left_at_ = now;
    promised_ = promised;
    pull_in.promise(now, promised.pull_in_tokens);
    pull_out.promise(now, promised.pull_out_tokens);
  }

  // Prompts were told to come here, or with negative numbers to leave. It counts until the engine
  // reports, or for a second.
  static constexpr Duration kMovedLives = std::chrono::seconds(1);
  void move(TimePoint now, double tokens, double prompts) {
    if (moved_.since + kMovedLives <= now) moved_ = {now, 0, 0};
    moved_.tokens += tokens;
    moved_.prompts += prompts;
  }

  const std::optional<Load>& load() const { return load_; }
  const Promise& promised() const { return promised_; }

  double requests(TimePoint now) const {
    return std::max(0.0, promised_.requests + others_.requests + moved(now).prompts);
  }
  double prefills(TimePoint now) const {
    return std::max(0.0, promised_.prefills + others_.waiting + moved(now).prompts);
  }
  double decode_tokens() const {
    return static_cast<double>(promised_.decode_tokens) + others_.decode;
  }
  // What was reported beyond the promises is worked off beside them.
  double queued_tokens(TimePoint now, double rate) const {
    const double others = others_.queued - worked(reported_at_, now, rate) * share();
    return std::max(0.0, left(now, rate) + std::max(0.0, others) + moved(now).tokens);
  }

  // The share of the last minute or so that the prompts take which it was given since: whether it
  // was told that they are done or not.
  double busy(TimePoint now) const { return given_s_ / faded_s(now); }
  // What of that is so much work.
  static double busy_with(double seconds) { return seconds / kGivenFadesS; }

  RateMeter meter;
  HitRecord hits;
  LinkWork pull_in, pull_out;

 private:
  struct Moved {
    TimePoint since{};
    double tokens = 0, prompts = 0;
  };
  // What was reported beyond the promises.
  struct Others {
    double queued = 0, waiting = 0, requests = 0, decode = 0;
  };
  static constexpr double kGivenFadesS = 60;

  Moved moved(TimePoint now) const { return moved_.since + kMovedLives > now ? moved_ : Moved{}; }

  double given_s(TimePoint now) const { return given_s_ * kGivenFadesS / faded_s(now); }
  double faded_s(TimePoint now) const {
    return kGivenFadesS + std::max(0.0, static_cast<double>((now - given_at_).count()) * 1e-6);
  }
  static double worked(TimePoint since, TimePoint now, double rate) {
    return static_cast<double>((now - since).count()) / 1e6 * rate;
  }
  // Of the node's rate, for what no router knows of.
  double share() const {
    return others_.queued > 0 ? others_.queued / (others_.queued + left_) : 0;
  }
  double left(TimePoint now, double rate) const {
    return std::max(0.0, left_ - worked(left_at_, now, rate) * (1 - share()));
  }

  std::optional<Load> load_;
  Promise promised_;
  double left_ = 0;  // of the promised prompts, at left_at_
  TimePoint left_at_{}, reported_at_{}, given_at_{};
  double given_s_ = 0;  // of work, faded, at given_at_
  Others others_;
  Moved moved_;
};

}  // namespace radixmesh
