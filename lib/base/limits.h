// Every bound of the system, with its unit in the name and its reason beside it. What happens when
// one is hit is said where it is enforced.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "lib/base/time.h"

namespace radixmesh::limits {

using namespace std::chrono_literals;

// ---- the tree ----------------------------------------------------------------------------------

// A page that is longer than this makes no sense as a unit of reuse, and must fit one INSERT.
inline constexpr std::uint32_t page_tokens_max = 1024;
// One request's tokens: four times the longest context in use today.
inline constexpr std::uint32_t request_tokens_max = 1u << 20;
// A part of a namespace: long enough for a LoRA path or a tenant's key.
inline constexpr std::size_t namespace_part_bytes_max = 1024;
// Edges are merged by copying up to this many tokens; longer ones only where no copy is needed. So
// a removal never copies more than 16 KiB, and an unmerged edge is too long for its overhead to
// count.
inline constexpr std::uint32_t merge_copy_tokens_max = 4096;
// How many parts of one edge may have been used at different times: what a lookup may leave on an
// edge, at 20 bytes each. Most edges have one, and few lookups end inside an edge that no insert
// then cuts there.
inline constexpr std::size_t edge_stretches_max = 8;

// Holders that are gone, on their way out of memory; past it the smallest of them goes at once. And
// how many of their edges a turn gives back: some milliseconds.
inline constexpr std::size_t dropped_holders_max = 64;
inline constexpr std::size_t dropped_edges_per_turn_max = 2048;
// Ops that a state has at most which a node takes back: so that there are numbers left for its own,
// whatever others were told of its former life.
inline constexpr std::uint64_t recovered_seq_max = std::uint64_t{1} << 56;
// Frames of an op log that were forgotten, which a turn gives back.
inline constexpr std::size_t forgotten_frames_per_turn_max = 8192;
// Entries of a former life that a turn makes this life's own: some milliseconds.
inline constexpr std::size_t restored_entries_per_turn_max = 1024,
                             restored_tokens_per_turn_max = 1 << 18;

// ---- frames between nodes ----------------------------------------------------------------------

// One op or control message. High-water marks count messages, so messages must have a size.
inline constexpr std::size_t frame_bytes_max = 64 * 1024;
// Several frames may share a ZeroMQ message; who sends a larger one is cut. Questions of the bulk
// socket are few and small.
inline constexpr std::size_t message_bytes_max = 66 * 1024;
inline constexpr std::size_t bulk_question_bytes_max = 1024;
// Messages that wait at a socket, for each connection: published ones, at who publishes and at who
// hears them, which come from members alone; questions that came in, and what goes out on the
// control and the bulk socket; changes of subscriptions.
inline constexpr int published_messages_max = 1000, heard_messages_max = 100;
inline constexpr int questions_waiting_max = 8;
inline constexpr int control_messages_max = 100;
inline constexpr int bulk_messages_max = 64;
inline constexpr int subscription_messages_max = 16;
// Tokens and slots of one INSERT as packed: the rest of a frame is for the namespace and what wraps
// it.
inline constexpr std::size_t insert_payload_bytes_max = 48 * 1024;
inline constexpr std::uint32_t insert_tokens_max = 32 * 1024;
// Epochs, seqs and beats: so that the next one always exists. An epoch is microseconds since 1970.
inline constexpr std::uint64_t count_max = std::uint64_t{1} << 62;
// A REPLAY's envelope and own fields: an op's frame that leaves no room for them is not replayed.
inline constexpr std::size_t replay_overhead_bytes_max = 80;
// Removed prefixes named by one DELETE.
inline constexpr std::size_t delete_entries_max = 1024;
// Nodes of a cluster; bounds what a HEAD, a TICK or a list of members may name.
inline constexpr std::size_t members_max = 1024;
// Above it `auto` arranges groups: a mesh of N nodes has N (N - 1) links, and each op N - 1 sends.
inline constexpr std::size_t mesh_members_max = 64;
// An epoch is a time. What others tell of one is believed up to the year 2255, a node's own word 30
// years further: so whatever was told of it, there is a later one that it can say.
inline constexpr std::uint64_t epoch_told_max = std::uint64_t{9'000'000'000'000'000};
inline constexpr std::uint64_t epoch_max = std::uint64_t{10'000'000'000'000'000};
// How far above another life's an outgrown epoch is at most: a second of the clock.
inline constexpr std::uint64_t epoch_step_max = 1'000'000;
// Members that were told of, or asked to be let in, and have not answered themselves yet.
inline constexpr std::size_t unproven_members_max = 64;
// What a rank may be when it is given; higher ones are handed out after it.
inline constexpr std::uint32_t given_rank_max = 1'000'000;
// Any rank on the wire, and any counter of refutations: so that the next one always exists.
inline constexpr std::uint32_t rank_max = 1u << 30;
inline constexpr std::uint32_t refute_max = 1u << 30;
inline constexpr std::size_t address_bytes_max = 256;
// Addresses that one who joins asks.
inline constexpr std::size_t seeds_max = 256;
// Origins in one heartbeat, and news in one message: what is more comes in turn, or in several.
inline constexpr std::size_t heartbeat_digests_max = 512;
inline constexpr std::size_t news_per_message_max = 64;
inline constexpr std::size_t cluster_bytes_max = 128;
inline constexpr std::size_t engine_token_bytes_max = 64;
inline constexpr std::size_t reason_bytes_max = 512;

// ---- replication -------------------------------------------------------------------------------

// Frames held after a gap, for one origin. When full, the newest is dropped: repair fetches it.
inline constexpr std::size_t pending_frames_max = 4096;
inline constexpr std::size_t pending_bytes_max = 8 * 1024 * 1024;
// ... and of all origins together.
inline constexpr std::size_t pending_all_bytes_max = 256 * 1024 * 1024;
// What one origin may hold, in its entries here and again in a snapshot on its way; and distinct
// tokens of the whole tree, whose memory they bound at 4.3 bytes each. What is more is not stored:
// its origin counts as degraded.
inline constexpr std::uint64_t holder_tokens_max = 64 * 1024 * 1024;
inline constexpr std::uint64_t tree_tokens_max = 512 * 1024 * 1024;
// Op log: own ops, and all others' together. Past it the oldest go, and a peer that needs them
// takes a snapshot instead.
inline constexpr std::size_t own_log_bytes_max = 64 * 1024 * 1024;
inline constexpr std::size_t other_log_bytes_max = 64 * 1024 * 1024;
// Requests of one peer that wait, one for an origin; the asker asks again for what is refused.
inline constexpr std::size_t replays_waiting_max = 64;
// Answers, and questions, that one message brings about: it has one frame, unless it is hostile.
// Questions may go to every member as well.
inline constexpr std::size_t answers_of_a_message_max = 64;
// One answer to a REPLAY request. The asker asks again for the rest.
inline constexpr std::size_t replay_bytes_max = 512 * 1024;
// Snapshot chunks that a receiver lets be under way at once (credit), and sessions of one donor.
inline constexpr std::uint32_t snapshot_credit_chunks = 16;
inline constexpr std::size_t snapshot_sessions_max = 64;
// Removals remembered for a snapshot session between two chunks; past it the session starts anew.
inline constexpr std::size_t snapshot_removals_max = 64 * 1024;
// Bulk work per turn, replays and snapshots together: bounds how long live traffic waits behind a
// repair.
inline constexpr std::size_t bulk_bytes_per_turn_max = 256 * 1024;

// ---- collecting duplicates ---------------------------------------------------------------------

// What an owner may say of how long a reader's registration stands unrenewed: a day.
inline constexpr std::uint64_t lease_us_max = 86'400'000'000;
// Page names in one message or op, and so what one round keeps copies of at each other node.
// References that retire and are more than this are not named: then nothing of them is agreed to.
inline constexpr std::size_t gc_pages_max = delete_entries_max;
// Of one reader at one owner; past it nothing more is granted.
inline constexpr std::size_t reader_pages_max = 65536;
// Pages that this node keeps for rounds of others; past it HOLD is refused.
inline constexpr std::size_t held_pages_max = 64 * 1024;
// What the engine was told to free and has not acknowledged, in batches, and the runs of slots in
// one. While there are so many batches, nothing more is collected.
inline constexpr std::size_t gc_unacknowledged_max = 128;
inline constexpr std::size_t gc_free_runs_max = 16 * 1024;

// ---- routing -----------------------------------------------------------------------------------

// Of one router: 10,000 requests a second that take half a minute each. Past it the one that would
// expire first goes.
inline constexpr std::size_t bookings_max = 300'000;
// Requests that an engine may say it runs, or has waiting.
inline constexpr std::uint32_t reported_requests_max = 0xFFFFFFFF;
// Chunks (of at least 256 tokens) that one router's open bookings keep and tell, of a prompt those
// that its node lacked; that are told in one message; and that are taken of one other router
// between two repetitions, as often as it may tell all of them. Beyond that they count where they
// were routed, and for `--speculation-seconds` alone.
inline constexpr std::size_t booked_chunks_max = 64 * 1024;
inline constexpr std::size_t booked_chunks_per_message_max = 1024;
inline constexpr std::size_t booked_chunks_heard_max = 2 * booked_chunks_max;
// Of all routers, in each of two generations: pairs of a chunk and a node, some 25 MB each; and
// nodes of one chunk.
inline constexpr std::size_t speculative_chunks_max = 256 * 1024, speculative_nodes_max = 64;
// Of one prompt: see lib/routing/chunks.h.
inline constexpr std::size_t prompt_chunks_max = 400;
static_assert(2 * prompt_chunks_max <= booked_chunks_per_message_max, "a booking fits a message");
// Prompts of which it is known that they were told to go elsewhere, for about a second.
inline constexpr std::size_t moves_max = 1024;

// ---- one turn of the loop ----------------------------------------------------------------------

// For how long a turn takes in what came, and how much of it: then the core's effects are performed
// and the engine is looked at.
inline constexpr std::chrono::milliseconds turn_input_max = 10ms;
inline constexpr std::size_t turn_input_bytes_max = 8 * 1024 * 1024;
// ... and for how long it goes on with the engine's requests beyond the one that is carried out;
// the others wait for the next turns, and clients take turns.
inline constexpr std::chrono::milliseconds turn_requests_max = 10ms;
// Leases of clients that are gone which a turn gives back.
inline constexpr std::size_t released_leases_per_turn_max = 2048;
// A longer turn is logged.
inline constexpr std::chrono::milliseconds turn_long = 100ms;

// ---- names and connections ---------------------------------------------------------------------

// Look-ups under way at once, each for so long at most; what is more waits for its turn.
inline constexpr std::size_t name_lookups_max = 128;
inline constexpr std::chrono::milliseconds name_lookup_max = 5s;
// Of all that one name stands for, so many are tried.
inline constexpr std::size_t addresses_of_a_name_max = seeds_max;
// Who connected and said nothing at all for so long is cut. Members say something on every
// connection, at the latest after the second.
inline constexpr std::chrono::seconds silent_connection_max = 30s;
inline constexpr std::chrono::seconds sign_of_life_every = 10s;
// Connections to one bound socket: of those that no member's identity came over, of one node, and
// in all. Past them the one that was heard least lately is cut.
inline constexpr std::size_t stranger_connections_max = 64;
inline constexpr std::size_t connections_of_a_node_max = 2;
inline constexpr std::size_t connections_max = 2048;
// What came over a connection beyond whole messages: the message that is on its way, of a size that
// the socket bounds, and what libzmq reads at once. It keeps 64 bytes for each part of it, of which
// an empty one is two bytes: in memory this is up to 32 times as much.
inline constexpr std::size_t read_ahead_bytes_max = 16 * 1024;
// Between two looks at all connections: a stranger fills for so long what nobody saw.
inline constexpr std::chrono::milliseconds connections_looked_at_every = 250ms;
// Between two searches for connections of ours that nothing has told of.
inline constexpr std::chrono::seconds connections_searched_every = 2s;
// Topics of one connection: two lanes, a group's, a marker's, a watcher's, and those of a group
// before.
inline constexpr std::uint32_t topics_of_a_connection_max = 16;

// ---- the log -----------------------------------------------------------------------------------

// Lines that wait for whoever reads them; a full pipe holds as much again.
inline constexpr std::size_t log_queue_bytes_max = 256 * 1024;
// A minute: of one event about one node, of one event, and in all.
inline constexpr std::uint64_t log_lines_per_kind_max = 5;
inline constexpr std::uint64_t log_lines_per_event_max = 120;
inline constexpr std::uint64_t log_lines_per_minute_max = 600;

// ---- the engine's side -------------------------------------------------------------------------

inline constexpr std::size_t ipc_frame_bytes_max = 16 * 1024 * 1024;
inline constexpr std::size_t ipc_depth_max = 8;
// Slot runs of one request, and MessagePack values in one frame: a run is three of them.
inline constexpr std::size_t ipc_runs_max = request_tokens_max;
inline constexpr std::size_t ipc_values_max = 4 * request_tokens_max + 1024;
inline constexpr std::size_t ipc_clients_max = 256;
// Who made no whole request for so long after it connected is cut; so is who leaves a frame
// unfinished for so long, and who is to be closed and takes nothing of what it was answered.
inline constexpr std::chrono::seconds ipc_silent_max = 10s;
// What is allocated for what came in, of all clients. Past it only the frame that lacks the least
// is read on, and who has less than its share.
inline constexpr std::size_t ipc_input_all_bytes_max = 64 * 1024 * 1024;
inline constexpr std::size_t ipc_input_share_bytes = 256 * 1024;
// What waits to be read by one client, and by all: who passes the first is cut, and past the second
// the one for which the most waits.
inline constexpr std::size_t ipc_output_bytes_max = 64 * 1024 * 1024;
inline constexpr std::size_t ipc_output_all_bytes_max = 256 * 1024 * 1024;
// Clients that subscribed to anything: each notification is copied for each of them.
inline constexpr std::size_t ipc_subscribers_max = 64;
// Of one client, and of all together with those that are not given back yet.
inline constexpr std::size_t ipc_leases_max = 65536;
inline constexpr std::size_t ipc_leases_all_max = 4 * ipc_leases_max;
inline constexpr std::size_t ipc_tree_rows_max = 10000;
// Slot runs of one answer, each at most 15 bytes. What frees or names more is refused before it
// changes anything; `evict` stops with the first edge that passes `evicted_runs_max`.
inline constexpr std::size_t answer_runs_max = request_tokens_max + 16 * 1024;
inline constexpr std::size_t evicted_runs_max = 16 * 1024;
// Own edges that one `delete` removes at most: some ten milliseconds, here and at each peer.
inline constexpr std::size_t removed_edges_max = 64 * 1024;

static_assert(
    insert_payload_bytes_max + 4 * (namespace_part_bytes_max + 8) + 1024 < frame_bytes_max,
    "an INSERT fits a frame, and that frame or its entry fits a REPLAY or SNAPSHOT_CHUNK");
static_assert(frame_bytes_max <= message_bytes_max, "a frame fits a message");
static_assert(page_tokens_max * (4 + 2 * 10) <= insert_payload_bytes_max,
              "a page with a slot run per token fits one INSERT");
static_assert(members_max * 27 + news_per_message_max * (address_bytes_max + 32) + 1024 <
                  frame_bytes_max,
              "a HEAD with every origin and news fits a frame, and so does a TICK");
// As all sums together are bounded by the bookings, few are large: 5 bytes for those of tokens, 3
// for the others, but for as many nodes as could be promised 2^32 tokens each.
static_assert(members_max * (9 + 2 * 3 + 2 * 5 + 3 + 2 * 5) + booked_chunks_per_message_max * 19 +
                      (bookings_max >> 12) * 24 + 1024 <
                  frame_bytes_max,
              "a BOOKINGS with every node and all its chunks fits a frame");
static_assert(heartbeat_digests_max * 45 + news_per_message_max * (address_bytes_max + 32) + 1024 <
                  frame_bytes_max,
              "a heartbeat fits a frame");
static_assert(delete_entries_max * 14 < frame_bytes_max, "a full DELETE fits a frame");
static_assert(request_tokens_max * 4 < ipc_frame_bytes_max, "a whole request fits an IPC frame");
static_assert(evicted_runs_max + request_tokens_max <= answer_runs_max,
              "an edge has at most as many runs as a request has tokens");
static_assert(
    answer_runs_max * 15 + 2 * members_max * (address_bytes_max + 32) < ipc_frame_bytes_max,
    "a match with its depths and segments, one of each for every member, fits an IPC frame");
static_assert(ipc_frame_bytes_max < ipc_output_bytes_max, "one answer never cuts a client");
static_assert(2 * (ipc_frame_bytes_max + 64 * 1024) <= ipc_input_all_bytes_max,
              "the largest frame is read on, whatever the others have begun");
static_assert(ipc_clients_max * ipc_input_share_bytes <= ipc_input_all_bytes_max,
              "shares of all clients double the input at most");
static_assert(4 * ipc_output_bytes_max <= ipc_output_all_bytes_max,
              "four clients may be as slow as one may be");
static_assert(2 * ipc_input_all_bytes_max + ipc_frame_bytes_max + 2 * ipc_output_all_bytes_max +
                      ipc_output_bytes_max + 192 * ipc_leases_all_max <=
                  std::size_t{800} * 1024 * 1024,
              "all that clients can make the engine's side keep: input and shares, output in "
              "strings that double, one answer more, leases");
static_assert((gc_unacknowledged_max * gc_free_runs_max + request_tokens_max) * 15 <
                  ipc_output_bytes_max,
              "what an engine is told to free never cuts it: all that waits, and one DELETE more");

}  // namespace radixmesh::limits
