/// When each message is meant to be sent, counted from the start of the measurement.
///
/// The times do not depend on how the run goes: a message that is late is measured from the time at
/// which it was due, so that a relay or a tool that stalls cannot hide it (coordinated omission).
struct LoadPace: Equatable {
    /// Messages a second.
    let rate: Double
    let duration: Nanoseconds
    let shape: Shape

    /// How the messages are spread over time.
    enum Shape: Equatable, Sendable {
        /// Evenly.
        case steady
        /// At the start of each second, all of the second's at once.
        case burst
        /// From none at the start to the full rate at the end.
        case ramp
    }

    /// When the message of this number is due; nil when that is after the end.
    func due(_ number: UInt64) -> Nanoseconds? {
        guard rate > 0 else { return nil }
        let index = Double(number)
        let seconds: Double
        switch shape {
        case .steady: seconds = index / rate
        case .burst: seconds = (index / rate).rounded(.down)
        case .ramp: seconds = (2 * (Double(duration.count) / 1e9) * index / rate).squareRoot()
        }
        let due = seconds * 1e9
        return due < Double(duration.count) ? Nanoseconds(Int64(due)) : nil
    }
}
