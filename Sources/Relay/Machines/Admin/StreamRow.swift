/// How a page resumes, and what is held of its channel.
struct ConnectionResume: Equatable, Sendable {
    /// What it got when it became live; nil before.
    var outcome: PageResume.Outcome?
    /// The row of its stream.
    var stream: DebugCursor?
    /// The number of the last message that is queued for it or sent to it; nil before it is live.
    var position: UInt64?
    /// What the stream holds.
    var messages = 0
    var bytes = 0
}

/// What an event loop holds of a channel for pages that may come back.
///
/// Its epoch is not told: who knows that may ask for the messages.
struct StreamRow: DebugRow {
    /// Whether pages that can resume hear it, or it is kept for some that may come back.
    enum State: String, CaseIterable, Sendable {
        case heard, kept
    }

    let place: DebugCursor
    /// The name of the channel.
    let channel: ChannelName?
    var state = State.heard
    /// When its numbers began, in milliseconds of Unix time.
    var beganAt: Int64 = 0
    /// The pages that hear the channel.
    var pages = 0
    var link: UInt64?
    /// The number of the last message.
    var position: UInt64 = 0
    var messages = 0
    var bytes = 0
    /// Interruptions that pages which come back are told of.
    var losses = 0
    /// For how long it is still kept, and until when, in nanoseconds since the Unix epoch.
    var kept: Nanoseconds?
    var keptUntil: Int64?

    func append(to json: inout JSONText) {
        json.member("id", place.description)
        json.member("run", channel?.runID)
        json.member("channel", channel?.channel)
        json.member("state", state.rawValue)
        json.member("began", Self.timestamp(beganAt &* 1_000_000))
        json.member("pages", pages)
        json.member("link", link)
        json.member("position", position)
        json.member("held_messages", messages)
        json.member("held_bytes", bytes)
        json.member("losses", losses)
        json.member("kept_ms", kept?.milliseconds)
        json.member("kept_until", keptUntil.map(Self.timestamp))
    }

    private static func timestamp(_ nanoseconds: Int64) -> String {
        Timestamp(nanosecondsSinceEpoch: nanoseconds).description
    }
}
