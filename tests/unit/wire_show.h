// Every field of a message as text, so that tests compare what was decoded and not what a decoder
// and an encoder that forget the same field agree on.
#pragma once

#include <sstream>
#include <string>

#include "lib/oplog/message.h"

namespace radixmesh {

class WireShow {
 public:
  static std::string of(const Message& message) {
    WireShow show;
    const Envelope& envelope = message.envelope;
    show << int{envelope.type} << envelope.origin.value << envelope.epoch.value
         << envelope.seq.value << int{envelope.ttl} << "body" << message.body.index();
    std::visit([&](const auto& body) { show.add(body); }, message.body);
    return show.text_.str();
  }
  static std::string of(const SlotRuns& slots) {
    WireShow show;
    show.add(slots);
    return show.text_.str();
  }

 private:
  template <class T>
  WireShow& operator<<(const T& value) {
    text_ << value << ' ';
    return *this;
  }

  void add(const SlotRuns& slots) {
    *this << "slots";
    for (const SlotRun& run : slots.runs()) *this << run.start.value << run.count;
  }
  void add(const std::vector<Anchor>& anchors) {
    *this << "anchors";
    for (const Anchor& anchor : anchors) *this << anchor.seq.value << anchor.tokens;
  }
  void add(const std::vector<VectorEntry>& vector) {
    *this << "vector";
    for (const VectorEntry& each : vector) {
      *this << each.origin.value << each.epoch.value << each.applied.value;
    }
  }
  void add_pages(const InsertOp& insert) {
    for (const NamespacePart& part : insert.name.parts) {
      *this << static_cast<int>(part.kind) << part.value.size() << part.value;
    }
    *this << "tokens" << insert.tokens.size();
    for (TokenId token : insert.tokens) *this << static_cast<std::uint32_t>(token);
    add(insert.slots);
  }

  void add(const std::optional<Load>& load) {
    *this << "load" << load.has_value();
    if (!load) return;
    *this << load->running << load->waiting << load->queued_tokens.has_value()
          << load->queued_tokens.value_or(0) << load->kv_used << load->kv_total
          << load->prefill_rate.has_value() << load->prefill_rate.value_or(0) << load->report;
  }
  void add(const std::vector<MemberNews>& news) {
    *this << "news" << news.size();
    for (const MemberNews& each : news) {
      *this << each.addr.size() << each.addr << each.rank.value << role_name(each.role)
            << each.epoch.value << each.refute << state_name(each.state) << each.removed;
    }
  }
  void add(const Standing& standing) {
    *this << standing.epoch.value << standing.refute << state_name(standing.state);
  }
  void add_token(const std::string& engine_token) { *this << engine_token.size() << engine_token; }

