/// The event loops of the process: the first runs in the thread of the process, each of the others in
/// a thread of its own.
///
/// Each loop has a ``Relay`` with its own timers, connections, links and histories (I1, I12); what
/// the process counts is in the ``ProcessShare``.
final class LoopGroup: Sendable {
    /// The longest wait for the other loops where the process ends at once.
    private static let endLimit = Nanoseconds.seconds(1)

    let share: ProcessShare
    private let inboxes: [Inbox]
    private let resolver: Resolver
    private let options: RelayOptions
    private let log: RelayLog

    /// Makes the share and the inboxes of all loops; no thread is started.
    init(_ settings: Settings, options: RelayOptions, log: RelayLog) throws(SystemError) {
        var inboxes: [Inbox] = []
        for _ in 0..<max(1, settings.loops) { inboxes.append(try Inbox()) }
        self.inboxes = inboxes
        self.options = options
        self.log = log
        resolver = try Resolver()
        share = ProcessShare(settings, wakes: inboxes.map { inbox in { inbox.wake() } })
    }

    /// Makes the first loop, which hears the signals and listens, on the `inherited` socket where the
    /// service manager has opened one.
    func makeFirst(
        _ settings: Settings, signals: [Int32], inherited: Descriptor?, tls: TLSContext?
    ) throws(SystemError) -> Relay<LinuxSys> {
        var sys = try LinuxSys(
            signals: signals, socketMode: settings.listenMode, inbox: inboxes[0],
            resolver: resolver)
        sys.inheritedListener = inherited
        return Relay(
            sys: sys, settings: settings, options: options, log: log, tls: tls,
            place: LoopPlace(share: share, index: 0))
    }

    /// Runs all loops until the first ends, which is `relay`; returns the one line that says why
    /// the process cannot go on, or nil after a clean shutdown.
    ///
    /// `makeTLS` makes what a loop needs for TLS to Redis.
    func run(
        _ relay: consuming Relay<LinuxSys>,
        makeTLS: @escaping @Sendable (Settings) throws(TLSFileError) -> TLSContext?
    ) -> String? {
        // What the first loop has found out, such as the port of the embedded broker.
        let settings = relay.settings
        for loop in share.loops.indices.dropFirst() {
            if let fatal = start(loop, settings, makeTLS) {
                share.post(.ended(loop: loop, fatal: fatal), to: 0)
            }
        }
        let fatal = relay.run()
        for loop in share.loops.indices.dropFirst() { share.post(.end, to: loop) }
        for _ in 0..<Self.endLimit.milliseconds where !share.haveOthersEnded {
            Thread.pause(.milliseconds(1))
        }
        resolver.stop()
        return fatal
    }

    private func start(
        _ loop: Int, _ settings: Settings,
        _ makeTLS: @escaping @Sendable (Settings) throws(TLSFileError) -> TLSContext?
    ) -> String? {
        let isStarted = Thread.start(named: "loop \(loop)") { [self] in
            let fatal = serve(loop, settings, makeTLS)
            guard let fatal else { return }
            share.loops[loop].hasEnded = true
            share.post(.ended(loop: loop, fatal: fatal), to: 0)
        }
        if isStarted { return nil }
        share.loops[loop].hasEnded = true
        return "cannot start a thread for an event loop"
    }

    /// Runs a loop in its thread; returns why it could not begin.
    private func serve(
        _ loop: Int, _ settings: Settings,
        _ makeTLS: @Sendable (Settings) throws(TLSFileError) -> TLSContext?
    ) -> String? {
        let sys: LinuxSys
        do throws(SystemError) {
            sys = try LinuxSys(signals: [], inbox: inboxes[loop], resolver: resolver)
        } catch {
            return "cannot set up an event loop: \(error.reason)"
        }
        let tls: TLSContext?
        do throws(TLSFileError) {
            tls = try makeTLS(settings)
        } catch {
            return "\(error)"
        }
        var relay = Relay(
            sys: sys, settings: settings, options: options, log: log, tls: tls,
            place: LoopPlace(share: share, index: loop))
        relay.start()
        return relay.run()
    }
}
