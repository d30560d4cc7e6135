import Synchronization

/// The dial gate as one event loop sees it: its own links, in one queue with those of the others.
///
/// The gate is behind a lock, which a loop takes only while links of its own wait or a dial of its
/// own ends. The gate's time is the boot clock, which all loops share.
struct LoopGate: ~Copyable {
    /// How soon a loop asks again whose links stand behind those of another: that one may stand
    /// still.
    private static let patience = Nanoseconds.milliseconds(250)

    private let place: LoopPlace
    /// Whether links of the loop may be waiting.
    private(set) var isWaiting = false

    init(_ place: LoopPlace) {
        self.place = place
    }

    /// Puts a link in the queue: at its end, or ahead of all.
    mutating func enqueue(_ link: SlotID, isAhead: Bool = false) {
        isWaiting = true
        place.share.gate.withLock { $0.enqueue(link, of: place.index, isAhead: isAhead) }
    }

    /// Takes the next link that may dial now; nil when none waits or none may.
    ///
    /// `isWanted` says whether the link still wants to dial, `absent` which loops stand still.
    mutating func next(
        at boot: BootTime, absent: [Bool], isWanted: (SlotID) -> Bool
    ) -> SlotID? {
        guard isWaiting else { return nil }
        let (link, rest) = place.share.gate.withLock { gate in
            let link = gate.next(
                of: place.index, now: Instant(boot), passesOver: absent, isWanted: isWanted)
            return (link, gate.isWaiting(place.index))
        }
        isWaiting = rest
        if link != nil { passOn(absent) }
        return link
    }

    /// Tells that a dial is decided, well or badly.
    func finished() {
        place.share.gate.withLock { $0.finished() }
        passOn([])
    }

    /// The span after which to ask again although no dial has ended; nil when only an ending dial
    /// can help.
    func nextWait(at boot: BootTime, absent: [Bool]) -> Nanoseconds? {
        guard isWaiting else { return nil }
        let (deadline, first) = place.share.gate.withLock { gate in
            (
                gate.nextDeadline(of: place.index, now: Instant(boot), passesOver: absent),
                gate.first(passesOver: absent)
            )
        }
        if let deadline { return deadline - Instant(boot) }
        return first == place.index ? nil : Self.patience
    }

    /// Tells the loop whose link has come first, where it is another.
    private func passOn(_ absent: [Bool]) {
        guard !place.isAlone else { return }
        let first = place.share.gate.withLock { $0.first(passesOver: absent) }
        guard let first, first != place.index else { return }
        place.share.post(.gateIsOpen, to: first)
    }
}

extension Instant {
    /// A time of the boot clock as the gate compares it.
    fileprivate init(_ boot: BootTime) { self.init(nanoseconds: boot.nanoseconds) }
}