  void add(const InsertOp& insert) {
    *this << insert.anchor.seq.value << insert.anchor.tokens;
    add_pages(insert);
  }
  void add(const DeleteOp& removal) { add(removal.first_pages); }
  void add(const ResetOp&) {}
  void add(const GcQueryOp& query) { add(query.first_pages); }
  void add(const GcAbortOp& abort) { add(abort.first_pages); }
  void add(const HeadMessage& head) {
    *this << head.beat << head.head.value << digest_hex(head.digest);
    add(head.load);
    add(head.vector);
    *this << "refute" << head.refute;
    add_token(head.engine_token);
    *this << "taken over" << head.taken_over.has_value();
    if (head.taken_over) *this << head.taken_over->epoch.value << head.taken_over->seq.value;
    add(head.news);
    *this << "ready" << head.ready << "rank" << head.rank.value << head.keeps_duplicates
          << head.standing.behind_ops << head.standing.behind.count() << head.standing.sees
          << head.standing.of;
  }
  void add(const MarkerMessage& marker) { add(marker.vector); }
  void add(const Introduction& hello) {
    *this << hello.protocol_min << hello.protocol_max << hello.fingerprint << hello.cluster
          << hello.page_size << hello.addr << hello.rank.value << role_name(hello.role);
    add_token(hello.engine_token);
    *this << hello.publish_addr << hello.bulk_addr << hello.refute;
    add(hello.seen);
    *this << "former" << hello.former.epoch.value << hello.former.seq.value;
    add_token(hello.former.engine_token);
    *this << hello.former.has_slots << hello.lease.count() << hello.earlier_lease.count()
          << hello.former_lease.count() << hello.beat << hello.head.value << hello.bookings
          << hello.nonce << hello.stamp << hello.round << hello.question << hello.ready
          << hello.rank_given << hello.pull_rate << hello.founder.has_value();
    if (hello.founder) add(*hello.founder);
  }
  void add(const RefusedMessage& refused) { *this << refused.reason; }
  void add(const Pulse& pulse) {
    *this << pulse.beat << pulse.view_hash;
    add(pulse.seen);
    add(pulse.load);
    *this << "digests" << pulse.digests.size();
    for (const DigestEntry& each : pulse.digests) {
      *this << each.at.origin.value << each.at.epoch.value << each.at.applied.value
            << digest_hex(each.digest);
    }
    add(pulse.news);
  }
  void add(const ReplayRequest& ask) {
    *this << ask.origin.value << ask.epoch.value << ask.first.value << ask.last.value;
  }
  void add(const ReplayMessage& replay) {
    *this << replay.origin.value << replay.epoch.value << static_cast<int>(replay.status)
          << replay.frames.size() << replay.frames;
  }
  void add(const SnapshotRequest& ask) {
    *this << ask.origin.value << ask.epoch.value << ask.applied.value << ask.session
          << ask.wants_slots;
    add_token(ask.engine_token);
  }
  void add(const SnapshotChunk& chunk) {
    *this << chunk.origin.value << chunk.epoch.value << chunk.session << chunk.index
          << static_cast<int>(chunk.status) << chunk.as_of.value << chunk.has_slots;
    add(chunk.removals);
    for (const SnapshotMark& mark : chunk.marks) {
      *this << "mark" << mark.first.seq.value << mark.first.tokens << mark.retiring;
    }
    for (const SnapshotEntry& entry : chunk.entries) {
      *this << "entry" << entry.seq.value << entry.parent.value << entry.begin
            << entry.retired_from;
      add_pages(entry.body);
    }
  }
  void add(const SnapshotCredit& credit) {
    *this << credit.origin.value << credit.session << credit.received;
  }

  void add(const ProbeRequest& probe) { *this << probe.target.value; }
  void add(const ProbeReport& probe) { *this << probe.target.value << probe.alive; }
  void add(const NewsMessage& message) {
    add(message.news);
    *this << message.wants_answer;
  }
  void add(const TickMessage& tick) {
    *this << tick.initiator.value << tick.initiator_epoch.value << tick.nonce << int{tick.round}
          << tick.hops_left << "visited" << tick.visited.size();
    for (const Visit& visit : tick.visited) {
      *this << visit.node.value << visit.epoch.value << visit.refute;
    }
    *this << "skipped";
    for (NodeId node : tick.skipped) *this << node.value;
  }
  void add(const TickAckMessage& ack) {
    *this << ack.initiator.value << ack.nonce << int{ack.round};
  }
  void add(const Founder& founder) { *this << founder.addr << founder.life.value; }
  void add(const JoinedMessage& joined) {
    *this << joined.rank.value << joined.members;
    add(joined.founder);
  }
  void add(const std::vector<ReaderRegister>& registers) {
    *this << "registers";
    for (const ReaderRegister& each : registers) {
      *this << each.page.seq.value << each.page.tokens << each.version;
    }
  }
  void add(const RegisterMessage& reader) {
    *this << reader.nonce << reader.stamp << reader.ends << reader.epoch.value
          << reader.applied.value << reader.complete;
    add(reader.blocks);
    add(reader.registers);
  }
  void add(const RegisteredMessage& registered) {
    *this << registered.nonce << registered.stamp << registered.position.value
          << gc_mode_name(registered.mode) << registered.lease.count();
    add(registered.registers);
  }
  void add(const HoldMessage& hold) {
    *this << hold.round << hold.lease.count();
    add(hold.pages);
  }
  void add(const HeldMessage& held) {
    *this << held.round;
    add(held.refused);
  }
  void add(const BookingsMessage& bookings) {
    *this << bookings.version;
    for (const auto& [node, promise] : bookings.promises) {
      *this << node.value << promise.requests << promise.prefills << promise.prefill_tokens
            << promise.decode_tokens << promise.pull_in_tokens << promise.pull_out_tokens;
    }
    for (const auto& [node, chunks] : bookings.chunks) {
      *this << node.value << chunks.size();
      for (ChunkHash chunk : chunks) *this << chunk.value;
    }
  }

  std::ostringstream text_;
};

}  // namespace radixmesh
