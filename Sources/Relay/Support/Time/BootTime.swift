/// A point on the boot clock, in nanoseconds since a start that means nothing.
///
/// The boot clock (`CLOCK_BOOTTIME`) goes on in a suspend and is never set. It says how long ago
/// something was; what is due and when is asked of an ``Instant``, from which standstills are left
/// out.
struct BootTime: Hashable, Comparable, Sendable {
    /// Nanoseconds since the clock's own start.
    var nanoseconds: Int64

    /// The time that never comes: nothing to be told.
    static let never = BootTime(nanoseconds: .max)

    /// Compares two times; the earlier is the smaller.
    static func < (left: BootTime, right: BootTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The time that lies `span` later; saturates at ``never``.
    static func + (time: BootTime, span: Nanoseconds) -> BootTime {
        BootTime(nanoseconds: (Nanoseconds(time.nanoseconds) + span).count)
    }

    /// The span from `right` to `left`; negative when `right` is the later one.
    static func - (left: BootTime, right: BootTime) -> Nanoseconds {
        Nanoseconds(left.nanoseconds) - Nanoseconds(right.nanoseconds)
    }
}
